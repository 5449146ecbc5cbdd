// tests/leak/plants.h: a function for each way to leave a goroutine behind.
#ifndef GORT_TESTS_LEAK_PLANTS_H_
#define GORT_TESTS_LEAK_PLANTS_H_

#include <cstddef>
#include <span>

namespace planted {

struct Plant {
  const char* name;  // of the function, which stands in plants.cc
  void (*plant)();
  size_t leaks;
  const char* waits_for;  // one of them
};

std::span<const Plant> Plants();

}  // namespace planted

#endif  // GORT_TESTS_LEAK_PLANTS_H_
