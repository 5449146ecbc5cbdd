// tests/anycode/table_libc.cc: the program with the rows that need no library of Debian's.
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {

std::vector<Family> AllFamilies() {
  return {Locks(), Waiting(), ThreadLocals(), Yielding(), Timed(), Fed(), Compute(), Threads()};
}

}  // namespace anycode
