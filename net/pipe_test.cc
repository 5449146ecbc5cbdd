// The two ends of a Pipe: order, ends, waiting, deadlines, contexts, closing from both sides.
#include "gort/net/pipe.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/net/stream.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::InGort;
using testing::Probe;

static_assert(ByteReader<PipeConn>);

constexpr absl::StatusCode kCancelled = absl::StatusCode::kCancelled;
constexpr absl::StatusCode kTimeout = absl::StatusCode::kDeadlineExceeded;
constexpr absl::StatusCode kPrecondition = absl::StatusCode::kFailedPrecondition;

TEST(Pipe, BytesArriveInOrderWhateverTheCapacity) {
  for (size_t capacity : {0u, 1u, 7u, 65536u}) {
    for (int procs : {1, 4}) {
      InGort([&] {
        testing::Procs p(procs);
        auto [a, b] = Pipe(capacity);
        std::string sent(10'000, '\0');
        for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7);
        WaitGroup wg;
        wg.Go([&, &a = a] {
          EXPECT_EQ(*a.Write(sent), sent.size());
          EXPECT_TRUE(a.CloseWrite().ok());
        });
        std::string got(sent.size() + 1, '\0');
        size_t n = 0;
        EXPECT_FALSE(ReadFull(b, absl::MakeSpan(got), &n).ok());  // the end comes first
        EXPECT_EQ(got.substr(0, n), sent);
        wg.Wait();
        EXPECT_EQ(*b.Write("k"), 1u);  // the other direction is open
        char c;
        EXPECT_EQ(*a.Read(absl::MakeSpan(&c, 1)), 1u);
        EXPECT_EQ(a.Write("x").status().code(), kPrecondition);
      });
    }
  }
}

TEST(Pipe, WritesOfTwoDoNotMix) {
  InGort([] {
    auto [a, b] = Pipe(3);
    WaitGroup wg;
    for (char c : {'x', 'y'}) {
      wg.Go([&a = a, c] { EXPECT_TRUE(a.Write(std::string(100, c)).ok()); });
    }
    char buf[200];
    EXPECT_EQ(*ReadFull(b, absl::MakeSpan(buf)), 200u);
    wg.Wait();
    const std::string got(buf, 200);
    const std::string x(100, 'x');
    const std::string y(100, 'y');
    EXPECT_TRUE(got == x + y || got == y + x) << got;
  });
}

TEST(Pipe, DeadlinesEndWaitsAndCanBeMoved) {
  InGort([] {
    auto [a, b] = Pipe(1);
    char c;
    EXPECT_TRUE(a.SetReadDeadline(absl::Now() + absl::Milliseconds(5)).ok());
    EXPECT_EQ(a.Read(absl::MakeSpan(&c, 1)).status(),
              absl::DeadlineExceededError("read pipe: i/o timeout"));
    size_t written = 77;
    EXPECT_TRUE(a.SetWriteDeadline(absl::Now() + absl::Milliseconds(5)).ok());
    EXPECT_EQ(a.Write("abc", &written).status().code(), kTimeout);
    EXPECT_EQ(written, 1u);
    EXPECT_TRUE(a.SetDeadline(absl::InfiniteFuture()).ok());
    Probe reader(
        [&, &a = a] { EXPECT_EQ(a.Read(absl::MakeSpan(&c, 1)).status().code(), kTimeout); });
    EXPECT_FALSE(reader.done());
    EXPECT_TRUE(a.SetDeadline(absl::InfinitePast()).ok());
    EXPECT_TRUE(reader.Finish());
    EXPECT_TRUE(a.SetDeadline(absl::Now() + absl::Hours(1)).ok());
    EXPECT_TRUE(b.Write("z").ok());
    EXPECT_EQ(*a.Read(absl::MakeSpan(&c, 1)), 1u);
  });
}

TEST(Pipe, AContextEndsItsCallAndNoOther) {
  InGort([] {
    auto [a, b] = Pipe(1);
    auto scope = WithCancel(Background());
    char c;
    absl::Status read;
    absl::Status write;
    size_t written = 0;
    Probe reader([&, &a = a] { read = a.Read(scope.first, absl::MakeSpan(&c, 1)).status(); });
    Probe writer([&, &a = a] { write = a.Write(scope.first, "xy", &written).status(); });
    scope.second();
    EXPECT_TRUE(reader.Finish());
    EXPECT_TRUE(writer.Finish());
    EXPECT_EQ(read, absl::CancelledError("read pipe: context canceled"));
    EXPECT_EQ(write.code(), kCancelled);
    EXPECT_EQ(written, 1u);
    EXPECT_EQ(*b.Read(absl::MakeSpan(&c, 1)), 1u);
    EXPECT_TRUE(b.Write("q").ok());
    EXPECT_EQ(*a.Read(absl::MakeSpan(&c, 1)), 1u);
    EXPECT_EQ(a.Read(scope.first, absl::MakeSpan(&c, 1)).status().code(), kCancelled);
  });
}

TEST(Pipe, DeadlinesOfTheStandardClock) {
  InGort([] {
    auto [a, b] = Pipe(1);
    char c;
    const auto past = std::chrono::system_clock::now() - std::chrono::seconds(1);
    EXPECT_TRUE(a.SetReadDeadline(past).ok());
    EXPECT_EQ(a.Read(absl::MakeSpan(&c, 1)).status().code(), kTimeout);
    EXPECT_TRUE(a.SetWriteDeadline(past).ok());
    EXPECT_EQ(a.Write("x").status().code(), kTimeout);
    EXPECT_TRUE(a.SetDeadline(past + std::chrono::hours(1)).ok());
    EXPECT_TRUE(a.Write("x").ok());
  });
}

TEST(Pipe, AWriteThatWaitsForAnotherEndsToo) {
  InGort([] {
    auto [a, b] = Pipe(1);
    auto scope = WithCancel(Background());
    absl::Status first;
    absl::Status by_context;
    absl::Status by_close;
    Probe writer([&, &a = a] { first = a.Write("xy").status(); });
    Probe second([&, &a = a] { by_context = a.Write(scope.first, "z").status(); });
    scope.second();
    EXPECT_TRUE(second.Finish());
    EXPECT_EQ(by_context, absl::CancelledError("write pipe: context canceled"));
    EXPECT_EQ(a.Write(scope.first, "z").status(), by_context) << "at once";
    Probe third([&, &a = a] { by_close = a.Write("z").status(); });
    EXPECT_TRUE(a.Close().ok());
    EXPECT_TRUE(writer.Finish());
    EXPECT_TRUE(third.Finish());
    EXPECT_EQ(first, absl::CancelledError("write pipe: use of closed network connection"));
    EXPECT_EQ(by_close, first);
    EXPECT_EQ(a.Write("z").status().code(), kPrecondition);
  });
}

TEST(Pipe, CloseOnEachSide) {
  InGort([] {
    auto [a, b] = Pipe(1);
    char c;
    absl::Status own;
    Probe reader([&, &a = a] { own = a.Read(absl::MakeSpan(&c, 1)).status(); });
    EXPECT_TRUE(a.Close().ok());
    EXPECT_TRUE(reader.Finish());
    EXPECT_EQ(own, absl::CancelledError("read pipe: use of closed network connection"));
    EXPECT_EQ(*b.Read(absl::MakeSpan(&c, 1)), 0u);
    EXPECT_EQ(b.Write("x").status(), absl::FailedPreconditionError("write pipe: Broken pipe"));
    EXPECT_EQ(a.Close().code(), kPrecondition);
    EXPECT_EQ(a.Read(absl::MakeSpan(&c, 1)).status().code(), kPrecondition);
    EXPECT_EQ(a.SetDeadline(absl::Now()).code(), kPrecondition);
    EXPECT_EQ(PipeConn().Write("x").status().code(), kPrecondition);
    {
      auto [d, e] = Pipe(1);
      EXPECT_TRUE(e.SetDeadline(absl::Now() + absl::Hours(1)).ok());
      PipeConn moved = std::move(e);
      EXPECT_TRUE(moved.Write("x").ok());
      moved = PipeConn();
      EXPECT_EQ(*d.Read(absl::MakeSpan(&c, 1)), 1u);  // what was written stays
      EXPECT_EQ(*d.Read(absl::MakeSpan(&c, 1)), 0u);
    }
  });
}

// As of Conn: no call may begin by then.
TEST(Pipe, BothEndsMayGoDuringACall) {
  InGort([] {
    testing::Procs procs(1);
    auto pipe = std::make_unique<std::pair<PipeConn, PipeConn>>(Pipe());
    Probe reader([end = &pipe->first] {
      char c;
      end->Read(absl::MakeSpan(&c, 1)).status().IgnoreError();
    });
    EXPECT_FALSE(reader.done());
    pipe.reset();
    EXPECT_TRUE(reader.Finish());
  });
}

TEST(Pipe, AForeignThread) {
  InGort([] {
    auto [a, b] = Pipe();
    std::thread t = testing::AttachedThread([&a = a] { EXPECT_TRUE(a.Write("hello").ok()); });
    char buf[5];
    EXPECT_EQ(*ReadFull(b, absl::MakeSpan(buf)), 5u);
    t.join();
  });
}

}  // namespace
}  // namespace gort
