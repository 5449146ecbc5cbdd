// A program that links //malloc:override. The checks on who serves an allocation are left out under
// the sanitizers, which keep their own malloc; the rest runs everywhere.
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/malloc/malloc.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

// clang declares the sized forms only when asked to.
void operator delete(void*, size_t) noexcept;
void operator delete[](void*, size_t) noexcept;
void operator delete(void*, size_t, std::align_val_t) noexcept;
void operator delete[](void*, size_t, std::align_val_t) noexcept;

namespace gort {
namespace {

constexpr bool kOverridden = !GORT_ASAN && !GORT_TSAN;

// Keeps the compiler from removing a pair of malloc and free.
template <class T>
T* Escape(T* p) {
  asm volatile("" : "+r"(p));
  return p;
}

// Allocated before main.
const std::string* const early = Escape(new std::string(1000, 'e'));

uint64_t InUse() { return malloc::ReadStats().in_use; }

TEST(OverrideTest, ServesTheWholeProgram) {
  if (!kOverridden) GTEST_SKIP();
  uint64_t before = InUse();
  void* p = Escape(::malloc(10'000));
  EXPECT_GE(InUse(), before + 10'000);
  EXPECT_EQ(malloc::UsableSize(p), malloc_usable_size(p));
  ::free(p);
  EXPECT_EQ(InUse(), before);
  char* text = strdup("allocated inside the C library");
  EXPECT_GE(malloc::UsableSize(text), 30u);  // fatal if it were not ours
  ::free(text);
  EXPECT_GE(malloc::UsableSize(early), sizeof(std::string));
}

TEST(OverrideTest, CFamily) {
  for (size_t n : {0, 1, 7, 8, 100, 5000, 100'000}) {
    char* p = static_cast<char*>(Escape(::malloc(n)));
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % (n > 8 ? 16 : 8), 0u);
    memset(p, 7, n);
    p = static_cast<char*>(::realloc(p, 3 * n + 1));
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(p[i], 7);
    p = static_cast<char*>(::realloc(p, n / 4 + 1));
    for (size_t i = 0; i < n / 4; ++i) ASSERT_EQ(p[i], 7);
    ::free(p);
    p = static_cast<char*>(Escape(::calloc(n, 3)));
    for (size_t i = 0; i < 3 * n; ++i) ASSERT_EQ(p[i], 0);
    ::free(p);
  }
  ::free(nullptr);
  void* p = nullptr;
  ASSERT_EQ(posix_memalign(&p, 4096, 10), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 4096, 0u);
  ::free(p);
  if (kOverridden) {  // asan's dies instead
    EXPECT_EQ(posix_memalign(&p, 24, 10), EINVAL);
    EXPECT_EQ(posix_memalign(&p, 2, 10), EINVAL);
    volatile size_t bad = 24;
    EXPECT_EQ(Escape(aligned_alloc(bad, 48)), nullptr);
  }
  p = Escape(aligned_alloc(256, 512));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 256, 0u);
  ::free(p);
  p = Escape(memalign(1 << 20, 5));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % (1 << 20), 0u);
  ::free(p);
  p = Escape(valloc(1));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % static_cast<size_t>(getpagesize()), 0u);
  ::free(p);
  p = Escape(pvalloc(1));
  EXPECT_GE(malloc_usable_size(p), static_cast<size_t>(getpagesize()));
  ::free(p);
  p = Escape(reallocarray(nullptr, 10, 10));
  EXPECT_NE(p, nullptr);
  ::free(p);
}

TEST(OverrideTest, OutOfMemory) {
  if (!kOverridden) GTEST_SKIP();
  volatile size_t huge = SIZE_MAX / 2;
  errno = 0;
  EXPECT_EQ(Escape(::malloc(huge)), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(Escape(::calloc(huge, huge)), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(reallocarray(nullptr, huge, 4), nullptr);
  void* p = ::malloc(10);
  void* same = Escape(p);
  EXPECT_EQ(Escape(::realloc(p, huge)), nullptr);
  ::free(same);  // a realloc that fails leaves the block alone
  EXPECT_THROW(Escape(::operator new(huge)), std::bad_alloc);
  EXPECT_EQ(Escape(::operator new(huge, std::nothrow)), nullptr);
  EXPECT_THROW(Escape(::operator new (huge, std::align_val_t{64})), std::bad_alloc);
}

int handler_calls = 0;
TEST(OverrideTest, NewHandler) {
  if (!kOverridden) GTEST_SKIP();
  volatile size_t huge = SIZE_MAX / 2;
  std::set_new_handler([] {
    if (++handler_calls == 3) std::set_new_handler(nullptr);
  });
  EXPECT_THROW(Escape(::operator new(huge)), std::bad_alloc);
  EXPECT_EQ(handler_calls, 3);
  std::set_new_handler([] { throw std::bad_alloc(); });
  EXPECT_EQ(Escape(::operator new[](huge, std::nothrow)), nullptr);
  std::set_new_handler(nullptr);
}

TEST(OverrideTest, EveryFormOfNewAndDelete) {
  constexpr std::align_val_t kAlign{256};
  const uint64_t before = InUse();
  ::operator delete(Escape(::operator new(1)));
  ::operator delete[](Escape(::operator new[](1)));
  ::operator delete (Escape(::operator new(100)), size_t{100});
  ::operator delete[](Escape(::operator new[](100)), size_t{100});
  ::operator delete(Escape(::operator new(100, std::nothrow)), std::nothrow);
  ::operator delete[](Escape(::operator new[](100, std::nothrow)), std::nothrow);
  void* p = Escape(::operator new(100, kAlign));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 256, 0u);
  ::operator delete(p, kAlign);
  ::operator delete[](Escape(::operator new[](100, kAlign)), kAlign);
  ::operator delete (Escape(::operator new(100, kAlign)), size_t{100}, kAlign);
  ::operator delete[](Escape(::operator new[](100, kAlign)), size_t{100}, kAlign);
  ::operator delete(Escape(::operator new(100, kAlign, std::nothrow)), kAlign, std::nothrow);
  ::operator delete[](Escape(::operator new[](100, kAlign, std::nothrow)), kAlign, std::nothrow);
  EXPECT_EQ(InUse(), before);
}

TEST(OverrideTest, TheStandardLibraryOnThreads) {
  std::vector<std::thread> threads;
  std::atomic<size_t> total{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&total, t] {
      std::map<std::string, std::vector<std::string>> m;
      for (int i = 0; i < 3000; ++i) {
        std::ostringstream key;
        key << "thread " << t << " key number " << i % 100;
        m[key.str()].push_back(std::string(static_cast<size_t>(i % 300), 'x'));
      }
      static thread_local std::unique_ptr<std::string> last;
      last = std::make_unique<std::string>("freed by a thread_local destructor");
      for (auto& [k, v] : m) total += v.size();
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(total.load(), 12'000u);
}

// More keys than the C library has room for in the thread's descriptor: pthread_setspecific itself
// then calls calloc.
TEST(OverrideTest, ManyThreadKeys) {
  std::vector<pthread_key_t> keys(100);
  for (auto& k : keys) ASSERT_EQ(pthread_key_create(&k, [](void* p) { ::free(p); }), 0);
  std::thread([&] {
    for (auto k : keys) pthread_setspecific(k, ::malloc(50));
  }).join();
  for (auto k : keys) pthread_key_delete(k);
}

TEST(OverrideTest, ForkWhileOthersAllocate) {
  if (!kOverridden) GTEST_SKIP() << "the sanitizers' allocators do not survive this fork";
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&stop] {
      while (!stop.load(std::memory_order_relaxed)) {
        std::vector<std::string> v;
        for (size_t i = 0; i < 200; ++i) v.push_back(std::string(i * 37 % 9000, 'y'));
      }
    });
  }
  // qemu-user cannot start a thread in the child of a process that had several.
  const bool emulated = testing::Emulated();
  for (int i = 0; i < 30; ++i) {
    pid_t pid = fork();
    if (pid == 0) {
      alarm(60);  // a lock left behind would otherwise hang the test
      for (size_t n = 1; n < 200'000; n = n * 3 / 2 + 1) ::free(Escape(::malloc(n)));
      if (!emulated) std::thread([] { delete Escape(new std::string(5000, 'z')); }).join();
      malloc::ReleaseFreeMemory();
      _exit(17);
    }
    ASSERT_GT(pid, 0);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 17);
  }
  stop.store(true, std::memory_order_relaxed);
  for (auto& t : threads) t.join();
}

TEST(OverrideTest, ChildProcessByExec) {
  FILE* f = popen("echo works", "r");
  ASSERT_NE(f, nullptr);
  char line[32] = {};
  EXPECT_NE(fgets(line, sizeof line, f), nullptr);
  EXPECT_STREQ(line, "works\n");
  EXPECT_EQ(pclose(f), 0);
}

}  // namespace
}  // namespace gort
