// Events that are told late: the goroutine that they are about has gone on.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "gort/gmp/trace_hook.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/tests/support/goroutines.h"
#include "gort/trace/testing/decoded.h"
#include "gort/trace/trace.h"

namespace gort::rt {
namespace {

using testing::DecodedTrace;
using testing::DecodeTraceFile;
using testing::Eventually;
using testing::Inconsistency;
using testing::InGort;
using testing::Overlap;
using testing::Procs;

// The recorder's, which stands behind Late.
std::atomic<void (*)(P*, TraceEv, G*, uint64_t)> record{nullptr};
std::atomic<G*> caller{nullptr};   // the goroutine in the call
std::atomic<P*> left{nullptr};     // the P that it left in it
std::atomic<bool> taken{false};    // from the call
std::atomic<bool> went_on{false};  // the caller, on another P
std::atomic<bool> told{false};     // that the P was taken
int end_of_call[2];                // a pipe

bool GoesOn(TraceEv ev) { return ev == TraceEv::kSysExit || ev == TraceEv::kGoStart; }

// Tells that the P was taken from the call only when the caller has a turn on another one.
void Late(P* pp, TraceEv ev, G* gp, uint64_t arg) {
  const bool about_caller = gp != nullptr && gp == caller.load();
  if (about_caller && ev == TraceEv::kSysEnter) left = pp;
  if (ev == TraceEv::kSysBlock && pp == left.load() && !taken.exchange(true)) {
    EXPECT_EQ(write(end_of_call[1], "x", 1), 1);
    while (!went_on) sched_yield();
    record.load()(pp, ev, gp, arg);
    told = true;
    return;
  }
  record.load()(pp, ev, gp, arg);
  if (about_caller && GoesOn(ev) && taken) went_on = true;
}

TEST(LateEvents, ATurnEndsWhereThePIsTakenAndNotWhereThatIsTold) {
  Procs three(3);  // one for the test, one to be taken, one to go on with
  ASSERT_EQ(pipe(end_of_call), 0);
  const std::string path = ::testing::TempDir() + "/late.trace";
  InGort([&] {
    ASSERT_TRUE(trace::Start(path).ok());
    record = trace_hook.Get();
    trace_hook.Set(&Late);
    std::atomic<bool> done{false};
    Go([&] {
      caller = CurrentG();
      char c = 0;
      Blocking([&] { EXPECT_EQ(read(end_of_call[0], &c, 1), 1); });
      done = true;
    });
    EXPECT_TRUE(Eventually([&] { return done && told; }));
    trace_hook.Set(record.load());
    ASSERT_TRUE(trace::Stop().ok());
  });
  const DecodedTrace t = DecodeTraceFile(path);
  unlink(path.c_str());
  ASSERT_EQ(Inconsistency(t), "");
  EXPECT_TRUE(t.Named("lost events").empty());
  EXPECT_EQ(Overlap(t), "");
}

}  // namespace
}  // namespace gort::rt
