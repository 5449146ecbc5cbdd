// What each operation does on a channel in each state, in each of its forms; order, length, close,
// views, ranges. Types of elements: element_test.cc. More about select: select_test.cc.
#include "gort/chan/chan.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

GORT_TEST_LEAVES_GOROUTINES_BEHIND

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;

enum class Op { kSend, kRecv, kClose };
enum class Form { kPlain, kTry, kSelect, kSelectDefault, kSelector, kSelectorDefault };

std::string Show(const std::optional<int>& v) {
  return v.has_value() ? "received " + std::to_string(*v) : "received end";
}

std::string Attempt(Chan<int> ch, Op op, Form form) {
  Chan<int> never;  // a second case, so that the select is a real one
  std::string r;
  auto received = [&](std::optional<int> v) { r = Show(v); };
  auto sent = [&] { r = "sent"; };
  auto none = [&] { r = "default"; };
  int t = -1;
  Selector s;
  switch (form) {
    case Form::kPlain:
      if (op == Op::kClose) return ch.Close(), "closed";
      if (op == Op::kSend) return ch.Send(5), "sent";
      return Show(ch.Recv());
    case Form::kTry:
      if (op == Op::kSend) return ch.TrySend(5) ? "sent" : "default";
      switch (ch.TryRecv(&t)) {
        case RecvState::kValue:
          return Show(t);
        case RecvState::kEmpty:
          return "default";
        case RecvState::kClosed:
          return "received end";
      }
      return "?";
    case Form::kSelect:
      op == Op::kSend ? Select(OnSend(ch, 5, sent), OnRecv(never, received))
                      : Select(OnRecv(ch, received), OnRecv(never, received));
      return r;
    case Form::kSelectDefault:
      op == Op::kSend ? Select(OnSend(ch, 5, sent), OnRecv(never, received), Default(none))
                      : Select(OnRecv(ch, received), OnRecv(never, received), Default(none));
      return r;
    case Form::kSelector:
    case Form::kSelectorDefault:
      if (form == Form::kSelectorDefault) s.Default(none);
      op == Op::kSend ? s.Send(ch, 5, sent) : s.Recv(ch, received);
      s.Recv(never, received);
      s.Run();
      return r;
  }
  return "?";
}

// "sent", "received 1", "panic: …", "blocks: <wait reason>".
std::string Outcome(Chan<int> ch, Op op, Form form) {
  auto result = std::make_shared<std::string>();
  Probe probe([=] {
    try {
      *result = Attempt(ch, op, form);
    } catch (const Panic& e) {
      *result = std::string("panic: ") + e.what();
    }
  });
  if (!probe.done()) return "blocks: " + probe.Waits();
  return *result;
}

struct State {
  std::string name;
  Chan<int> ch;
};

void SendUnlessClosed(Chan<int> ch, int v) {
  try {
    ch.Send(v);
  } catch (const Panic&) {
  }
}

std::vector<State> States() {
  std::vector<State> all;
  auto add = [&all](std::string name, Chan<int> ch) {
    all.push_back({std::move(name), ch});
    return ch;
  };
  add("nil", nullptr);
  add("empty", MakeChan<int>(1));
  add("unbuffered", MakeChan<int>());
  add("full", MakeChan<int>(1)).Send(1);
  add("half", MakeChan<int>(2)).Send(1);
  add("closed", MakeChan<int>(1)).Close();
  add("closed unbuffered", MakeChan<int>()).Close();
  Chan<int> rest = add("closed half", MakeChan<int>(2));
  rest.Send(1);
  rest.Close();
  Chan<int> sender = add("sender waits", MakeChan<int>());
  Probe([sender] { SendUnlessClosed(sender, 1); });
  Chan<int> behind = add("sender waits behind a full buffer", MakeChan<int>(1));
  behind.Send(1);
  Probe([behind] { SendUnlessClosed(behind, 2); });
  Chan<int> receiver = add("receiver waits", MakeChan<int>());
  Probe([receiver] { receiver.Recv(); });
  return all;
}

struct Row {
  const char* state;
  Op op;
  const char* plain;
  const char* with_default;
};

constexpr const char* kBlocks = "blocks";

TEST(ChanTest, TableOfOperations) {
  const std::vector<Row> rows = {
      {"nil", Op::kSend, kBlocks, "default"},
      {"nil", Op::kRecv, kBlocks, "default"},
      {"empty", Op::kSend, "sent", "sent"},
      {"empty", Op::kRecv, kBlocks, "default"},
      {"unbuffered", Op::kSend, kBlocks, "default"},
      {"unbuffered", Op::kRecv, kBlocks, "default"},
      {"full", Op::kSend, kBlocks, "default"},
      {"full", Op::kRecv, "received 1", "received 1"},
      {"half", Op::kSend, "sent", "sent"},
      {"half", Op::kRecv, "received 1", "received 1"},
      {"closed", Op::kSend, "panic: send on closed channel", "panic: send on closed channel"},
      {"closed", Op::kRecv, "received end", "received end"},
      {"closed unbuffered", Op::kSend, "panic: send on closed channel",
       "panic: send on closed channel"},
      {"closed unbuffered", Op::kRecv, "received end", "received end"},
      {"closed half", Op::kSend, "panic: send on closed channel", "panic: send on closed channel"},
      {"closed half", Op::kRecv, "received 1", "received 1"},
      {"sender waits", Op::kSend, kBlocks, "default"},
      {"sender waits", Op::kRecv, "received 1", "received 1"},
      {"sender waits behind a full buffer", Op::kSend, kBlocks, "default"},
      {"sender waits behind a full buffer", Op::kRecv, "received 1", "received 1"},
      {"receiver waits", Op::kSend, "sent", "sent"},
      {"receiver waits", Op::kRecv, kBlocks, "default"},
  };
  InGort([&] {
    for (const Row& row : rows) {
      for (Form form : {Form::kPlain, Form::kTry, Form::kSelect, Form::kSelectDefault,
                        Form::kSelector, Form::kSelectorDefault}) {
        Chan<int> ch;
        for (const State& s : States()) {
          if (s.name == row.state) ch = s.ch;
        }
        bool may_wait = form == Form::kPlain || form == Form::kSelect || form == Form::kSelector;
        std::string want = may_wait ? row.plain : row.with_default;
        if (want == kBlocks) {
          want = form != Form::kPlain  ? "blocks: select"
                 : row.op == Op::kSend ? "blocks: chan send"
                                       : "blocks: chan receive";
          if (form == Form::kPlain && !ch) want += " (nil chan)";
        }
        EXPECT_EQ(Outcome(ch, row.op, form), want)
            << row.state << ", op " << static_cast<int>(row.op) << ", form "
            << static_cast<int>(form);
      }
    }
  });
}

TEST(ChanTest, TableOfClose) {
  InGort([] {
    for (const State& s : States()) {
      std::string want = "closed";
      if (s.name == "nil") want = "panic: close of nil channel";
      if (s.name.starts_with("closed")) want = "panic: close of closed channel";
      EXPECT_EQ(Outcome(s.ch, Op::kClose, Form::kPlain), want) << s.name;
    }
  });
}

TEST(ChanTest, TableOfLenAndCap) {
  struct Want {
    const char* state;
    size_t len, cap;
  };
  const std::vector<Want> rows = {{"nil", 0, 0},
                                  {"empty", 0, 1},
                                  {"unbuffered", 0, 0},
                                  {"full", 1, 1},
                                  {"half", 1, 2},
                                  {"closed", 0, 1},
                                  {"closed half", 1, 2},
                                  {"sender waits", 0, 0},
                                  {"receiver waits", 0, 0},
                                  {"sender waits behind a full buffer", 1, 1}};
  InGort([&] {
    for (const Want& row : rows) {
      for (const State& s : States()) {
        if (s.name != row.state) continue;
        EXPECT_EQ(s.ch.Len(), row.len) << row.state;
        EXPECT_EQ(s.ch.Cap(), row.cap) << row.state;
      }
    }
  });
}

TEST(ChanTest, CloseWakesAllWaiters) {
  InGort([] {
    Chan<int> ch = MakeChan<int>();
    std::atomic<int> ends{0};
    std::vector<Probe> receivers;
    for (int i = 0; i < 10; ++i) {
      receivers.emplace_back([&, ch] {
        if (!ch.Recv().has_value()) ++ends;
      });
    }
    ch.Close();
    for (Probe& p : receivers) EXPECT_TRUE(p.Finish());
    EXPECT_EQ(ends, 10);

    Chan<int> full = MakeChan<int>(1);
    full.Send(0);
    std::atomic<int> panics{0};
    std::vector<Probe> senders;
    for (int i = 0; i < 10; ++i) {
      senders.emplace_back([&, full] {
        try {
          full.Send(1);
        } catch (const Panic& e) {
          if (std::string(e.what()) == "send on closed channel") ++panics;
        }
      });
    }
    full.Close();
    for (Probe& p : senders) EXPECT_TRUE(p.Finish());
    EXPECT_EQ(panics, 10);
    EXPECT_EQ(full.Recv(), 0);
    EXPECT_EQ(full.Recv(), std::nullopt);
  });
}

TEST(ChanTest, WaitersAreServedInOrder) {
  InGort([] {
    Chan<int> ch = MakeChan<int>();
    std::vector<Probe> senders;
    for (int i = 0; i < 20; ++i) senders.emplace_back([=] { ch.Send(i); });
    for (int i = 0; i < 20; ++i) EXPECT_EQ(ch.Recv(), i);

    std::vector<int> got(20, -1);
    std::vector<Probe> receivers;
    for (int i = 0; i < 20; ++i) receivers.emplace_back([&, i] { got[i] = *ch.Recv(); });
    for (int i = 0; i < 20; ++i) ch.Send(i);
    for (Probe& p : receivers) ASSERT_TRUE(p.Finish());
    for (int i = 0; i < 20; ++i) EXPECT_EQ(got[i], i);
  });
}

TEST(ChanTest, BufferKeepsOrderPastBlockedSenders) {
  InGort([] {
    Chan<int> ch = MakeChan<int>(3);
    for (int i = 0; i < 3; ++i) ch.Send(i);
    std::vector<Probe> senders;
    for (int i = 3; i < 9; ++i) senders.emplace_back([=] { ch.Send(i); });
    for (int i = 0; i < 9; ++i) EXPECT_EQ(ch.Recv(), i);
    EXPECT_EQ(ch.Len(), 0u);
  });
}

TEST(ChanTest, RangeEndsWhenClosedAndDrained) {
  InGort([] {
    Chan<int> ch = MakeChan<int>(4);
    Go([ch] {
      for (int i = 1; i <= 100; ++i) ch.Send(i);
      ch.Close();
    });
    int sum = 0;
    for (int v : ch) sum += v;
    EXPECT_EQ(sum, 5050);
    for (int v : RecvChan<int>(ch)) FAIL() << v;
  });
}

TEST(ChanTest, HandlesShareTheChannel) {
  InGort([] {
    Chan<int> a = MakeChan<int>(1);
    Chan<int> b = a;
    Chan<int> other = MakeChan<int>(1);
    EXPECT_TRUE(a == b);
    EXPECT_FALSE(a == other);
    EXPECT_TRUE(Chan<int>() == nullptr);
    EXPECT_FALSE(static_cast<bool>(Chan<int>()));
    a.Send(7);
    EXPECT_EQ(b.Recv(), 7);
    Chan<int> c = std::move(b);
    EXPECT_FALSE(static_cast<bool>(b));  // NOLINT: moved from means nil
    EXPECT_TRUE(c == a);
    c = other;
    EXPECT_TRUE(c == other);
    const Chan<int>& same = c;
    c = same;
    EXPECT_TRUE(c == other);
  });
}

template <class C>
concept CanSend = requires(C c) {
  c.Send(1);
};
template <class C>
concept CanRecv = requires(C c) {
  c.Recv();
};
template <class C>
concept CanClose = requires(C c) {
  c.Close();
};

TEST(ChanTest, ViewsGoOneWay) {
  static_assert(CanSend<Chan<int>> && CanRecv<Chan<int>> && CanClose<Chan<int>>);
  static_assert(CanSend<SendChan<int>> && !CanRecv<SendChan<int>> && CanClose<SendChan<int>>);
  static_assert(!CanSend<RecvChan<int>> && CanRecv<RecvChan<int>> && !CanClose<RecvChan<int>>);
  static_assert(!std::is_convertible_v<RecvChan<int>, SendChan<int>>);
  static_assert(!std::is_convertible_v<SendChan<int>, Chan<int>>);
  InGort([] {
    Chan<int> ch = MakeChan<int>(2);
    SendChan<int> in = ch;
    RecvChan<int> out = ch;
    EXPECT_TRUE(in == ch);
    EXPECT_TRUE(ch == out);
    in.Send(1);
    EXPECT_TRUE(in.TrySend(2));
    EXPECT_FALSE(in.TrySend(3));
    EXPECT_EQ(in.Len(), 2u);
    EXPECT_EQ(out.Cap(), 2u);
    int v = 0;
    EXPECT_EQ(out.TryRecv(&v), RecvState::kValue);
    EXPECT_EQ(v, 1);
    in.Close();
    EXPECT_EQ(out.Recv(), 2);
    EXPECT_EQ(out.TryRecv(&v), RecvState::kClosed);
    EXPECT_EQ(v, 1);
    EXPECT_EQ(out.TryRecv(nullptr), RecvState::kClosed);
  });
}

TEST(ChanTest, TooLargeCapacityPanics) {
  InGort([] {
    try {
      MakeChan<int>(std::numeric_limits<size_t>::max() / 2);
      FAIL();
    } catch (const Panic& e) {
      EXPECT_STREQ(e.what(), "makechan: size out of range");
    }
    EXPECT_EQ(MakeChan<Unit>(std::numeric_limits<size_t>::max()).Cap(),
              std::numeric_limits<size_t>::max());
  });
}

TEST(ChanTest, UnbufferedIsARendezvous) {
  InGort([] {
    Chan<int> ch = MakeChan<int>();
    Probe sender([ch] { ch.Send(1); });
    EXPECT_EQ(sender.Waits(), "chan send");
    EXPECT_EQ(ch.Recv(), 1);
    EXPECT_TRUE(sender.Finish());
  });
}

}  // namespace
}  // namespace gort
