// gort/local/local.h: a value for each goroutine.
// What      Local<T> is to goroutines what thread_local is to threads. `*local` is the calling
//           goroutine's own T, which is made when it first asks, and destroyed when it ends. A
//           thread_local belongs to the thread instead, and a goroutine that parks may go on on
//           another one.
// Layer     7.
// Made      by T(), or by the function that the Local was given, which several goroutines may be in
//           at once. What it throws leaves the access, and the next access tries again. It may park,
//           and use other Locals. A goroutine inherits nothing from the one that started it.
// Destroyed when the goroutine's function has ended with all that it captured, so later than a
//           WaitGroup, a Future or a TaskGroup says that it has, on the goroutine's own stack, also
//           after Goexit: the value made last goes first. A destructor may park and
//           use Locals: its own finds the value that is being destroyed, one that was destroyed
//           already is made anew, and destroyed in its turn. Not destroyed: the values of goroutines
//           that have not ended when the process does, but for the main goroutine's and main
//           thread's, which go before static objects.
// Threads   A thread that is no goroutine has values of its own, from its first access until it ends,
//           as if they were its thread_local objects. In a locked goroutine and in a bubble of virtual time
//           nothing is different.
// Lifetime  of a Local: static, or of any object. When it is destroyed, the calling goroutine's value
//           goes with it. A value of another goroutine, which may be in use there, stays until that
//           goroutine ends, or uses a Local that was made since and took this one's place. A
//           reference to a value is good until the value is destroyed; others may use it meanwhile,
//           by their own synchronisation.
// Contract  | call             | goroutine | other thread | parks          | allocates      |
//           | *, ->, get       |     x     |      x       | as the maker   | when it makes  |
//           | Find             |     x     |      x       | -              | -              |
//           | Reset, ~Local    |     x     |      x       | as ~T          | -              |
// Cost      an access is a call with one read of thread-local storage and a look-up in a small array
//           (README.md). A goroutine that uses no Local pays nothing. Memory: 32 bytes beside each T,
//           and 16 for each place of the array, which has at most as many as there are Locals.
#ifndef GORT_LOCAL_LOCAL_H_
#define GORT_LOCAL_LOCAL_H_

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include "gort/local/internal/local_values.h"

namespace gort {

template <class T>
class Local {
  static_assert(std::is_object_v<T> && !std::is_array_v<T>,
                "a Local holds objects; use std::array, or a pointer, for anything else");

 public:
  using value_type = T;

  // Each value is T(): numbers are 0. Constant-initialised, so that a static Local may be used from
  // the constructors of other static objects.
  constexpr Local() requires std::default_initializable<T>
  = default;
  // Each value is maker().
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, Local> &&
           requires(const std::decay_t<F>& f) { T(f()); }) explicit Local(F&& maker)
      : maker_(std::make_unique<MakerOf<std::decay_t<F>>>(std::forward<F>(maker))) {}
  // The caller's value is destroyed.
  ~Local() { key_.Retire(); }
  Local(const Local&) = delete;
  Local& operator=(const Local&) = delete;

  // The calling goroutine's value.
  T& operator*() const {
    rt::LocalValue* v = rt::FindLocal(key_);
    if (__builtin_expect(v == nullptr, false)) v = Make();
    return static_cast<Holder*>(v)->value;
  }
  T* operator->() const { return std::addressof(**this); }
  T* get() const { return std::addressof(**this); }
  // The same, or null if the calling goroutine has none yet.
  T* Find() const {
    rt::LocalValue* v = rt::FindLocal(key_);
    return v != nullptr ? std::addressof(static_cast<Holder*>(v)->value) : nullptr;
  }
  // Destroys the calling goroutine's value, if it has one; the next access makes another.
  void Reset() const { key_.Drop(); }

 private:
  struct Maker {
    virtual ~Maker() = default;
    virtual std::unique_ptr<rt::LocalValue, rt::DropLocalValue> Make() const = 0;
  };
  // A value with what package local has to know of it.
  struct Holder final : rt::LocalValue {
    Holder() : LocalValue(&Destroy), value() {}
    template <class F>
    explicit Holder(const F& f) : LocalValue(&Destroy), value(f()) {}
    static void Destroy(rt::LocalValue* v) { delete static_cast<Holder*>(v); }
    T value;
  };
  using Made = std::unique_ptr<rt::LocalValue, rt::DropLocalValue>;
  template <class F>
  struct MakerOf final : Maker {
    template <class U>
    explicit MakerOf(U&& u) : f(std::forward<U>(u)) {}
    Made Make() const override { return Made(new Holder(f)); }
    const F f;
  };

  __attribute__((noinline)) rt::LocalValue* Make() const {
    rt::PrepareLocal(&key_);
    return rt::AddLocal(key_, NewValue());
  }
  Made NewValue() const {
    if constexpr (std::default_initializable<T>) {
      if (maker_ == nullptr) return Made(new Holder);
    }
    return maker_->Make();
  }

  mutable rt::LocalKey key_;
  const std::unique_ptr<const Maker> maker_;  // null: T()
};

}  // namespace gort

#endif  // GORT_LOCAL_LOCAL_H_
