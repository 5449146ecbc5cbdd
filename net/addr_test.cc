#include "gort/net/addr.h"

#include <netinet/in.h>

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

// A zone that is no interface's name is a number of up to nine digits.
TEST(SocketAddr, ZonesByNumber) {
  const absl::StatusOr<SocketAddr> addr = SocketAddr::Parse("[fe80::1%123456789]:1");
  ASSERT_TRUE(addr.ok()) << addr.status();
  EXPECT_EQ(reinterpret_cast<const sockaddr_in6*>(addr->raw())->sin6_scope_id, 123456789u);
}

TEST(SocketAddr, NumericAddressesComeBackAsTheyWere) {
  for (const char* text : {"127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:443",
                           "[::]:0", "[2001:db8::ff00:42:8329]:8080"}) {
    absl::StatusOr<SocketAddr> addr = SocketAddr::Parse(text);
    ASSERT_TRUE(addr.ok()) << addr.status();
    EXPECT_EQ(addr->ToString(), text);
    EXPECT_EQ(*addr, *SocketAddr::Parse(addr->ToString()));
  }
  EXPECT_EQ(SocketAddr::Parse("[::ffff:10.1.2.3]:7")->ToString(), "10.1.2.3:7");
  EXPECT_EQ(SocketAddr::Parse("[fe80::1%lo]:7")->ToString(), "[fe80::1%lo]:7");
  EXPECT_EQ(SocketAddr().ToString(), "");
}

TEST(SocketAddr, BadTextIsNamed) {
  struct Case {
    std::string text;
    const char* message;
  };
  const Case cases[] = {
      {"", "address \"\": missing port in address"},
      {"127.0.0.1", "address \"127.0.0.1\": missing port in address"},
      {"::1:80", "address \"::1:80\": too many colons in address"},
      {"[::1]", "address \"[::1]\": missing port in address"},
      {"[::1", "address \"[::1\": missing ']' in address"},
      {"[::1]80", "address \"[::1]80\": unexpected text after ']' in address"},
      {"[::1]x:80", "address \"[::1]x:80\": unexpected text after ']' in address"},
      {"[::1]:8:0", "address \"[::1]:8:0\": too many colons in address"},
      {"a[b:80", "address \"a[b:80\": unexpected '[' in address"},
      {"a]b:80", "address \"a]b:80\": unexpected ']' in address"},
      {"localhost:80", "address \"localhost:80\": not an IP address"},
      {"1.2.3:80", "address \"1.2.3:80\": not an IP address"},
      {"1.2.3.4.5:80", "address \"1.2.3.4.5:80\": not an IP address"},
      {"1.2.3.4:65536", "address \"1.2.3.4:65536\": invalid port"},
      {"1.2.3.4:-1", "address \"1.2.3.4:-1\": invalid port"},
      {"1.2.3.4:99999999999999999999", "address \"1.2.3.4:99999999999999999999\": invalid port"},
      {"1.2.3.4:", "address \"1.2.3.4:\": invalid port"},
      {"1.2.3.4:0x50", "address \"1.2.3.4:0x50\": invalid port"},
      {"[fe80::1%1234567890]:1", "address \"[fe80::1%1234567890]:1\": not an IP address"},
      {"[fe80::1%nosuchzone]:1", "address \"[fe80::1%nosuchzone]:1\": not an IP address"},
      {std::string("1.2.3.4\0:80", 11), "address \"1.2.3.4\\x00:80\": zero byte in address"},
      {"\"\\\n:80", "address \"\\\"\\\\\\x0a:80\": not an IP address"},
  };
  for (const Case& c : cases) {
    absl::StatusOr<SocketAddr> addr = SocketAddr::Parse(c.text);
    ASSERT_FALSE(addr.ok()) << c.text;
    EXPECT_EQ(addr.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(addr.status().message(), c.message);
  }
}

TEST(SocketAddr, LongTextIsCutInMessages) {
  const std::string text(100'000, 'x');
  absl::StatusOr<SocketAddr> addr = SocketAddr::Parse(text);
  ASSERT_FALSE(addr.ok());
  EXPECT_LT(addr.status().message().size(), 200u);
}

// Whatever the text is: an answer, and one that parses again to the same.
TEST(SocketAddr, AnyTextOfAFewBytes) {
  const std::string alphabet = "1:.[]%f0a";
  std::string text;
  int good = 0;
  for (int length = 0; length <= 6; ++length) {
    int64_t n = 1;
    for (int i = 0; i < length; ++i) n *= static_cast<int64_t>(alphabet.size());
    for (int64_t k = 0; k < n; ++k) {
      text.clear();
      for (int64_t rest = k, i = 0; i < length; ++i, rest /= 9) text += alphabet[rest % 9];
      absl::StatusOr<SocketAddr> addr = SocketAddr::Parse(text);
      if (!addr.ok()) continue;
      ++good;
      ASSERT_EQ(*SocketAddr::Parse(addr->ToString()), *addr) << text;
    }
  }
  EXPECT_GT(good, 0);
}

TEST(SocketAddr, UnixNames) {
  EXPECT_EQ(SocketAddr::Unix("/tmp/x")->ToString(), "/tmp/x");
  EXPECT_EQ(SocketAddr::Unix("@abstract")->ToString(), "@abstract");
  EXPECT_EQ(SocketAddr::Unix(std::string(107, 'a'))->ToString(), std::string(107, 'a'));
  EXPECT_EQ(SocketAddr::Unix("@" + std::string(107, 'a'))->ToString(), "@" + std::string(107, 'a'));
  for (const std::string& bad : {std::string(), std::string(108, 'a'), "@" + std::string(108, 'a'),
                                 std::string("a\0b", 3)}) {
    EXPECT_EQ(SocketAddr::Unix(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(SocketAddr::Unix("").status().message(), "address \"\": a unix socket needs a name");
}

}  // namespace
}  // namespace gort
