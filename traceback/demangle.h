// traceback/demangle.h: C++ names for people.
// What      turns the linker's name of a function (Itanium C++ ABI, chapter 5.1) into its qualified
//           name: no parameters, template arguments as "<...>", lambdas as "{lambda#1}".
// Why own   abi::__cxa_demangle allocates; a traceback is printed when memory may be locked,
//           corrupted or exhausted. Frames are told apart by name, not by signature.
// Layer     5. Pure; async-signal-safe.
#ifndef GORT_TRACEBACK_DEMANGLE_H_
#define GORT_TRACEBACK_DEMANGLE_H_

#include <cstddef>

namespace gort::rt {

// Writes the name and a NUL to out[0 .. cap). False: not a C++ name, or one that uses what this
// does not know (expressions in template arguments, for one); out is then undefined.
bool Demangle(const char* mangled, char* out, size_t cap);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_DEMANGLE_H_
