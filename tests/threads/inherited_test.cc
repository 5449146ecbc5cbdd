// What a thread passes on to the threads that it creates stays with whoever changed it.
#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <atomic>
#include <thread>

#include "gort/runtime.h"
#include "gort/sync/sync.h"

namespace threads {
namespace {

// A new thread inherits its creator's timer slack, as it does affinity, namespaces and ids; unlike
// these it can be changed on any machine.
constexpr unsigned long kMarked = 12'345'678;

void MarkThread() { ASSERT_EQ(prctl(PR_SET_TIMERSLACK, kMarked, 0, 0, 0), 0); }
bool Marked() { return prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) == static_cast<int>(kMarked); }

// Keeps more threads in blocking calls than the process has, so that the runtime must make new
// ones, and counts those that are marked.
class Crowd {
 public:
  explicit Crowd(int size) : size_(size) { group_.Add(size); }
  // Any thread.
  void Start() {
    for (int i = 0; i < size_; ++i) {
      gort::Go([this] {
        gort::Blocking([this] { Stand(); });
        group_.Done();
      });
    }
  }
  // A goroutine.
  void Wait() { group_.Wait(); }
  int marked() const { return marked_.load(); }

 private:
  void Stand() {
    if (Marked()) marked_.fetch_add(1);
    inside_.fetch_add(1);
    while (inside_.load() < size_) std::this_thread::yield();
  }

  const int size_;
  std::atomic<int> inside_{0};
  std::atomic<int> marked_{0};
  gort::WaitGroup group_;
};

TEST(InheritedTest, AWiredGoroutineMarksNoOtherThread) {
  gort::Run([] {
    gort::WaitGroup wired;
    wired.Go([] {
      gort::LockOSThread();  // and never unlocked: the marked thread ends with the goroutine
      MarkThread();
      Crowd crowd(20);
      crowd.Start();
      crowd.Wait();
      EXPECT_TRUE(Marked());
      EXPECT_EQ(crowd.marked(), 0);
    });
    wired.Wait();
    return 0;
  });
}

TEST(InheritedTest, AThreadOfTheProgramMarksNoThreadOfTheRuntime) {
  gort::Run([] {
    Crowd crowd(60);
    std::thread thread([&] {
      MarkThread();
      crowd.Start();
    });
    crowd.Wait();
    thread.join();
    EXPECT_EQ(crowd.marked(), 0);
    return 0;
  });
}

}  // namespace
}  // namespace threads
