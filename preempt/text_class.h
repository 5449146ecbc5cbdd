// preempt/text_class.h: whose code a function is, from its name in the symbol table.
// What      a name of the C++ ABI tells in which namespace a function was written and, for an
//           instance of a template, with which types: a function that has a type of the program
//           among its template arguments can only have been compiled in a file of the program, even
//           when the template is the library's. That, and nothing about addresses or the order of
//           linking, separates the program from what is linked statically beside it.
// Layer     7. Not in signal handlers: demangling allocates.
#ifndef GORT_PREEMPT_TEXT_CLASS_H_
#define GORT_PREEMPT_TEXT_CLASS_H_

#include <cstdint>

namespace gort::rt {

enum class TextClass : uint8_t {
  kRuntime,  // gort's own code or an allocator's, or unknown
  kLibrary,  // a library's
  kCarrier,  // calls user code and holds nothing meanwhile: may lie below, not be interrupted
  kUser,     // may be interrupted
};

// What is known of a function's symbol besides its name.
struct SymbolFacts {
  // The C or C++ library may be in the same object: only what must be the program's is.
  bool strict = false;
  // The symbol is local to an object file that includes gort's headers.
  bool marked = false;
  // Several files may define it; the linker kept one (inline functions, instances of templates).
  bool weak = false;
};

// Every file that includes proc/go.h has a local symbol of this name.
inline constexpr char kUserFileMark[] = "gort_user_file";

TextClass ClassifySymbol(const char* name, const SymbolFacts& facts);

}  // namespace gort::rt

#endif  // GORT_PREEMPT_TEXT_CLASS_H_
