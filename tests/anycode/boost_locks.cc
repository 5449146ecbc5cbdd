// tests/anycode/boost_locks.cc: boost's mutexes.
#include <cstdint>
#include <memory>

#include "boost/thread/lock_guard.hpp"
#include "boost/thread/recursive_mutex.hpp"
#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

template <class M>
Task Recursive(int) {
  struct Shared {
    M mutex;
    Guarded guarded;
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
            while (w.Next()) {
              const boost::lock_guard<M> first(s->mutex);
              Burn(5);
              const boost::lock_guard<M> second(s->mutex);
              s->guarded.Visit(20);
            }
          },
          [s](int64_t ops) { ExpectEq(ops, s->guarded.entered(), "visits"); }};
}

}  // namespace

Family Boost() {
  return {"boost",
          {{"boost_recursive_mutex", Recursive<boost::recursive_mutex>},
           {"boost_recursive_timed_mutex", Recursive<boost::recursive_timed_mutex>}}};
}

}  // namespace anycode
