// traceback/symbolize.h: which function and which file an address belongs to.
// What      reads the ELF symbol tables of the program and its libraries from their files, so that
//           static and hidden functions have names too (dladdr knows exported ones only).
// Layer     5. Allocates nothing but address space: a file is mapped on first use and stays so.
//           Signal handlers: yes, but for the loader's lock that dl_iterate_phdr takes.
//           Thread-safe, without locks of its own.             Go: findfunc, funcname (symtab.go)
#ifndef GORT_TRACEBACK_SYMBOLIZE_H_
#define GORT_TRACEBACK_SYMBOLIZE_H_

#include <cstdint>

namespace gort::rt {

// How many objects are read; addresses in others have no names.
inline constexpr int kMaxImages = 64;

struct Symbol {
  const char* name = nullptr;  // mangled; null: unknown. Lives for ever
  uintptr_t start = 0;         // address of the function
  char object[256] = {};       // path of the program or library; empty: unknown
  uintptr_t offset = 0;        // the address as the object's file has it, what addr2line -e wants
  int image = -1;              // below kMaxImages: the object; -1: not read
};

// The path by which the file of Symbol::image can be opened.
const char* ImageFile(int image);
// Maps the file of the object that has pc, so that a report needs none to be opened.
void SymbolizeInit(uintptr_t pc);
// Looks pc up (Frame::lookup_pc). False: not in any object; then *out is unchanged.
bool Symbolize(uintptr_t pc, Symbol* out);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_SYMBOLIZE_H_
