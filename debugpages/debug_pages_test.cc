// The pages as a server gets them.
#include "gort/debugpages/debug_pages.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include "gort/chan/chan.h"
#include "gort/context/cancel_scope.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gort/timer/sleep.h"
#include "gort/trace/testing/decoded.h"
#include "gort/trace/trace.h"

GORT_TEST_LEAVES_GOROUTINES_BEHIND

namespace gort::debugpages {
namespace {

using ::gort::testing::DecodedTrace;
using ::gort::testing::DecodeTrace;
using ::gort::testing::Eventually;
using ::gort::testing::Inconsistency;
using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;

Response Get(std::string_view path, std::string_view query = "") {
  return DebugPages().Serve({path, query});
}

TEST(DebugPagesTest, TheIndexNamesEachPageAndTheyAreThere) {
  InGort([] {
    const DebugPages pages;
    for (const char* path : {"/debug", "/debug/"}) {
      EXPECT_TRUE(pages.Has(path));
      const Response index = pages.Serve({path, ""});
      EXPECT_EQ(index.status, 200);
      for (const char* page :
           {"/debug/goroutines", "/debug/leaks", "/debug/metrics", "/debug/trace"}) {
        EXPECT_NE(index.body.find("<a href=\"" + std::string(page) + "\">"), std::string::npos);
        EXPECT_TRUE(pages.Has(page));
      }
    }
  });
}

TEST(DebugPagesTest, WhatIsNoPageIsNotFound) {
  InGort([] {
    for (const char* path : {"", "/", "/debu", "/debugger", "/debug/none", "/debug//",
                             "/debug/trace/", "debug/trace", "/debug/metrics/x"}) {
      EXPECT_FALSE(DebugPages().Has(path)) << path;
      EXPECT_EQ(Get(path).status, 404) << path;
    }
  });
}

TEST(DebugPagesTest, GoroutinesAreThoseOfAReport) {
  InGort([] {
    const Chan<int> c = MakeChan<int>();
    Probe waits([c] { c.Recv(); });
    EXPECT_EQ(waits.Waits(), "chan receive");
    const Response page = Get("/debug/goroutines");
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body.rfind("goroutine ", 0), 0u) << page.body.substr(0, 100);
    EXPECT_NE(page.body.find("[chan receive"), std::string::npos) << page.body;
    c.Close();
    EXPECT_TRUE(waits.Finish());
  });
}

__attribute__((noinline)) void StartOneThatWaitsForEver() {
  const Chan<int> c = MakeChan<int>();
  Go([c] { c.Recv(); });
}

TEST(DebugPagesTest, LeaksAreNamedWithTheirTracebacks) {
  InGort([] {
    const Response none = Get("/debug/leaks");
    if (none.body == "no search: not with a sanitizer\n") {
      EXPECT_EQ(none.status, 503);
      return;
    }
    EXPECT_EQ(none.body.substr(0, 5), "0 of ");
    // A stale word may lead to one of them (leak/README.md, "Limits").
    for (int i = 0; i < 10; ++i) StartOneThatWaitsForEver();
    std::string body;
    EXPECT_TRUE(Eventually([&] {
      body = Get("/debug/leaks").body;
      return body.find("[chan receive, leaked]:") != std::string::npos;
    })) << body;
    EXPECT_NE(body.find("StartOneThatWaitsForEver"), std::string::npos) << body;
    const std::string metrics = Get("/debug/metrics").body;
    EXPECT_NE(metrics.find("\ngort_goroutines_leaked "), std::string::npos);
    EXPECT_EQ(metrics.find("\ngort_goroutines_leaked 0\n"), std::string::npos);
  });
}

TEST(DebugPagesTest, MetricsAreForPrometheus) {
  InGort([] {
    const Response page = Get("/debug/metrics");
    EXPECT_STREQ(page.content_type, "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_NE(page.body.find("\ngort_gomaxprocs "), std::string::npos);
  });
}

TEST(DebugPagesTest, ATraceIsAFileWithWhatHappenedMeanwhile) {
  InGort([] {
    std::atomic<bool> stop{false};
    WaitGroup wg;
    wg.Go([&stop] {
      while (!stop.load()) {
        trace::Log("here");
        Sleep(absl::Milliseconds(1));
      }
    });
    const Response page = Get("/debug/trace", "seconds=0.05");
    stop.store(true);
    wg.Wait();
    ASSERT_EQ(page.status, 200) << page.body;
    EXPECT_STREQ(page.file_name, "trace.perfetto-trace");
    const DecodedTrace t = DecodeTrace(page.body);
    EXPECT_EQ(t.error, "");
    EXPECT_EQ(Inconsistency(t), "");
    EXPECT_FALSE(t.Named("here").empty());
    EXPECT_FALSE(trace::Recording());
  });
}

// Profiles are Protocol Buffers that are not compressed, with this name in their table of strings.
TEST(DebugPagesTest, AProfileSaysWhoUsedTheCpuMeanwhile) {
  InGort([] {
    std::atomic<bool> stop{false};
    WaitGroup wg;
    wg.Go([&stop] {
      while (!stop.load()) Gosched();
    });
    const Response page = Get("/debug/profile", "seconds=0.3");
    stop.store(true);
    wg.Wait();
    ASSERT_EQ(page.status, 200) << page.body;
    EXPECT_STREQ(page.file_name, "cpu.pprof");
    EXPECT_NE(page.body.find("nanoseconds"), std::string::npos);
  });
}

TEST(DebugPagesTest, TheOtherProfilesAreThereAtOnce) {
  InGort([] {
    for (const char* kind : {"goroutine", "block", "mutex", "heap"}) {
      const Response page = Get("/debug/profile/" + std::string(kind));
      EXPECT_EQ(page.status, 200) << kind;
      EXPECT_EQ(page.file_name, std::string(kind) + ".pprof");
      EXPECT_NE(page.body.find("count"), std::string::npos) << kind;
    }
  });
}

TEST(DebugPagesTest, ATraceAndAProfileMayBeRecordedAtOnce) {
  InGort([] {
    const CancelScope scope;
    Response traced;
    WaitGroup wg;
    wg.Go([&] { traced = DebugPages().Serve({"/debug/trace", "seconds=60", scope.context()}); });
    ASSERT_TRUE(Eventually([] { return trace::Recording(); }));
    EXPECT_EQ(Get("/debug/profile", "seconds=0.05").status, 200);
    scope.Cancel();
    wg.Wait();
    EXPECT_EQ(traced.status, 200);
  });
}

TEST(DebugPagesTest, TheQueryOfATraceHasBounds) {
  InGort([] {
    for (const char* query : {"seconds=", "seconds=0", "seconds=-1", "seconds=61", "seconds=nan",
                              "seconds=inf", "seconds=1x", "second=1", "seconds=1&x=2", "1"}) {
      const Response page = Get("/debug/trace", query);
      EXPECT_EQ(page.status, 400) << query;
      EXPECT_EQ(page.body, "want seconds=N, above 0 and at most 60\n");
    }
    EXPECT_FALSE(trace::Recording());
  });
}

TEST(DebugPagesTest, TheSecondOfTwoRecordingsIsRefusedAndTheFirstGoesOn) {
  InGort([] {
    const CancelScope scope;
    Response first;
    WaitGroup wg;
    wg.Go([&] { first = DebugPages().Serve({"/debug/trace", "seconds=60", scope.context()}); });
    ASSERT_TRUE(Eventually([] { return trace::Recording(); }));
    const Response second = Get("/debug/trace", "seconds=0.1");
    EXPECT_EQ(second.status, 409);
    EXPECT_NE(second.body.find("already recording"), std::string::npos) << second.body;
    EXPECT_TRUE(trace::Recording());
    scope.Cancel();  // long before the minute is over
    wg.Wait();
    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(Inconsistency(DecodeTrace(first.body)), "");
    EXPECT_FALSE(trace::Recording());
  });
}

TEST(DebugPagesTest, WithOneProcessorOthersRunWhileAPageRecords) {
  Procs one(1);
  InGort([] {
    const CancelScope scope;
    WaitGroup wg;
    wg.Go([&] { DebugPages().Serve({"/debug/trace", "seconds=60", scope.context()}); });
    EXPECT_TRUE(Eventually([] { return trace::Recording(); }));
    EXPECT_EQ(Get("/debug/metrics").status, 200);
    scope.Cancel();
    wg.Wait();
  });
}

TEST(DebugPagesTest, AProgramHasPagesOfItsOwn) {
  InGort([] {
    DebugPages pages;
    pages.Add({"a<b", "x & \"y\"", [](const Request& r) {
                 return Response{200, "text/x", nullptr, std::string(r.query)};
               }});
    pages.Add(
        {"metrics", "others", [](const Request&) -> Response { throw std::runtime_error("no"); }});
    EXPECT_EQ(pages.Serve({"/debug/a<b", "q=1"}).body, "q=1");
    EXPECT_THROW(pages.Serve({"/debug/metrics", ""}), std::runtime_error);
    const std::string index = pages.Serve({"/debug/", ""}).body;
    EXPECT_NE(index.find("a&lt;b</a></td><td>x &amp; &quot;y&quot;"), std::string::npos) << index;
    EXPECT_EQ(index.find("the numbers of the runtime"), std::string::npos) << "replaced";
  });
}

absl::Status FailsToStart(std::string_view) { return absl::InternalError("no room"); }
absl::Status Starts(std::string_view) { return absl::OkStatus(); }
absl::Status FailsToStop() { return absl::ResourceExhaustedError("disk full"); }

TEST(DebugPagesTest, ARecordingThatFailsSaysWhy) {
  InGort([] {
    const Response unbegun = ServeRecording({"", ""}, {"f", "t", &FailsToStart, &FailsToStop});
    EXPECT_EQ(unbegun.status, 500);
    EXPECT_EQ(unbegun.body, "no room\n");
    const Response lost = ServeRecording({"", "seconds=0.001"}, {"f", "t", &Starts, &FailsToStop});
    EXPECT_EQ(lost.status, 500);
    EXPECT_EQ(lost.body, "disk full\n");
    EXPECT_EQ(lost.file_name, nullptr);
  });
}

}  // namespace
}  // namespace gort::debugpages
