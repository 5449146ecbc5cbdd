// A program that the system refuses memory or a thread does its work without, or ends with one
// message that names what it lacked. It does not crash, hang or go wrong.
// What      each scenario runs again and again. In run n the n-th call of one kind fails: alone, or
//           with all that follow. n goes up to 200, or until a run makes fewer calls; of those above
//           16 each is a quarter larger than the last. With GORT_SHORTAGE_ALL=1 all are tried.
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <tuple>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/tests/support/child.h"
#include "gort/tests/support/faulty_child.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::Fault;
using testing::FaultyResult;

constexpr char kProgram[] = "tests/shortage/scenarios";
#if GORT_ASAN || GORT_TSAN
constexpr bool kSanitized = true;  // whose own memory fails first
#else
constexpr bool kSanitized = false;
#endif

struct Kind {
  const char* name;
  std::vector<int> calls;
  int error;
};

const Kind kKinds[] = {
    {"mmap", {SYS_mmap}, ENOMEM},
    {"mprotect", {SYS_mprotect}, ENOMEM},
    {"madvise", {SYS_madvise, SYS_process_madvise}, ENOMEM},
    {"clone", {SYS_clone, SYS_clone3}, EAGAIN},
};

int Count(const std::string& text, const std::string& what) {
  int n = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++n;
  return n;
}

bool Has(const std::string& text, const char* what) { return Count(text, what) != 0; }

// What is wrong with how a program ended; nothing: "".
std::string Verdict(int status, const std::string& output) {
  switch (status) {
    case 0:  // perhaps while another thread was about to end the program
      return Has(output, "done\n") && !Has(output, "wrong") ? "" : "wrong output";
    case 2: {
      if (Count(output, "fatal error: ") + Count(output, "panic: ") != 1) return "not one message";
      const bool named = Has(output, "fatal error: out of memory (") ||
                         Has(output, "fatal error: newosproc") || Has(output, "bad_alloc");
      return named ? "" : "a message that does not name the lack";
    }
    case 134:  // of the program's own main thread, before there are goroutines
      return Count(output, "bad_alloc") == 1 ? "" : "an abort without a reason";
    case 127:  // the C library's, before the program begins
      return Has(output, "Fatal glibc error: ") || Has(output, "error while loading")
                 ? ""
                 : "an end without a reason";
    default:
      return "status";
  }
}

constexpr long kLargest = 200;

long After(long n) {
  return n < 16 || std::getenv("GORT_SHORTAGE_ALL") != nullptr ? n + 1 : n + n / 4;
}

class ShortageTest : public ::testing::TestWithParam<std::tuple<const char*, int, bool>> {};

TEST_P(ShortageTest, EndsClearlyOrGoesOn) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer has a memory of its own";
  const auto [scenario, kind, later_too] = GetParam();
  const Kind& k = kKinds[kind];
  for (long n = 1; n <= kLargest; n = After(n)) {
    FaultyResult r;
    const Fault fault{k.calls, n, later_too, k.error};
    if (!testing::RunFaulty(kProgram, {scenario}, fault, &r)) GTEST_SKIP() << "no seccomp here";
    EXPECT_FALSE(r.late) << "n = " << n << ": it hangs\n" << r.child.output;
    const std::string wrong = Verdict(r.child.status, r.child.output);
    EXPECT_EQ(wrong, "") << "n = " << n << ", status " << r.child.status << "\n" << r.child.output;
    if (r.late || r.calls < n) break;  // it does not make so many
  }
}

std::string NameOf(const ::testing::TestParamInfo<ShortageTest::ParamType>& info) {
  return std::string(std::get<0>(info.param)) + "_" + kKinds[std::get<1>(info.param)].name +
         (std::get<2>(info.param) ? "_from" : "_at");
}

constexpr const char* kScenarios[] = {"hello",  "goroutines", "channels",
                                      "malloc", "threads",    "timers"};

INSTANTIATE_TEST_SUITE_P(All, ShortageTest,
                         ::testing::Combine(::testing::ValuesIn(kScenarios), ::testing::Range(0, 4),
                                            ::testing::Bool()),
                         NameOf);

// RLIMIT_DATA charges what is private and writable, as strict overcommit does.
class LimitTest : public ::testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(LimitTest, EndsClearlyOrGoesOn) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer has a memory of its own";
  const auto [scenario, resource] = GetParam();
  int done = 0;
  for (uint64_t bytes = uint64_t{1} << 20; bytes <= uint64_t{1} << 36; bytes *= 2) {
    FaultyResult r;
    Fault fault;
    fault.calls = {SYS_mmap, SYS_mprotect, SYS_exit_group};
    fault.limits = {{resource, bytes}};
    if (!testing::RunFaulty(kProgram, {scenario}, fault, &r)) GTEST_SKIP() << "no seccomp here";
    if (r.calls == 0) continue;  // too little for the kernel to load the program
    EXPECT_FALSE(r.late) << bytes << ": it hangs\n" << r.child.output;
    const std::string wrong = Verdict(r.child.status, r.child.output);
    EXPECT_EQ(wrong, "") << bytes << ", status " << r.child.status << "\n" << r.child.output;
    done += r.child.status == 0 ? 1 : 0;
  }
  EXPECT_GT(done, 0);
}

INSTANTIATE_TEST_SUITE_P(All, LimitTest,
                         ::testing::Combine(::testing::ValuesIn(kScenarios),
                                            ::testing::Values(int{RLIMIT_AS}, int{RLIMIT_DATA})),
                         [](const ::testing::TestParamInfo<LimitTest::ParamType>& info) {
                           return std::string(std::get<0>(info.param)) +
                                  (std::get<1>(info.param) == RLIMIT_AS ? "_AS" : "_DATA");
                         });

}  // namespace
}  // namespace gort
