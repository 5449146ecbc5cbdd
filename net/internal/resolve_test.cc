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
#include "gort/net/internal/lookup.h"
#include "gort/net/testing/fake_lookup.h"
#include "gort/net/testing/testing.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/sync/sync.h"
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

// Each test but those about what is kept wants to be asked.
const bool kNothingIsKept = [] {
  KeepLookups(0, 0);
  return true;
}();

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
    pd_ = pd;
    ++watched;
  }
  void Unwatch() override {
    ++unwatched;
    pd_ = nullptr;
  }
  void End() const { PollSetDeadline(pd_, -1, kPollRead | kPollWrite); }
  std::atomic<int> watched = 0;
  int unwatched = 0;

 private:
  PollDesc* pd_ = nullptr;
};

TEST(Lookup, EndsAtItsDeadlineAndWhenTheWatcherSaysSo) {
  const std::string timeout = "op tcp: lookup \"slow\": i/o timeout";
  fake_lookup.Set("slow", {0, 0, {Addr("10.0.0.1:80")}, /*held=*/true});
  fake_lookup.Set("fast", {0, 0, {Addr("10.0.0.1:80")}});
  InGort([&] {
    std::string result;
    Probe late([&] { result = Resolved("tcp", "slow:80", false, PollDeadlineIn(100'000'000)); });
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 1; }));
    EXPECT_TRUE(late.Finish());
    EXPECT_EQ(result, timeout);
    // That one is still in the C library; who asks now does not wait for its answer.
    Watching watcher;
    Probe asking([&] { result = Resolved("tcp", "slow:80", false, 0, &watcher); });
    EXPECT_TRUE(Eventually([&] { return fake_lookup.Inside() == 2 && watcher.watched == 1; }));
    EXPECT_EQ(watcher.unwatched, 0);
    watcher.End();
    EXPECT_TRUE(asking.Finish());
    EXPECT_EQ(result, timeout);
    EXPECT_EQ(watcher.unwatched, 1);
    // Both do no harm when they come back.
    fake_lookup.Release(2);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 0; }));
    // It had passed before.
    EXPECT_EQ(Resolved("tcp", "none:80", false, -1), "op tcp: lookup \"none\": i/o timeout");
    // One that ends by itself is watched and let go just as well.
    EXPECT_EQ(Resolved("tcp", "fast:80", false, PollDeadlineIn(INT64_MAX), &watcher),
              "10.0.0.1:80");
    EXPECT_EQ(watcher.watched, 2);
    EXPECT_EQ(watcher.unwatched, 2);
  });
}

// ---- many ----

constexpr int kAtOnce = 64;

// Callers that each ask for a name of their own, "<what>0" and so on, which the library holds back.
class Crowd {
 public:
  Crowd(const std::string& what, int n) {
    for (int i = 0; i < n; ++i) Add(what + std::to_string(i));
  }
  void Add(const std::string& host) {
    fake_lookup.Set(host, {0, 0, {Addr("10.0.0.1:80")}, /*held=*/true});
    watchers_.push_back(std::make_unique<Watching>());
    asking_.push_back(std::make_unique<Probe>([this, host, w = watchers_.back().get()] {
      if (Resolved("tcp", host + ":80", false, 0, w) == "10.0.0.1:80") ++good;
    }));
  }
  void GiveUp() {
    EXPECT_TRUE(Eventually([this] {
      for (const auto& w : watchers_) {
        if (w->watched == 0) return false;
      }
      return true;
    }));
    for (const auto& w : watchers_) w->End();
    Finish();
  }
  void Finish() const {
    for (const auto& p : asking_) EXPECT_TRUE(p->Finish());
  }
  std::atomic<int> good{0};

 private:
  std::vector<std::unique_ptr<Watching>> watchers_;
  std::vector<std::unique_ptr<Probe>> asking_;
};

TEST(Lookup, SixtyFourAtOnceAndTheOthersInTurn) {
  static constexpr int kMore = 6;
  InGort([] {
    Crowd crowd("each", kAtOnce + kMore);
    EXPECT_TRUE(Parked(kAtOnce + kMore));
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == kAtOnce; }));
    // One out, one in; never more.
    for (int n = 1; n <= kMore; ++n) {
      fake_lookup.Release(1);
      EXPECT_TRUE(Eventually([&] { return crowd.good == n; }));
      EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() >= kAtOnce; }));
      EXPECT_EQ(fake_lookup.Inside(), kAtOnce);
    }
    fake_lookup.Release(kAtOnce);
    crowd.Finish();
    EXPECT_EQ(crowd.good, kAtOnce + kMore);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 0; }));
  });
}

TEST(Lookup, WhatIsGivenUpInTheQueueIsNotAskedFor) {
  InGort([] {
    Crowd inside("inside", kAtOnce);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == kAtOnce; }));
    Crowd given_up("dropped", 100);
    Crowd live("live", 1);
    given_up.GiveUp();
    EXPECT_EQ(given_up.good, 0);
    // The first place that is free is for somebody who still waits.
    fake_lookup.Release(1);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Asked("live0") == 1; }));
    fake_lookup.Release(kAtOnce);
    inside.Finish();
    live.Finish();
    EXPECT_EQ(live.good, 1);
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(fake_lookup.Asked("dropped" + std::to_string(i)), 0) << i;
    }
    // Those inside may be given up, too; nobody gets a place before they return.
    Crowd stuck("stuck", kAtOnce);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == kAtOnce; }));
    stuck.GiveUp();
    Crowd next("next", 1);
    EXPECT_EQ(fake_lookup.Asked("next0"), 0);
    fake_lookup.Release(kAtOnce + 1);
    next.Finish();
    EXPECT_EQ(next.good, 1);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 0; }));
  });
}

TEST(Lookup, EqualOnesAtTheSameTimeAreOne) {
  static constexpr int kEqual = 10;
  InGort([] {
    Crowd same("same", 0);
    for (int i = 0; i < kEqual; ++i) same.Add("same");
    Crowd leaves("same", 0);
    leaves.Add("same");
    EXPECT_TRUE(Parked(kEqual + 1));
    // Another service, network or use is another question.
    std::atomic<int> others{0};
    std::vector<std::unique_ptr<Probe>> asking;
    const auto ask = [&](const char* network, const char* address, bool passive) {
      asking.push_back(std::make_unique<Probe>([&others, network, address, passive] {
        if (Resolved(network, address, passive) == "10.0.0.1:80") ++others;
      }));
    };
    ask("tcp", "same:81", false);
    ask("tcp4", "same:80", false);
    ask("udp", "same:80", false);
    ask("tcp", "same:80", true);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 5; }));
    EXPECT_EQ(fake_lookup.Asked("same"), 5);
    leaves.GiveUp();  // the others still wait
    fake_lookup.Release(5);
    same.Finish();
    for (const auto& p : asking) EXPECT_TRUE(p->Finish());
    EXPECT_EQ(same.good, kEqual);
    EXPECT_EQ(leaves.good, 0);
    EXPECT_EQ(others, 4);
    // What has been answered is not kept.
    fake_lookup.Set("same", {0, 0, {Addr("10.0.0.2:80")}});
    EXPECT_EQ(Resolved("tcp", "same:80", false), "10.0.0.2:80");
    EXPECT_EQ(fake_lookup.Asked("same"), 6);
  });
}

// Keeps a caller whose look-up has ended from leaving it.
class Lingering : public Watcher {
 public:
  Lingering() { leave.Add(1); }
  void Watch(PollDesc*) override {}
  void Unwatch() override {
    ended = true;
    leave.Wait();
  }
  std::atomic<bool> ended{false};
  WaitGroup leave;
};

// One that has ended notifies nobody any more, so nobody may join it.
TEST(Lookup, OneThatHasEndedIsNotJoined) {
  fake_lookup.Set("ended", {0, 0, {Addr("10.0.0.1:80")}});
  InGort([] {
    Lingering lingering;
    Probe first([&] { Resolved("tcp", "ended:80", false, 0, &lingering); });
    EXPECT_TRUE(Eventually([&] { return lingering.ended.load(); }));
    EXPECT_EQ(Resolved("tcp", "ended:80", false, PollDeadlineIn(30'000'000'000)), "10.0.0.1:80");
    EXPECT_EQ(fake_lookup.Asked("ended"), 2);
    lingering.leave.Done();
    EXPECT_TRUE(first.Finish());
  });
}

// Answers are kept while the object lives.
struct Keeping {
  Keeping(int64_t found_ns, int64_t missing_ns) { KeepLookups(found_ns, missing_ns); }
  ~Keeping() { KeepLookups(0, 0); }
};
constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;

TEST(LookupCache, AddressesAndMissingNamesAreKeptAndFailuresAreNot) {
  fake_lookup.Set("kept", {0, 0, {Addr("10.0.0.1:80"), Addr("10.0.0.2:80")}});
  fake_lookup.Set("fails", {EAI_AGAIN, 0});
  InGort([] {
    const Keeping keeping(kHourNs, kHourNs);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(Resolved("tcp", "kept:80", false), "10.0.0.1:80 10.0.0.2:80");
      EXPECT_NE(Resolved("tcp", "no-such:80", false).find(gai_strerror(EAI_NONAME)),
                std::string::npos);
      EXPECT_NE(Resolved("tcp", "fails:80", false), "");
    }
    EXPECT_EQ(fake_lookup.Asked("kept"), 1);
    EXPECT_EQ(fake_lookup.Asked("no-such"), 1);
    EXPECT_EQ(fake_lookup.Asked("fails"), 3);
    EXPECT_EQ(Resolved("tcp4", "kept:80", false), "10.0.0.1:80 10.0.0.2:80");
    EXPECT_EQ(fake_lookup.Asked("kept"), 2) << "another question";
    EXPECT_NE(Resolved("tcp", "kept:80", false, -1).find("timeout"), std::string::npos)
        << "a deadline that has passed";
  });
}

TEST(LookupCache, NothingIsKeptLongerThanItIsSaid) {
  fake_lookup.Set("short", {0, 0, {Addr("10.0.0.1:80")}});
  InGort([] {
    const Keeping keeping(1'000'000, 0);
    EXPECT_EQ(Resolved("tcp", "short:80", false), "10.0.0.1:80");
    EXPECT_TRUE(Eventually([] {
      Resolved("tcp", "short:80", false);
      return fake_lookup.Asked("short") > 1;
    }));
    Resolved("tcp", "missing:80", false);
    Resolved("tcp", "missing:80", false);
    EXPECT_EQ(fake_lookup.Asked("missing"), 2);
    KeepLookups(kHourNs, INT64_MAX);
    Resolved("tcp", "short:80", false);
    const int asked = fake_lookup.Asked("short");
    KeepLookups(kHourNs, kHourNs);
    Resolved("tcp", "short:80", false);
    EXPECT_EQ(fake_lookup.Asked("short"), asked + 1) << "to set it drops what was kept";
  });
}

TEST(LookupCache, HasABound) {
  InGort([] {
    const Keeping keeping(kHourNs, INT64_MAX);
    const auto ask = [](int i) { Resolved("tcp", "n" + std::to_string(i) + ":80", false); };
    for (int i = 0; i < 1025; ++i) ask(i);
    ask(0);
    ask(1024);
    EXPECT_EQ(fake_lookup.Asked("n0"), 2);
    EXPECT_EQ(fake_lookup.Asked("n1024"), 1);
  });
}

}  // namespace
}  // namespace gort::rt
