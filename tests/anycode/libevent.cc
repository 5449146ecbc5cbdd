// tests/anycode/libevent.cc: an event base for each worker, and one that takes calls from all.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/thread.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

// A timer, and bytes through a pair of sockets.
Task OneEach(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      struct State {
        event_base* base = event_base_new();
        int rung = 0;
        std::string got;
        void QuitIfDone() {
          if (rung == 1 && got.size() == 1000) event_base_loopbreak(base);
        }
      } state;
      bufferevent* pair[2];
      ExpectEq(0, bufferevent_pair_new(state.base, BEV_OPT_CLOSE_ON_FREE, pair), "pair_new");
      const std::string sent(1000, static_cast<char>('a' + w.index() % 26));
      bufferevent_setcb(
          pair[1],
          [](bufferevent* b, void* p) {
            auto* s = static_cast<State*>(p);
            char bytes[300];
            size_t n = 0;
            while ((n = bufferevent_read(b, bytes, sizeof(bytes))) > 0) s->got.append(bytes, n);
            s->QuitIfDone();
          },
          nullptr, nullptr, &state);
      bufferevent_enable(pair[1], EV_READ);
      bufferevent_enable(pair[0], EV_WRITE);
      ExpectEq(0, bufferevent_write(pair[0], sent.data(), sent.size()), "bufferevent_write");
      event* timer = evtimer_new(
          state.base,
          [](evutil_socket_t, int16_t, void* p) {
            auto* s = static_cast<State*>(p);
            ++s->rung;
            s->QuitIfDone();
          },
          &state);
      const timeval soon = {0, 1000};
      ExpectEq(0, evtimer_add(timer, &soon), "evtimer_add");
      event_base_dispatch(state.base);
      ExpectEq(1, state.rung, "the timer's rings");
      Expect(state.got == sent, "what came through the pair");
      event_free(timer);
      for (bufferevent* b : pair) bufferevent_free(b);
      event_base_free(state.base);
    }
  }};
}

// A thread runs a base, and all workers make it call back.
class SharedBase {
 public:
  SharedBase() {
    evthread_use_pthreads();
    base_ = event_base_new();
    thread_ = std::thread([this] { event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY); });
  }
  ~SharedBase() {
    event_base_loopbreak(base_);
    thread_.join();
    event_base_free(base_);
  }
  void CallBack() {
    struct Call {
      SharedBase* all;
      std::mutex mutex;
      std::condition_variable condition;
      bool done = false;
    } call{this, {}, {}};
    ExpectEq(0,
             event_base_once(
                 base_, -1, EV_TIMEOUT,
                 [](evutil_socket_t, int16_t, void* p) {
                   auto* c = static_cast<Call*>(p);
                   c->all->guarded_.Visit(5);
                   std::lock_guard lock(c->mutex);
                   c->done = true;
                   c->condition.notify_one();
                 },
                 &call, nullptr),
             "event_base_once");
    std::unique_lock lock(call.mutex);
    call.condition.wait(lock, [&call] { return call.done; });
  }
  int64_t calls() const { return guarded_.entered(); }

 private:
  event_base* base_;
  std::thread thread_;
  Guarded guarded_;
};

Task OneForAll(int) {
  auto base = std::make_shared<SharedBase>();
  return {[base](Worker& w) {
            while (w.Next()) base->CallBack();
          },
          [base](int64_t ops) { ExpectEq(ops, base->calls(), "calls"); }};
}

}  // namespace

Family Libevent() {
  return {"libevent", {{"event_one_each", OneEach}, {"event_one_for_all", OneForAll}}};
}

}  // namespace anycode
