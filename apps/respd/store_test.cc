#include "gort/apps/respd/store.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace respd {
namespace {

TEST(Glob, Patterns) {
  struct Case {
    const char* pattern;
    const char* text;
    bool match;
  };
  const Case cases[] = {
      {"", "", true},         {"", "a", false},         {"*", "", true},
      {"*", "abc", true},     {"a*c", "abbc", true},    {"a*c", "abbd", false},
      {"a?c", "abc", true},   {"a?c", "ac", false},     {"[a-c]x", "bx", true},
      {"[c-a]x", "bx", true}, {"[^a-c]x", "bx", false}, {"[^a-c]x", "dx", true},
      {"\\*", "*", true},     {"\\*", "a", false},      {"[\\]]", "]", true},
      {"[a", "a", true},      {"[", "a", false},        {"a\\", "a\\", true},
      {"**a**", "xax", true}, {"*ab", "aab", true},     {"k:*:v", "k::v", true},
  };
  for (const Case& c : cases) EXPECT_EQ(GlobMatch(c.pattern, c.text), c.match) << c.pattern;
}

TEST(Glob, ManyStarsTakeNoTime) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  EXPECT_FALSE(GlobMatch(pattern + "b", std::string(5000, 'a')));
}

// Keys come and go during the scan; those that stay come exactly once.
TEST(Store, AScanReturnsWhatStaysOnce) {
  Store store;
  for (int i = 0; i < 1000; ++i) store.Set("stays" + std::to_string(i), "v", 0);
  for (int i = 0; i < 500; ++i) store.Set("goes" + std::to_string(i), "v", 0);
  std::map<std::string, int> seen;
  uint64_t cursor = 0;
  int step = 0;
  do {
    std::vector<std::string_view> keys;
    cursor = store.Scan(cursor, 7, 0, "stays*", &keys);
    for (std::string_view key : keys) ++seen[std::string(key)];
    store.Delete("goes" + std::to_string(step));
    store.Set("comes" + std::to_string(step), "v", 0);
    ++step;
  } while (cursor != 0);
  EXPECT_EQ(seen.size(), 1000u);
  for (const auto& [key, n] : seen) EXPECT_EQ(n, 1) << key;
}

// A pattern that is compared with each place of long keys: one key is work enough for a step.
TEST(Store, AStepOfAScanIsShort) {
  Store store;
  for (int i = 10; i < 30; ++i)
    store.Set(std::string(kMaxKey - 2, 'a') + std::to_string(i), "v", 0);
  for (const bool all : {true, false}) {
    const std::string pattern = all ? "" : "*" + std::string(kMaxPattern - 2, 'a') + "b";
    std::vector<std::string_view> keys;
    uint64_t cursor = 0;
    int steps = 0;
    do {
      cursor = store.Scan(cursor, 100'000, 0, pattern, &keys);
      ++steps;
    } while (cursor != 0);
    EXPECT_EQ(keys.size(), all ? 20u : 0u);
    EXPECT_EQ(steps, all ? 1 : 20);
  }
}

TEST(Store, RecordsRebuildIt) {
  Store a;
  Store b;
  EXPECT_TRUE(b.Replay(a.Set("k", std::string("v\0w", 3), 0)));
  EXPECT_TRUE(b.Replay(a.Set("", "", 5000)));
  EXPECT_TRUE(b.Replay(a.Set("gone", "x", 0)));
  EXPECT_TRUE(b.Replay(a.SetExpiry("k", 7000)));
  EXPECT_TRUE(b.Replay(a.Delete("gone")));
  EXPECT_EQ(b.size(), 2u);
  EXPECT_EQ(b.Get("k", 6999)->data, std::string("v\0w", 3));
  EXPECT_EQ(b.Get("k", 7000), nullptr);
  EXPECT_EQ(b.Get("", 4999)->expires_ms, 5000);
  Store c;
  EXPECT_EQ(a.Dump(0, 6000, 1000, [&](std::string_view r) { EXPECT_TRUE(c.Replay(r)); }), 0u);
  EXPECT_EQ(c.size(), 1u);  // the other had expired
  EXPECT_FALSE(c.Replay(""));
  EXPECT_FALSE(c.Replay("X0000000000001"));
  EXPECT_FALSE(c.Replay(std::string("S\0\0\0\0\0\0\0\0\xff\xff\xff\xff", 13)));
}

// Steps of a dump and the records of what changes meanwhile, in their order, rebuild the store.
TEST(Store, ADumpInStepsWithChangesBetweenThem) {
  Store store;
  const auto key = [](int i) { return "k" + std::to_string(i); };
  for (int i = 0; i < 1000; ++i) store.Set(key(i), std::to_string(i), i % 3 == 0 ? 5000 : 0);
  Store copy;
  uint64_t cursor = 0;
  int step = 0;
  do {
    int64_t bytes = 0;
    cursor = store.Dump(cursor, 100, 500, [&](std::string_view r) {
      bytes += static_cast<int64_t>(r.size());
      EXPECT_TRUE(copy.Replay(r));
    });
    EXPECT_LE(bytes, 550);
    EXPECT_TRUE(copy.Replay(store.Delete(key(step))));
    EXPECT_TRUE(copy.Replay(store.Set(key(999 - step), "new", 0)));
    EXPECT_TRUE(copy.Replay(store.SetExpiry(key(500 + step), 7000)));
    EXPECT_TRUE(copy.Replay(store.Set("more" + key(step), "new", 50)));
    ++step;
  } while (cursor != 0);
  EXPECT_GT(step, 20);
  for (int64_t now : {0, 100, 5000, 7000}) {
    for (int i = 0; i < 1000; ++i) {
      const Store::Value* a = store.Get(key(i), now);
      const Store::Value* b = copy.Get(key(i), now);
      ASSERT_EQ(a == nullptr, b == nullptr) << key(i) << " at " << now;
      if (a != nullptr) {
        EXPECT_EQ(a->data, b->data) << key(i);
      }
    }
  }
}

TEST(Store, BytesAreThoseOfADump) {
  Store store;
  const auto dumped = [&store] {
    int64_t bytes = 0;
    store.Dump(0, 0, INT64_MAX,
               [&](std::string_view r) { bytes += static_cast<int64_t>(r.size()); });
    return bytes;
  };
  EXPECT_EQ(store.bytes(), 0);
  for (int i = 0; i < 100; ++i) store.Set("k" + std::to_string(i), std::string(i, 'x'), i);
  EXPECT_EQ(store.bytes(), dumped());
  store.Set("k5", "", 0);
  store.Set("k6", "longer than before", 0);
  store.Delete("k7");
  store.Delete("k7");
  EXPECT_EQ(store.bytes(), dumped());
  store.Sweep(1000, 1000);
  EXPECT_EQ(store.bytes(), dumped());
  EXPECT_EQ(store.size(), 3u);
}

TEST(Store, SweepForgetsWhatHasExpired) {
  Store store;
  for (int i = 0; i < 5000; ++i) store.Set("k" + std::to_string(i), "v", i % 2 == 0 ? 10 : 0);
  store.Sweep(9, 5000);
  EXPECT_EQ(store.size(), 5000u);
  store.Sweep(10, 20);
  EXPECT_EQ(store.size(), 4980u);
  store.Sweep(10, 5000);
  EXPECT_EQ(store.size(), 2500u);
}

// A few among many that have not expired are found at once, the oldest first.
TEST(Store, ASweepGoesByTime) {
  Store store;
  for (int i = 0; i < 20'000; ++i) store.Set("k" + std::to_string(i), "v", i % 2 == 0 ? 0 : 1000);
  for (int i = 0; i < 20; ++i) store.Set("e" + std::to_string(i), "v", 100 - i);
  store.Sweep(500, 5);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(store.Get("e" + std::to_string(i), 0) != nullptr, i < 15) << i;
  }
  store.Sweep(500, 20);
  EXPECT_EQ(store.size(), 20'000u);
}

// What a sweep forgets is what each key's last change said.
TEST(Store, ASweepKnowsEachChangeOfAnExpiry) {
  Store store;
  for (const char* key : {"later", "never", "deleted", "replaced", "read", "sooner", "again"}) {
    store.Set(key, "v", 100);
  }
  store.SetExpiry("later", 1000);
  store.SetExpiry("never", 0);
  store.Delete("deleted");
  store.Set("replaced", "v", 0);
  EXPECT_EQ(store.Get("read", 100), nullptr);
  store.SetExpiry("sooner", 50);
  store.Set("again", "v", 100);
  store.Sweep(50, 100);
  EXPECT_EQ(store.size(), 4u);
  store.Set("sooner", "v", 2000);
  store.Sweep(999, 100);
  EXPECT_EQ(store.size(), 4u);
  for (const char* key : {"later", "never", "replaced", "sooner"}) {
    EXPECT_NE(store.Get(key, 999), nullptr) << key;
  }
  store.Sweep(2000, 100);
  EXPECT_EQ(store.size(), 2u);
}

}  // namespace
}  // namespace respd
