// From the words of Listen and Dial to addresses: what needs no look-up, what a look-up is asked
// and may answer, how many are made at once, and what becomes of one that nobody waits for any
// more.
#include "gort/net/internal/resolve.h"

#include <netdb.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gort/net/testing/fake_lookup.h"
#include "gort/net/testing/testing.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using gort::testing::Eventually;
using gort::testing::fake_lookup;
using gort::testing::InGort;
using gort::testing::Must;
using gort::testing::Parked;
using gort::testing::Probe;

// The addresses, or the message, as one text.
std::string Resolved(const std::string& network, const std::string& address, bool passive,
                     int64_t when = 0, Watcher* watcher = nullptr) {
  absl::StatusOr<std::vector<SocketAddr>> got =
      Resolve("op", Must(ParseNetwork("op", network)), address, passive, when, watcher);
  if (!got.ok()) return std::string(got.status().message());
  std::string text;
  for (const SocketAddr& addr : *got) text += (text.empty() ? "" : " ") + addr.ToString();
  return text;
}

SocketAddr Addr(const char* text) { return Must(SocketAddr::Parse(text)); }

TEST(ParseNetwork, TheSevenNames) {
  struct Case {
    const char* name;
    int type;
    int family;
  };
  const Case cases[] = {
      {"tcp", SOCK_STREAM, AF_UNSPEC}, {"tcp4", SOCK_STREAM, AF_INET},
      {"tcp6", SOCK_STREAM, AF_INET6}, {"udp", SOCK_DGRAM, AF_UNSPEC},
      {"udp4", SOCK_DGRAM, AF_INET},   {"udp6", SOCK_DGRAM, AF_INET6},
      {"unix", SOCK_STREAM, AF_UNIX},
  };
  for (const Case& c : cases) {
    const Network n = Must(ParseNetwork("op", c.name));
    EXPECT_STREQ(n.name, c.name);
    EXPECT_EQ(n.type, c.type) << c.name;
    EXPECT_EQ(n.family, c.family) << c.name;
  }
  for (const char* name : {"", "TCP", "tcp5", "unixgram", "ip"}) {
    EXPECT_EQ(ParseNetwork("op", name).status(),
              absl::InvalidArgumentError("op: unknown network \"" + std::string(name) + "\""));
  }
}

// ---- without a look-up ----

TEST(Resolve, WordsThatNeedNoLookUp) {
  struct Case {
    const char* network;
    const char* address;
    const char* passive;  // what Listen gets
    const char* active;   // what Dial gets; null: the same
  };
  const char kNoPort[] = "op tcp: address \"127.0.0.1\": missing port in address";
  const Case cases[] = {
      {"tcp", "127.0.0.1:80", "127.0.0.1:80", nullptr},
      {"tcp", "[::1]:80", "[::1]:80", nullptr},
      {"tcp4", "127.0.0.1:80", "127.0.0.1:80", nullptr},
      {"tcp6", "[::1]:80", "[::1]:80", nullptr},
      {"udp", "0.0.0.0:0", "0.0.0.0:0", nullptr},
      {"tcp", ":80", "[::]:80 0.0.0.0:80", "127.0.0.1:80 [::1]:80"},
      {"tcp4", ":80", "0.0.0.0:80", "127.0.0.1:80"},
      {"tcp6", ":80", "[::]:80", "[::1]:80"},
      {"tcp", ":", "[::]:0 0.0.0.0:0", "op tcp: address \":\": missing port in address"},
      {"tcp", "127.0.0.1:", "127.0.0.1:0",
       "op tcp: address \"127.0.0.1:\": missing port in address"},
      {"tcp", "127.0.0.1", kNoPort, nullptr},
      {"tcp", "127.0.0.1:65536",
       "op tcp: address \"127.0.0.1:65536\": invalid port, not in 0 … 65535", nullptr},
      {"tcp", "127.0.0.1:-1", "op tcp: address \"127.0.0.1:-1\": invalid port, not in 0 … 65535",
       nullptr},
      {"tcp4", "[::1]:80", "op tcp4: address \"[::1]:80\": not an IPv4 address", nullptr},
      {"udp6", "127.0.0.1:80", "op udp6: address \"127.0.0.1:80\": not an IPv6 address", nullptr},
      {"tcp", "a b:80", "op tcp: address \"a b:80\": not a host name", nullptr},
      {"tcp", "a/b:80", "op tcp: address \"a/b:80\": not a host name", nullptr},
      {"unix", "/tmp/x", "/tmp/x", nullptr},
      {"unix", "@x", "@x", nullptr},
      {"unix", "", "op unix: address \"\": a unix socket needs a name", nullptr},
  };
  InGort([&] {
    for (const Case& c : cases) {
      EXPECT_EQ(Resolved(c.network, c.address, true), c.passive) << c.network << ' ' << c.address;
      EXPECT_EQ(Resolved(c.network, c.address, false), c.active != nullptr ? c.active : c.passive)
          << c.network << ' ' << c.address;
    }
  });
}

// ---- what is asked and answered ----

TEST(Lookup, AsksForWhatIsWanted) {
  fake_lookup.Set("host", {0, 0, {Addr("10.0.0.1:80")}});
  fake_lookup.Set("", {0, 0, {Addr("10.0.0.1:80")}});
  struct Case {
    const char* network;
    const char* address;
    bool passive;
    bool has_host;
    bool has_service;
    int family;
    int type;
    int flags;
  };
  const Case cases[] = {
      {"tcp", "host:80", false, true, true, AF_UNSPEC, SOCK_STREAM, 0},
      {"tcp4", "host:http", false, true, true, AF_INET, SOCK_STREAM, 0},
      {"udp6", "host:80", false, true, true, AF_INET6, SOCK_DGRAM, 0},
      {"tcp", "host:80", true, true, true, AF_UNSPEC, SOCK_STREAM, AI_PASSIVE},
      {"tcp", "host:", true, true, false, AF_UNSPEC, SOCK_STREAM, AI_PASSIVE},
      {"tcp", ":http", true, false, true, AF_UNSPEC, SOCK_STREAM, AI_PASSIVE},
  };
  InGort([&] {
    for (const Case& c : cases) {
      Resolved(c.network, c.address, c.passive);
      const auto q = fake_lookup.Last();
      const std::string which = std::string(c.network) + ' ' + c.address;
      EXPECT_EQ(q.has_host, c.has_host) << which;
      EXPECT_EQ(q.has_service, c.has_service) << which;
      EXPECT_EQ(q.family, c.family) << which;
      EXPECT_EQ(q.type, c.type) << which;
      EXPECT_EQ(q.flags, c.flags) << which;
    }
  });
}

TEST(Lookup, AnswersKeepTheirOrderAndPorts) {
  fake_lookup.Set("two", {0, 0, {Addr("[fe80::1]:443"), Addr("10.0.0.1:443")}});
  fake_lookup.Set("", {0, 0, {Addr("0.0.0.0:80")}});
  fake_lookup.Set("10.0.0.9", {0, 0, {Addr("10.0.0.9:80")}});
  InGort([] {
    EXPECT_EQ(Resolved("tcp", "two:https", false), "[fe80::1]:443 10.0.0.1:443");
    // A service alone: its port, at the addresses that the words mean.
    EXPECT_EQ(Resolved("tcp", ":http", true), "[::]:80 0.0.0.0:80");
    EXPECT_EQ(Resolved("tcp4", ":http", false), "127.0.0.1:80");
    EXPECT_EQ(Resolved("tcp", "10.0.0.9:http", false), "10.0.0.9:80");
  });
}

TEST(Lookup, EachFailure) {
  struct Case {
    const char* what;
    int error;
    int system_error;
    absl::StatusCode code;
    std::string text;
  };
  const Case cases[] = {
      {"no such name", EAI_NONAME, 0, absl::StatusCode::kNotFound, gai_strerror(EAI_NONAME)},
      {"no such service", EAI_SERVICE, 0, absl::StatusCode::kNotFound, gai_strerror(EAI_SERVICE)},
      {"not in this family", EAI_FAMILY, 0, absl::StatusCode::kNotFound, gai_strerror(EAI_FAMILY)},
#ifdef EAI_NODATA
      {"no address", EAI_NODATA, 0, absl::StatusCode::kNotFound, gai_strerror(EAI_NODATA)},
#endif
      {"an empty list", 0, 0, absl::StatusCode::kNotFound, gai_strerror(EAI_NONAME)},
      {"the system's error", EAI_SYSTEM, EMFILE, absl::StatusCode::kUnavailable,
       "Too many open files"},
      {"for now", EAI_AGAIN, 0, absl::StatusCode::kUnavailable, gai_strerror(EAI_AGAIN)},
      {"no memory", EAI_MEMORY, 0, absl::StatusCode::kUnavailable, gai_strerror(EAI_MEMORY)},
  };
  InGort([&] {
    for (const Case& c : cases) {
      fake_lookup.Set("bad", {c.error, c.system_error, {}});
      const absl::Status s =
          Resolve("op", Must(ParseNetwork("op", "tcp")), "bad:80", false, 0, nullptr).status();
      EXPECT_EQ(s.code(), c.code) << c.what;
      EXPECT_EQ(s.message(), "op tcp: lookup \"bad\" service \"80\": " + c.text) << c.what;
    }
  });
}

// ---- given up ----

class Watching : public Watcher {
 public:
  void Watch(PollDesc* pd) override {
    ++watched;
    pd_ = pd;
  }
  void Unwatch() override {
    ++unwatched;
    pd_ = nullptr;
  }
  void End() const { PollSetDeadline(pd_, -1, kPollRead | kPollWrite); }
  int watched = 0;
  int unwatched = 0;

 private:
  PollDesc* pd_ = nullptr;
};

TEST(Lookup, EndsAtItsDeadlineAndWhenTheWatcherSaysSo) {
  const std::string timeout = "op tcp: lookup \"slow\": i/o timeout";
  fake_lookup.Set("slow", {0, 0, {Addr("10.0.0.1:80")}, /*held=*/true});
  fake_lookup.Set("fast", {0, 0, {Addr("10.0.0.1:80")}});
  InGort([&] {
    EXPECT_EQ(Resolved("tcp", "slow:80", false, -1), timeout);  // it had passed before
    EXPECT_EQ(Resolved("tcp", "slow:80", false, PollDeadlineIn(2'000'000)), timeout);
    Watching watcher;
    std::string result;
    Probe asking([&] { result = Resolved("tcp", "slow:80", false, 0, &watcher); });
    EXPECT_EQ(watcher.watched, 1);
    EXPECT_EQ(watcher.unwatched, 0);
    watcher.End();
    EXPECT_TRUE(asking.Finish());
    EXPECT_EQ(result, timeout);
    EXPECT_EQ(watcher.unwatched, 1);
    // All three are still in the C library, and do no harm when they come back.
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 3; }));
    fake_lookup.Release(3);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 0; }));
    // One that ends by itself is watched and let go just as well.
    EXPECT_EQ(Resolved("tcp", "fast:80", false, PollDeadlineIn(INT64_MAX), &watcher),
              "10.0.0.1:80");
    EXPECT_EQ(watcher.watched, 2);
    EXPECT_EQ(watcher.unwatched, 2);
  });
}

// ---- many ----

TEST(Lookup, SixtyFourAtOnceAndTheOthersInTurn) {
  static constexpr int kAtOnce = 64;
  static constexpr int kAll = kAtOnce + 6;
  fake_lookup.Set("slow", {0, 0, {Addr("10.0.0.1:80")}, /*held=*/true});
  InGort([] {
    std::vector<std::unique_ptr<Probe>> asking;
    std::atomic<int> good{0};
    for (int i = 0; i < kAll; ++i) {
      asking.push_back(std::make_unique<Probe>([&good] {
        if (Resolved("tcp", "slow:80", false) == "10.0.0.1:80") ++good;
      }));
    }
    EXPECT_TRUE(Parked(kAll));
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == kAtOnce; }));
    // Given up in the queue: an answer is not waited for, and the place in the queue stays.
    EXPECT_EQ(Resolved("tcp", "slow:80", false, PollDeadlineIn(2'000'000)),
              "op tcp: lookup \"slow\": i/o timeout");
    // One out, one in; never more.
    for (int n = 1; n <= kAll - kAtOnce; ++n) {
      fake_lookup.Release(1);
      EXPECT_TRUE(Eventually([&] { return good == n; }));
      EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() >= kAtOnce; }));
      EXPECT_EQ(fake_lookup.Inside(), kAtOnce);
    }
    fake_lookup.Release(kAtOnce + 1);
    for (const auto& p : asking) EXPECT_TRUE(p->Finish());
    EXPECT_EQ(good, kAll);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 0; }));
  });
}

}  // namespace
}  // namespace gort::rt
