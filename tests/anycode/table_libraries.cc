// tests/anycode/table_libraries.cc: the program with the rows that use libraries of Debian's.
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {

std::vector<Family> AllFamilies() {
  return {Compression(), Numbers(), Sqlite(), Tbb(),      Boost(),  Asio(),   Protobuf(), Curl(),
          Absl(),        Glib(),    Lmdb(),   Libevent(), Zeromq(), Python(), Uring()};
}

}  // namespace anycode
