// tests/anycode/protobuf.cc: protobuf, linked statically: messages, and arenas, which keep a cache in
// thread-locals.
#include <google/protobuf/arena.h>
#include <google/protobuf/util/message_differencer.h>

#include <cstdint>
#include <memory>
#include <string>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"
#include "tests/anycode/tree.pb.h"

namespace anycode {
namespace {

using google::protobuf::Arena;

int64_t Grow(Tree* tree, int64_t number, int depth) {
  tree->set_number(number);
  tree->set_name("a name that is too long to be kept in the string object, " +
                 std::to_string(number));
  for (int i = 0; i < 20; ++i) tree->add_packed(static_cast<int32_t>(number + i));
  (*tree->mutable_counts())[tree->name()] = number;
  if (number % 2 == 0) {
    tree->set_text(std::to_string(number));
  } else {
    tree->set_value(static_cast<double>(number));
  }
  int64_t sum = number;
  for (int i = 0; i < 3 && depth > 0; ++i) {
    sum += Grow(tree->add_children(), number * 3 + i, depth - 1);
  }
  return sum;
}

int64_t Sum(const Tree& tree) {
  int64_t sum = tree.number();
  for (const Tree& child : tree.children()) sum += Sum(child);
  return sum;
}

void CheckCopy(const Tree& copy, int64_t sum, const std::string& bytes) {
  ExpectEq(sum, Sum(copy), "sum of the numbers");
  // Maps have one entry each, so that the bytes are fixed.
  Expect(copy.SerializeAsString() == bytes, "another message comes back");
}

Task Messages(int) {
  return {[](Worker& w) {
    for (int64_t i = w.index(); w.Next(); ++i) {
      Tree tree;
      const int64_t sum = Grow(&tree, i, 3);
      const std::string bytes = tree.SerializeAsString();
      Tree copy;
      Expect(copy.ParseFromString(bytes), "ParseFromString");
      CheckCopy(copy, sum, bytes);
    }
  }};
}

Task Arenas(int) {
  return {[](Worker& w) {
    for (int64_t i = w.index(); w.Next(); ++i) {
      Arena from;
      Arena to;
      auto* tree = Arena::CreateMessage<Tree>(&from);
      const int64_t sum = Grow(tree, i, 3);
      const std::string bytes = tree->SerializeAsString();
      auto* copy = Arena::CreateMessage<Tree>(&to);
      Expect(copy->ParseFromString(bytes), "ParseFromString");
      CheckCopy(*copy, sum, bytes);
    }
  }};
}

// All take from one arena, which they empty when they are done.
Task SharedArena(int) {
  auto arena = std::make_shared<Arena>();
  return {[arena](Worker& w) {
    for (int64_t i = w.index(); w.Next(); ++i) {
      auto* tree = Arena::CreateMessage<Tree>(arena.get());
      const int64_t sum = Grow(tree, i, 2);
      ExpectEq(sum, Sum(*tree), "sum of the numbers");
    }
  }};
}

Task DebugText(int) {
  return {[](Worker& w) {
    for (int64_t i = w.index(); w.Next(); ++i) {
      Tree tree;
      Grow(&tree, i, 1);
      const Tree copy = tree;
      Expect(tree.DebugString() == copy.DebugString() &&
                 google::protobuf::util::MessageDifferencer::Equals(tree, copy),
             "the texts of two equal messages");
    }
  }};
}

}  // namespace

Family Protobuf() {
  return {"protobuf",
          {{"protobuf_messages", Messages},
           {"protobuf_arenas", Arenas},
           {"protobuf_shared_arena", SharedArena},
           {"protobuf_text", DebugText}}};
}

}  // namespace anycode
