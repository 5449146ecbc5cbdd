#include "gort/base/list.h"

#include <deque>
#include <string>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

struct Item : ListNode<Item> {
  int id = 0;
};

std::vector<int> Forwards(const List<Item>& list) {
  std::vector<int> ids;
  for (Item* t = list.front(); t != nullptr; t = t->next) ids.push_back(t->id);
  return ids;
}

std::vector<int> Backwards(const List<Item>& list) {
  std::vector<int> ids;
  for (Item* t = list.back(); t != nullptr; t = t->prev) ids.push_back(t->id);
  return ids;
}

TEST(List, KeepsOrderInBothDirections) {
  Item items[3];
  for (int i = 0; i < 3; ++i) items[i].id = i;
  List<Item> list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.PopFront(), nullptr);
  list.PushBack(&items[1]);
  list.PushFront(&items[0]);
  list.PushBack(&items[2]);
  EXPECT_EQ(Forwards(list), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(Backwards(list), (std::vector<int>{2, 1, 0}));
}

TEST(List, RemovedElementBelongsToNoListAndCanMove) {
  Item item;
  List<Item> a, b;
  a.PushBack(&item);
  EXPECT_TRUE(a.IsIn(&item));
  a.Remove(&item);
  EXPECT_EQ(item.list, nullptr);
  EXPECT_EQ(item.next, nullptr);
  EXPECT_EQ(item.prev, nullptr);
  EXPECT_TRUE(a.empty());
  b.PushFront(&item);
  EXPECT_FALSE(a.IsIn(&item));
  EXPECT_TRUE(b.IsIn(&item));
  EXPECT_EQ(b.PopFront(), &item);
  EXPECT_TRUE(b.empty());
}

TEST(List, AgreesWithADequeOverRandomOperations) {
  constexpr int kItems = 16;
  Item items[kItems];
  for (int i = 0; i < kItems; ++i) items[i].id = i;
  List<Item> list;
  std::deque<int> model;
  FastRand rand(7);
  for (int step = 0; step < 10000; ++step) {
    Item& t = items[rand.N(kItems)];
    if (list.IsIn(&t)) {
      if (rand.N(2) == 0) {
        EXPECT_EQ(list.PopFront()->id, model.front());
        model.pop_front();
      } else {
        list.Remove(&t);
        std::erase(model, t.id);
      }
    } else if (rand.N(2) == 0) {
      list.PushFront(&t);
      model.push_front(t.id);
    } else {
      list.PushBack(&t);
      model.push_back(t.id);
    }
    ASSERT_EQ(Forwards(list), (std::vector<int>{model.begin(), model.end()})) << "step " << step;
    ASSERT_EQ(Backwards(list), (std::vector<int>{model.rbegin(), model.rend()})) << "step " << step;
  }
}

TEST(List, DebugBuildsRefuseASecondInsertion) {
  if (!kDebug) GTEST_SKIP() << "checked in debug builds only";
  testing::ChildResult r = testing::RunInChild([] {
    Item item;
    List<Item> a, b;
    a.PushBack(&item);
    b.PushBack(&item);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("t->list == nullptr"), std::string::npos) << r.output;
}

TEST(List, DebugBuildsRefuseRemovalFromAnotherList) {
  if (!kDebug) GTEST_SKIP() << "checked in debug builds only";
  testing::ChildResult r = testing::RunInChild([] {
    Item item;
    List<Item> a, b;
    a.PushBack(&item);
    b.Remove(&item);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("t->list == this"), std::string::npos) << r.output;
}

}  // namespace
}  // namespace gort::rt
