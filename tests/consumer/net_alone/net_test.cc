#include "gort/net/net.h"

#include <string>
#include <string_view>
#include <utility>

#include "gort/runtime.h"
#include "gtest/gtest.h"

// Sends back what it gets, until the end of the stream.
void Echo(gort::Conn conn) {
  char buf[512];
  for (;;) {
    absl::StatusOr<size_t> n = conn.Read(absl::MakeSpan(buf));
    if (!n.ok() || *n == 0) return;
    if (!conn.Write(std::string_view(buf, *n)).ok()) return;
  }
}

TEST(NetAlone, Echo) {
  std::string got;
  gort::Run([&got] {
    absl::StatusOr<gort::Listener> listener = gort::Listen("tcp", "127.0.0.1:0");
    if (!listener.ok()) return 1;
    gort::Go([&listener] {
      absl::StatusOr<gort::Conn> conn = listener->Accept();
      if (conn.ok()) Echo(*std::move(conn));
    });
    absl::StatusOr<gort::Conn> conn = gort::Dial("tcp", listener->Addr(), absl::Seconds(30));
    if (!conn.ok() || !conn->Write("hello").ok() || !conn->CloseWrite().ok()) return 2;
    char buf[16];
    for (;;) {
      absl::StatusOr<size_t> n = conn->Read(absl::MakeSpan(buf));
      if (!n.ok() || *n == 0) return 0;
      got.append(buf, *n);
    }
  });
  EXPECT_EQ(got, "hello");
}

TEST(NetAlone, DialErrorNamesTheAddress) {
  gort::Run([] {
    absl::Status status = gort::Dial("tcp", "127.0.0.1:1").status();
    EXPECT_EQ(status.message(), "dial tcp 127.0.0.1:1: connect: Connection refused");
    return 0;
  });
}
