// tests/model/choices.h: the decisions of one execution, and the next execution to try.
// What      a path from the root of a tree of decisions to a leaf; Advance turns it into the next
//           path, depth first, so that all leaves are visited once. An execution is a function of
//           its path alone.
#ifndef GORT_TESTS_MODEL_CHOICES_H_
#define GORT_TESTS_MODEL_CHOICES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gort::rt::model {

class Choices {
 public:
  // One of the known alternatives, or a value that the location takes on only later.
  struct LoadChoice {
    uint32_t index = 0;
    bool future = false;
    uint64_t value = 0;
  };
  static constexpr size_t kNoNode = ~size_t{0};

  // Forgets everything. replay: a schedule that ToString gave, to be followed as far as it goes.
  void Clear(std::string_view replay);
  // Back to the root; the next decisions repeat the path.
  void Begin() { position_ = 0; }
  // Nobody has been here before: the next decision is a new one.
  bool AtEnd() const { return position_ == path_.size(); }
  // A number below n; 0 the first time.
  uint32_t Choose(uint32_t n);
  // The same for a load that later stores may extend by AddFuture(node).
  LoadChoice ChooseLoad(uint32_t n, size_t* node);
  // Makes value an alternative of a load on the current path.
  void AddFuture(size_t node, uint64_t value);
  // To the next path; false: all have been visited.
  bool Advance();
  // The path so far, for Clear.
  std::string ToString() const;

 private:
  struct Node {
    uint32_t n;
    uint32_t chosen;
    std::vector<uint64_t> futures;
  };
  Node& Next(uint32_t n);

  std::vector<Node> path_;
  size_t position_ = 0;
  std::vector<uint32_t> replay_;
};

}  // namespace gort::rt::model

#endif  // GORT_TESTS_MODEL_CHOICES_H_
