// tests/model/model_atomic.h: std::atomic as the model checker sees it; rt::Atomic with GORT_MODEL.
// What      the part of std::atomic's interface that gort uses, every call a step of tests/model.
//           Usable inside Explore only. An object that outlives an execution starts the next one
//           with its initial value.
#ifndef GORT_TESTS_MODEL_MODEL_ATOMIC_H_
#define GORT_TESTS_MODEL_MODEL_ATOMIC_H_

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace gort::rt::model {

// Where an atomic lives in the execution at hand.
struct Cell {
  uint64_t execution = 0;
  uint32_t location = 0;
  const char* name = nullptr;
};

// The newest value, without a step of its own.
uint64_t CellPeek(Cell* cell, uint64_t initial);
uint64_t CellLoad(Cell* cell, uint64_t initial, std::memory_order order);
void CellStore(Cell* cell, uint64_t initial, uint64_t value, std::memory_order order);
// One step in two calls: the newest value, then what becomes of it.
uint64_t CellRmwBegin(Cell* cell, uint64_t initial);
void CellRmwStore(Cell* cell, uint64_t value, std::memory_order order);
void CellRmwFail(Cell* cell, std::memory_order order);

template <class T>
class Atomic {
  static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
  using Order = std::memory_order;

 public:
  constexpr Atomic() = default;
  constexpr Atomic(T initial) : initial_(initial) {}  // NOLINT: as std::atomic
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(Order order = Order::seq_cst) const {
    return FromBits(CellLoad(&cell_, ToBits(initial_), order));
  }
  void store(T value, Order order = Order::seq_cst) {
    CellStore(&cell_, ToBits(initial_), ToBits(value), order);
  }
  T exchange(T value, Order order = Order::seq_cst) {
    return Rmw(order, [value](T) { return value; });
  }
  bool compare_exchange_strong(T& expected, T value, Order success, Order failure) {
    const T old = FromBits(CellRmwBegin(&cell_, ToBits(initial_)));
    if (old == expected) {
      CellRmwStore(&cell_, ToBits(value), success);
      return true;
    }
    CellRmwFail(&cell_, failure);
    expected = old;
    return false;
  }
  bool compare_exchange_strong(T& expected, T value, Order order = Order::seq_cst) {
    const Order failure = order == Order::acq_rel   ? Order::acquire
                          : order == Order::release ? Order::relaxed
                                                    : order;
    return compare_exchange_strong(expected, value, order, failure);
  }
  bool compare_exchange_weak(T& expected, T value, Order success, Order failure) {
    return compare_exchange_strong(expected, value, success, failure);
  }
  bool compare_exchange_weak(T& expected, T value, Order order = Order::seq_cst) {
    return compare_exchange_strong(expected, value, order);
  }
  T fetch_add(T n, Order order = Order::seq_cst) {
    return Rmw(order, [n](T old) { return static_cast<T>(old + n); });
  }
  T fetch_sub(T n, Order order = Order::seq_cst) {
    return Rmw(order, [n](T old) { return static_cast<T>(old - n); });
  }
  T fetch_or(T bits, Order order = Order::seq_cst) {
    return Rmw(order, [bits](T old) { return static_cast<T>(old | bits); });
  }
  T fetch_and(T bits, Order order = Order::seq_cst) {
    return Rmw(order, [bits](T old) { return static_cast<T>(old & bits); });
  }

  // The newest value, for checks between two steps.
  T Peek() const { return FromBits(CellPeek(&cell_, ToBits(initial_))); }

  // Shown in traces.
  void SetName(const char* name) { cell_.name = name; }

 private:
  static uint64_t ToBits(T value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    return bits;
  }
  static T FromBits(uint64_t bits) {
    T value;
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  template <class F>
  T Rmw(Order order, F f) {
    const T old = FromBits(CellRmwBegin(&cell_, ToBits(initial_)));
    CellRmwStore(&cell_, ToBits(f(old)), order);
    return old;
  }

  T initial_{};
  mutable Cell cell_;
};

}  // namespace gort::rt::model

#endif  // GORT_TESTS_MODEL_MODEL_ATOMIC_H_
