#include "gort/malloc/internal/sample.h"

#include <algorithm>
#include <cmath>

#include "gort/base/rand.h"

namespace gort::rt {

constinit std::atomic<int64_t> heap_sample_rate{0};
constinit Hook<void*(size_t, int64_t)> heap_alloc_hook{
    [](size_t, int64_t) -> void* { return nullptr; }};
constinit Hook<void(void*)> heap_free_hook{[](void*) {}};
constinit Mutex heap_sample_lock;  // not ranked: taken with no other lock held

namespace {

constexpr double kFarthest = 0x1p62;  // what an int64_t holds

constinit std::atomic<uint64_t> draws{0};

// A number from (0, 1].
double Draw() {
  FastRand rand(draws.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed));
  return static_cast<double>((rand.Next64() >> 11) + 1) * 0x1p-53;
}

}  // namespace

int64_t NextHeapSample(int64_t rate) {
  if (rate <= 1) return 0;
  return static_cast<int64_t>(std::min(-std::log(Draw()) * static_cast<double>(rate), kFarthest));
}

bool IsHeapSample(size_t bytes, int64_t rate) {
  if (rate <= 1) return rate == 1;
  return Draw() > std::exp(-static_cast<double>(bytes) / static_cast<double>(rate));
}

}  // namespace gort::rt
