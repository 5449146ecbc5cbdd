#include "gort/tests/model/choices.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace gort::rt::model {

void Choices::Clear(std::string_view replay) {
  path_.clear();
  replay_.clear();
  position_ = 0;
  for (size_t i = 0; i < replay.size();) {
    uint32_t n = 0;
    for (; i < replay.size() && replay[i] != '.'; i++) n = n * 10 + (replay[i] - '0');
    replay_.push_back(n);
    i++;
  }
}

Choices::Node& Choices::Next(uint32_t n) {
  if (position_ == path_.size()) {
    const uint32_t chosen = position_ < replay_.size() ? replay_[position_] : 0;
    path_.push_back({n, chosen, {}});
  }
  Node& node = path_[position_++];
  if (node.n != n || node.chosen >= n + node.futures.size()) {
    fprintf(stderr, "model: the test body is not deterministic, or the schedule is another's\n");
    abort();
  }
  return node;
}

uint32_t Choices::Choose(uint32_t n) { return n == 1 ? 0 : Next(n).chosen; }

Choices::LoadChoice Choices::ChooseLoad(uint32_t n, size_t* node_index) {
  *node_index = position_;
  const Node& node = Next(n);
  if (node.chosen < n) return {node.chosen, false, 0};
  return {0, true, node.futures[node.chosen - n]};
}

void Choices::AddFuture(size_t node, uint64_t value) {
  std::vector<uint64_t>& futures = path_[node].futures;
  if (std::find(futures.begin(), futures.end(), value) == futures.end()) futures.push_back(value);
}

bool Choices::Advance() {
  path_.resize(position_);
  while (!path_.empty()) {
    Node& node = path_.back();
    if (++node.chosen < node.n + node.futures.size()) return true;
    path_.pop_back();
  }
  return false;
}

std::string Choices::ToString() const {
  std::string s;
  for (size_t i = 0; i < position_; i++) {
    if (i != 0) s += '.';
    s += std::to_string(path_[i].chosen);
  }
  return s;
}

}  // namespace gort::rt::model
