// All of gort over an Abseil that the user's workspace brings.
#include <string>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "gort/gort.h"
#include "gtest/gtest.h"

#define CONSUMER_TEXT(x) #x
#define CONSUMER_EXPANDED(x) CONSUMER_TEXT(x)

// Debian names the inline namespace of its Abseil after itself, upstream after the release.
TEST(RealAbsl, IsNotDebians) {
  EXPECT_EQ(std::string(CONSUMER_EXPANDED(ABSL_OPTION_INLINE_NAMESPACE_NAME)).find("lts_"), 0u)
      << CONSUMER_EXPANDED(ABSL_OPTION_INLINE_NAMESPACE_NAME);
}

TEST(RealAbsl, CarriesGort) {
  std::string text;
  gort::Run([&] {
    gort::Chan<absl::Status> results = gort::MakeChan<absl::Status>();
    gort::Go([=] {
      gort::Sleep(absl::Milliseconds(1));
      results.Send(gort::Dial("tcp", "127.0.0.1:1").status());
    });
    text = absl::StrCat("got ", results.Recv()->message());
    return 0;
  });
  EXPECT_EQ(text, "got dial tcp 127.0.0.1:1: connect: Connection refused");
}
