// sync/internal/first_exception.h: a place for one exception, in an object that is constant at first.
// What      std::exception_ptr has no constexpr constructor; a static WaitGroup needs one.
// Layer     10. Guarded by its owner. Copies and moves pointers and allocates nothing, so that it
//           may be used with a lock of the runtime held; what goes out is destroyed by the caller.
#ifndef GORT_SYNC_INTERNAL_FIRST_EXCEPTION_H_
#define GORT_SYNC_INTERNAL_FIRST_EXCEPTION_H_

#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace gort::rt {

class FirstException {
 public:
  constexpr FirstException() : nothing_() {}
  ~FirstException() {
    if (there_) std::destroy_at(&e_);
  }
  FirstException(const FirstException&) = delete;
  FirstException& operator=(const FirstException&) = delete;

  // Keeps e if it is the first; otherwise e stays with the caller.
  void Put(std::exception_ptr* e) {
    if (there_) return;
    ::new (&e_) std::exception_ptr(std::move(*e));
    there_ = true;
  }
  // Null: there is none.
  std::exception_ptr Get() const {
    if (!there_) return nullptr;
    return e_;
  }
  // The same, and it is empty then.
  std::exception_ptr Take() {
    if (!there_) return nullptr;
    std::exception_ptr e = std::move(e_);
    std::destroy_at(&e_);
    there_ = false;
    return e;
  }

 private:
  union {
    char nothing_;
    std::exception_ptr e_;
  };
  bool there_ = false;
};

}  // namespace gort::rt

#endif  // GORT_SYNC_INTERNAL_FIRST_EXCEPTION_H_
