// tests/anycode/table_system.cc: the program with the rows about the system beyond threads.
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {

std::vector<Family> AllFamilies() { return {Processes(), Kernel(), Whole()}; }

}  // namespace anycode
