// proc/edges_test.cc: every transition of gmp/status.h's tables is taken by the tests of this
// program, but for those that the product never takes; every other one is fatal.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/status.h"
#include "gort/proc/testing/world.h"
#include "gort/tests/support/child.h"

namespace gort::rt::testing {
namespace {

using gort::testing::ChildResult;
using gort::testing::RunInChild;

constexpr uint32_t kGStates = 10;
constexpr uint32_t kPStates = 5;

std::set<World::Edge> LegalEdges() {
  std::set<World::Edge> edges;
  for (uint32_t from = 0; from < kGStates; ++from) {
    for (uint32_t to = 0; to < kGStates; ++to) {
      if (GTransitionLegal(from, to)) edges.emplace('G', from, to);
    }
  }
  for (uint32_t from = 0; from < kPStates; ++from) {
    for (uint32_t to = 0; to < kPStates; ++to) {
      if (PTransitionLegal(from, to)) edges.emplace('P', from, to);
    }
  }
  return edges;
}

// Legal by the tables, and taken by no code of the product: kGPreempted is a seam.
const std::set<std::string> kNeverTaken = {"G preempted>waiting", "G running>preempted"};

class Coverage : public ::testing::Environment {
 public:
  void SetUp() override {
    if (GORT_TSAN) GTEST_SKIP() << "one thread, and stacks that tsan has not been told of";
    if (!internal::kMovesAreSeen) GTEST_SKIP() << "a build without assertions hides the moves";
  }
  void TearDown() override {
    if (GORT_TSAN || !internal::kMovesAreSeen) return;
    std::set<std::string> missing;
    size_t covered = 0;
    const std::set<World::Edge> legal = LegalEdges();
    for (const World::Edge& e : legal) {
      if (World::EdgesSeen().count(e) != 0) {
        ++covered;
        EXPECT_EQ(kNeverTaken.count(World::EdgeName(e)), 0U) << World::EdgeName(e);
      } else {
        missing.insert(World::EdgeName(e));
      }
    }
    printf("edges covered: %zu of %zu\n", covered, legal.size());
    for (const std::string& name : missing) printf("  not covered: %s\n", name.c_str());
    for (const World::Edge& e : World::EdgesSeen()) {
      EXPECT_EQ(legal.count(e), 1U) << World::EdgeName(e);
    }
    // Of a part of the tests nothing is expected.
    if (::testing::GTEST_FLAG(filter) == "*") {
      for (const std::string& name : missing) EXPECT_EQ(kNeverTaken.count(name), 1U) << name;
    }
  }
};

const auto* const coverage = ::testing::AddGlobalTestEnvironment(new Coverage);

TEST(Edges, EveryIllegalTransitionOfAGIsFatal) {
  int tried = 0;
  for (uint32_t from = 0; from < kGStates; ++from) {
    for (uint32_t to = 0; to < kGStates; ++to) {
      if (GTransitionLegal(from, to)) continue;
      ++tried;
      ChildResult r = RunInChild([&] {
        G g;
        g.atomicstatus.store(from);
        CasGStatus(&g, from, to);
      });
      EXPECT_EQ(r.status, 2) << GStatusName(from) << '>' << GStatusName(to);
      EXPECT_NE(r.output.find("fatal error: casgstatus: bad goroutine status"), std::string::npos);
    }
  }
  printf("illegal transitions of a G: %d\n", tried);
}

TEST(Edges, EveryIllegalTransitionOfAPIsFatalInDebugBuilds) {
  if (!kDebug) GTEST_SKIP() << "checked in debug builds only";
  for (uint32_t from = 0; from < kPStates; ++from) {
    for (uint32_t to = 0; to < kPStates; ++to) {
      if (PTransitionLegal(from, to)) continue;
      for (bool cas : {false, true}) {
        ChildResult r = RunInChild([&] {
          P p;
          p.status.store(from);
          if (cas) {
            CasPStatus(&p, from, to);
          } else {
            SetPStatus(&p, to);
          }
        });
        EXPECT_EQ(r.status, 2) << PStatusName(from) << '>' << PStatusName(to);
        EXPECT_NE(r.output.find("check failed: PTransitionLegal"), std::string::npos) << r.output;
      }
    }
  }
}

}  // namespace
}  // namespace gort::rt::testing
