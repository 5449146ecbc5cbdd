// tests/anycode/glib.cc: GLib's locks and queues, and a main loop for each worker.
#include <glib.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/patterns.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

class Mutex {
 public:
  Mutex() { g_mutex_init(&mutex_); }
  ~Mutex() { g_mutex_clear(&mutex_); }
  void lock() { g_mutex_lock(&mutex_); }
  void unlock() { g_mutex_unlock(&mutex_); }

 private:
  GMutex mutex_;
};

class RecMutex {
 public:
  RecMutex() { g_rec_mutex_init(&mutex_); }
  ~RecMutex() { g_rec_mutex_clear(&mutex_); }
  void lock() {
    g_rec_mutex_lock(&mutex_);
    g_rec_mutex_lock(&mutex_);
  }
  void unlock() {
    g_rec_mutex_unlock(&mutex_);
    g_rec_mutex_unlock(&mutex_);
  }

 private:
  GRecMutex mutex_;
};

class CondCourt {
 public:
  CondCourt() {
    g_mutex_init(&mutex_);
    for (GCond& c : conditions_) g_cond_init(&c);
  }
  ~CondCourt() {
    for (GCond& c : conditions_) g_cond_clear(&c);
    g_mutex_clear(&mutex_);
  }
  void Post(int side, int64_t v) {
    g_mutex_lock(&mutex_);
    values_[side] = v;
    full_[side] = true;
    g_cond_signal(&conditions_[side]);
    g_mutex_unlock(&mutex_);
  }
  int64_t Wait(int side) {
    g_mutex_lock(&mutex_);
    while (!full_[side]) g_cond_wait(&conditions_[side], &mutex_);
    full_[side] = false;
    const int64_t v = values_[side];
    g_mutex_unlock(&mutex_);
    return v;
  }

 private:
  GMutex mutex_;
  GCond conditions_[2];
  bool full_[2] = {};
  int64_t values_[2] = {};
};

class AsyncQueueCourt {
 public:
  ~AsyncQueueCourt() {
    for (GAsyncQueue* q : queues_) g_async_queue_unref(q);
  }
  void Post(int side, int64_t v) {
    // Null is no value.
    g_async_queue_push(queues_[side], reinterpret_cast<void*>(v + 2));
  }
  int64_t Wait(int side) { return reinterpret_cast<int64_t>(g_async_queue_pop(queues_[side])) - 2; }

 private:
  GAsyncQueue* queues_[2] = {g_async_queue_new(), g_async_queue_new()};
};

// A loop that the worker runs until a timer, an idle function and a thread's call have been there.
Task MainLoop(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      struct State {
        GMainLoop* loop;
        int idle = 0, rung = 0;
        std::atomic<int> called{0};
        void QuitIfDone() {
          if (idle == 10 && rung == 1 && called.load() == 1) g_main_loop_quit(loop);
        }
      };
      GMainContext* context = g_main_context_new();
      g_main_context_push_thread_default(context);
      State state{g_main_loop_new(context, FALSE)};
      const auto attach = [context, &state](GSource* source, GSourceFunc f) {
        g_source_set_callback(source, f, &state, nullptr);
        g_source_attach(source, context);
        g_source_unref(source);
      };
      attach(g_idle_source_new(), [](void* p) -> gboolean {
        auto* s = static_cast<State*>(p);
        Burn(2);
        ++s->idle;
        s->QuitIfDone();
        return s->idle < 10 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
      });
      attach(g_timeout_source_new(1), [](void* p) -> gboolean {
        auto* s = static_cast<State*>(p);
        ++s->rung;
        s->QuitIfDone();
        return G_SOURCE_REMOVE;
      });
      attach(g_timeout_source_new(2), [](void* p) -> gboolean {
        auto* s = static_cast<State*>(p);
        s->called.store(1);
        s->QuitIfDone();
        return G_SOURCE_REMOVE;
      });
      Expect(g_main_context_get_thread_default() == context, "the thread's main context");
      g_main_loop_run(state.loop);
      ExpectEq(10, state.idle, "calls of the idle function");
      Expect(g_main_context_get_thread_default() == context, "the thread's main context");
      g_main_context_pop_thread_default(context);
      g_main_loop_unref(state.loop);
      g_main_context_unref(context);
    }
  }};
}

// One pool for all, with threads of its own.
Task ThreadPool(int) {
  struct Job {
    std::atomic<int> left{20};
    GAsyncQueue* done = g_async_queue_new();
  };
  const auto run = [](void* p, void*) {
    auto* job = static_cast<Job*>(p);
    Burn(5);
    // The last: nobody else looks at the job.
    if (job->left.fetch_sub(1) == 1) g_async_queue_push(job->done, job);
  };
  std::shared_ptr<GThreadPool> pool(g_thread_pool_new(run, nullptr, 4, FALSE, nullptr),
                                    [](GThreadPool* p) { g_thread_pool_free(p, FALSE, TRUE); });
  return {[pool](Worker& w) {
    while (w.Next()) {
      Job job;
      for (int i = 0; i < 20; ++i) g_thread_pool_push(pool.get(), &job, nullptr);
      Expect(g_async_queue_pop(job.done) == &job, "the job");
      ExpectEq(0, job.left.load(), "what is left of the job");
      g_async_queue_unref(job.done);
    }
  }};
}

Task Private(int) {
  static GPrivate key = G_PRIVATE_INIT(g_free);
  return {[](Worker& w) {
    while (w.Next()) {
      g_private_replace(&key, g_strdup_printf("%d", w.index()));
      Burn(50);
      Expect(std::to_string(w.index()) == static_cast<char*>(g_private_get(&key)), "the private");
    }
  }};
}

Task HashAndStrings(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      GHashTable* table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, nullptr);
      for (int64_t i = 1; i <= 50; ++i) {
        g_hash_table_insert(table, g_strdup_printf("%d-%d", w.index(), static_cast<int>(i)),
                            reinterpret_cast<void*>(i));
      }
      int64_t sum = 0;
      GHashTableIter at;
      void* key = nullptr;
      void* value = nullptr;
      g_hash_table_iter_init(&at, table);
      while (g_hash_table_iter_next(&at, &key, &value)) sum += reinterpret_cast<int64_t>(value);
      ExpectEq(1275, sum, "the sum");
      g_hash_table_unref(table);
      const std::string again = "interned";
      Expect(g_intern_string(again.c_str()) == g_intern_static_string("interned"), "an interned");
    }
  }};
}

}  // namespace

Family Glib() {
  return {"glib",
          {{"glib_mutex", Exclusive<Mutex>},
           {"glib_rec_mutex", Exclusive<RecMutex>},
           {"glib_cond", PingPong<CondCourt>},
           {"glib_async_queue", PingPong<AsyncQueueCourt>},
           {"glib_main_loop", MainLoop},
           {"glib_thread_pool", ThreadPool},
           {"glib_private", Private},
           {"glib_hash_table", HashAndStrings}}};
}

}  // namespace anycode
