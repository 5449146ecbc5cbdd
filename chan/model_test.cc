// Property tests: random programs over channels and select, compared with a sequential model.
//
// With one P, goroutines that yield only where they wait run one after the other, so a program has
// few outcomes: an operation that can go on goes on, one that cannot waits, and a waiting one is
// completed by its peer, first come first served. The model says after each step who waits and what
// everybody got. A failing program prints its seed; GORT_TEST_SEED=n runs that one alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gort/base/rand.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;

constexpr int kPrograms = GORT_TEST_SANITIZED ? 100 : 1000;
constexpr int kSteps = 60;
constexpr int kChans = 3;

// A case of an operation; a plain send or receive is an operation with one case.
struct Case {
  int chan;
  bool send;
  int value;
};

struct Operation {
  std::vector<Case> cases;
  bool has_default = false;
};

// How it ended: "case 1 sent", "case 0 got 5", "case 0 end", "default", "panic", or "" while it
// waits.
using Result = std::string;

std::string Got(size_t i, int v) {
  return "case " + std::to_string(i) + " got " + std::to_string(v);
}
std::string Sent(size_t i) { return "case " + std::to_string(i) + " sent"; }
std::string End(size_t i) { return "case " + std::to_string(i) + " end"; }

// ---- the model ----

class Model {
 public:
  explicit Model(const std::vector<size_t>& caps) {
    for (size_t cap : caps) chans_.push_back({cap, {}, false});
  }

  // Starts an operation; its results, present or future, are in results()[id].
  // `real` is what the real one came to: of several ready cases a select may take any.
  void Start(const Operation& op, const Result& real) {
    size_t id = results_.size();
    results_.emplace_back();
    waiting_.push_back(false);
    ops_.push_back(op);
    std::vector<Result> possible;
    for (size_t i = 0; i < op.cases.size(); ++i) {
      if (Result r = Peek(op.cases[i], i); !r.empty()) possible.push_back(r);
    }
    if (possible.empty()) {
      if (op.has_default) {
        results_[id] = "default";
      } else {
        waiting_[id] = true;
        order_.push_back(id);
      }
      return;
    }
    for (size_t i = 0; i < op.cases.size(); ++i) {
      if (Result r = Peek(op.cases[i], i); !r.empty() && r == real) {
        Do(op.cases[i]);
        results_[id] = r;
        return;
      }
    }
    results_[id] = "one of the ready cases, such as " + possible[0];
  }

  bool Close(int c) {
    if (chans_[c].closed) return false;
    chans_[c].closed = true;
    for (size_t id : std::vector<size_t>(order_.begin(), order_.end())) {
      for (size_t i = 0; waiting_[id] && i < ops_[id].cases.size(); ++i) {
        if (ops_[id].cases[i].chan == c) Finish(id, "closed");
      }
    }
    return true;
  }

  const std::vector<Result>& results() const { return results_; }
  const Operation& op(size_t id) const { return ops_[id]; }
  bool waiting(size_t id) const { return waiting_[id]; }
  size_t Len(int c) const { return chans_[c].buffer.size(); }

 private:
  struct Channel {
    size_t cap;
    std::deque<int> buffer;
    bool closed;
  };

  // The first waiting operation with a case on channel c in that direction.
  std::optional<std::pair<size_t, size_t>> Waiter(int c, bool send) const {
    for (size_t id : order_) {
      if (!waiting_[id]) continue;
      for (size_t i = 0; i < ops_[id].cases.size(); ++i) {
        if (ops_[id].cases[i].chan == c && ops_[id].cases[i].send == send) return {{id, i}};
      }
    }
    return std::nullopt;
  }

  // What the case would come to now; empty: it would wait.
  Result Peek(const Case& k, size_t i) const {
    const Channel& c = chans_[k.chan];
    if (k.send) {
      if (c.closed) return "panic";
      return Waiter(k.chan, false) || c.buffer.size() < c.cap ? Sent(i) : "";
    }
    if (!c.buffer.empty()) return Got(i, c.buffer.front());
    if (auto w = Waiter(k.chan, true)) return Got(i, ops_[w->first].cases[w->second].value);
    return c.closed ? End(i) : "";
  }

  void Do(const Case& k) {
    Channel& c = chans_[k.chan];
    if (k.send) {
      if (c.closed) return;
      if (auto w = Waiter(k.chan, false)) return Finish(w->first, Got(w->second, k.value));
      c.buffer.push_back(k.value);
      return;
    }
    auto w = Waiter(k.chan, true);
    if (!c.buffer.empty()) {
      c.buffer.pop_front();
      if (w) c.buffer.push_back(ops_[w->first].cases[w->second].value);
    }
    if (w) Finish(w->first, Sent(w->second));
  }

  void Finish(size_t id, Result r) {
    waiting_[id] = false;
    results_[id] = std::move(r);
    std::erase(order_, id);
  }

  std::vector<Channel> chans_;
  std::vector<Operation> ops_;
  std::vector<Result> results_;
  std::vector<bool> waiting_;
  std::deque<size_t> order_;  // waiting operations, by arrival
};

// ---- the real thing ----

Result Perform(const std::vector<Chan<int>>& chans, const Operation& op) {
  Result r;
  try {
    if (op.cases.size() == 1 && !op.has_default) {
      const Case& k = op.cases[0];
      if (k.send) {
        chans[k.chan].Send(k.value);
        return Sent(0);
      }
      std::optional<int> v = chans[k.chan].Recv();
      return v ? Got(0, *v) : End(0);
    }
    Selector s;
    for (size_t i = 0; i < op.cases.size(); ++i) {
      const Case& k = op.cases[i];
      if (k.send) {
        s.Send(chans[k.chan], k.value, [&r, i] { r = Sent(i); });
      } else {
        s.Recv(chans[k.chan], [&r, i](std::optional<int> v) { r = v ? Got(i, *v) : End(i); });
      }
    }
    if (op.has_default) s.Default([&r] { r = "default"; });
    s.Run();
    return r;
  } catch (const Panic&) {
    return "panic";
  }
}

Operation RandomOperation(rt::FastRand* rand, int* next_value) {
  Operation op;
  uint32_t n = rand->N(3) == 0 ? 1 + rand->N(4) : 1;
  for (uint32_t i = 0; i < n; ++i) {
    Case k{static_cast<int>(rand->N(kChans)), rand->N(2) == 0, (*next_value)++};
    // Twice the same: which of the two a peer finds first is not determined.
    bool again = false;
    for (const Case& o : op.cases) again |= o.chan == k.chan && o.send == k.send;
    if (!again) op.cases.push_back(k);
  }
  op.has_default = rand->N(4) == 0;
  return op;
}

// What a close did to a waiting operation: the end of a receive or the panic of a send, on any of
// its cases of a closed channel.
bool ClosedResultFits(const Operation& op, const std::vector<bool>& closed, const Result& real) {
  for (size_t i = 0; i < op.cases.size(); ++i) {
    if (!closed[op.cases[i].chan]) continue;
    if (real == (op.cases[i].send ? "panic" : End(i))) return true;
  }
  return false;
}

void RunProgram(uint64_t seed) {
  rt::FastRand rand(seed);
  std::vector<size_t> caps;
  std::vector<Chan<int>> chans;
  for (int i = 0; i < kChans; ++i) {
    caps.push_back(rand.N(4));
    chans.push_back(MakeChan<int>(caps.back()));
  }
  Model model(caps);
  std::vector<bool> closed(kChans);
  std::vector<Probe> probes;
  std::deque<Result> real;
  int next_value = 1;
  for (int step = 0; step < kSteps; ++step) {
    if (rand.N(40) == 0) {
      int c = static_cast<int>(rand.N(kChans));
      bool ok = true;
      try {
        chans[c].Close();
      } catch (const Panic&) {
        ok = false;
      }
      ASSERT_EQ(ok, model.Close(c));
      closed[c] = true;
    } else {
      Operation op = RandomOperation(&rand, &next_value);
      Result* r = &real.emplace_back();
      probes.emplace_back([&chans, op, r] { *r = Perform(chans, op); });
      model.Start(op, *r);
    }
    for (size_t id = 0; id < real.size(); ++id) {
      if (model.waiting(id)) {
        ASSERT_FALSE(probes[id].done()) << "step " << step << ": " << real[id] << " should wait";
        continue;
      }
      ASSERT_TRUE(probes[id].Finish()) << "step " << step << ": waits, not " << model.results()[id];
      if (model.results()[id] == "closed") {
        ASSERT_TRUE(ClosedResultFits(model.op(id), closed, real[id])) << real[id];
      } else {
        ASSERT_EQ(real[id], model.results()[id]) << "step " << step << ", operation " << id;
      }
    }
    for (int c = 0; c < kChans; ++c) ASSERT_EQ(chans[c].Len(), model.Len(c));
  }
  // Let those that still wait go.
  for (int c = 0; c < kChans; ++c) {
    if (!closed[c]) chans[c].Close();
  }
  for (Probe& p : probes) ASSERT_TRUE(p.Finish());
}

TEST(ChanModelTest, RandomProgramsAgreeWithTheModel) {
  InGort([] {
    Procs one(1);
    if (const char* seed = getenv("GORT_TEST_SEED")) return RunProgram(strtoull(seed, nullptr, 10));
    for (uint64_t seed = 1; seed <= kPrograms && !::testing::Test::HasFatalFailure(); ++seed) {
      RunProgram(seed);
      // Not SCOPED_TRACE, which belongs to a thread: the goroutine changes threads.
      if (::testing::Test::HasFatalFailure()) ADD_FAILURE() << "GORT_TEST_SEED=" << seed;
    }
  });
}

}  // namespace
}  // namespace gort
