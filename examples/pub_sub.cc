// examples/pub_sub.cc: publishers, subscribers, and a broker between them that owns the lists.
//
// The broker is a goroutine that owns the lists of subscribers, so there is no lock. A subscription
// ends with its context. The broker waits for that end in the same select in which it delivers, so a
// subscriber that has gone holds up nobody.
#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/gort.h"

DEFINE_int32(topics, 3, "topics; each has a publisher");
DEFINE_int32(subscribers, 4, "subscribers of each topic");
DEFINE_int32(messages, 1000, "messages on each topic");

namespace {

bool FromZero(const char*, int32_t n) { return n >= 0; }
DEFINE_validator(topics, &FromZero);
DEFINE_validator(subscribers, &FromZero);
DEFINE_validator(messages, &FromZero);

struct Message {
  int32_t topic;
  int64_t body;
};

struct Subscription {
  int32_t topic;
  gort::Chan<Message> inbox;
  gort::Context ctx;  // when it ends the subscription does
};

class Broker {
 public:
  Broker() {
    gort::Go([requests = requests_, in = in_] { Serve(requests, in); });
  }

  // Messages of a topic from now on, until ctx ends or the broker closes.
  gort::RecvChan<Message> Subscribe(const gort::Context& ctx, int32_t topic) const {
    gort::Chan<Message> inbox = gort::MakeChan<Message>(16);
    requests_.Send({topic, inbox, ctx});
    return inbox;
  }
  void Publish(Message m) const { in_.Send(m); }
  // Closes every inbox once what was published is delivered.
  void Close() const { in_.Close(); }

 private:
  static void Serve(const gort::RecvChan<Subscription>& requests,
                    const gort::RecvChan<Message>& in) {
    std::map<int32_t, std::vector<Subscription>> topics;
    for (bool open = true; open;) {
      gort::Select(gort::OnRecv(requests,
                                [&](std::optional<Subscription> s) {
                                  topics[s->topic].push_back(std::move(*s));
                                }),
                   gort::OnRecv(in, [&](std::optional<Message> m) {
                     open = m.has_value();
                     if (open) Deliver(&topics[m->topic], *m);
                   }));
    }
    for (auto& [topic, list] : topics) {
      for (Subscription& s : list) s.inbox.Close();
    }
  }

  static void Deliver(std::vector<Subscription>* list, const Message& m) {
    std::erase_if(*list, [&](const Subscription& s) {
      if (gort::Select(gort::OnSend(s.inbox, m), gort::OnRecv(s.ctx.Done())) == 0) return false;
      s.inbox.Close();
      return true;
    });
  }

  gort::Chan<Subscription> requests_ = gort::MakeChan<Subscription>();
  gort::Chan<Message> in_ = gort::MakeChan<Message>();
};

}  // namespace

int gort_main(int argc, char** argv) {
  if (!apps::ParseFlags(argc, argv, "usage: pub_sub [flags]", __FILE__).empty()) {
    apps::BadUsage("there are no arguments");
  }
  auto [ctx, cancel] = gort::WithCancel(gort::Background());
  Broker broker;
  std::atomic<int64_t> received{0}, sum{0}, out_of_order{0}, early{0};
  gort::WaitGroup readers, writers;
  for (int32_t t = 0; t < FLAGS_topics; ++t) {
    for (int32_t i = 0; i < FLAGS_subscribers; ++i) {
      readers.Go([&, inbox = broker.Subscribe(ctx, t)] {
        int64_t last = 0;
        for (Message m : inbox) {
          if (m.body <= last) ++out_of_order;
          last = m.body;
          ++received;
          sum += m.body;
        }
      });
    }
    // A subscriber that reads one message, loses interest, and ends its context.
    auto [short_ctx, leave] = gort::WithCancel(ctx);
    readers.Go([&, inbox = broker.Subscribe(short_ctx, t), leave = leave] {
      if (inbox.Recv().has_value()) ++early;
      leave();
    });
  }
  for (int32_t t = 0; t < FLAGS_topics; ++t) {
    writers.Go([&, t] {
      for (int64_t k = 1; k <= FLAGS_messages; ++k) broker.Publish({t, k});
    });
  }
  writers.Wait();
  broker.Close();
  readers.Wait();
  cancel();
  std::printf("received %" PRId64 ", sum %" PRId64 ", out of order %" PRId64 ", left early %" PRId64
              "\n",
              received.load(), sum.load(), out_of_order.load(), early.load());
  return std::fflush(stdout) == 0 ? 0 : 1;
}
