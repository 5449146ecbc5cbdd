// platforms/elf_symbols.h: the symbol table of a program's or a library's file. See elf(5).
// Layer     2. Names point into the mapped file, which stays mapped for as long as the process
//           lives. A file that is cut short, or none at all, has no symbols.
// Contract  | call      | user G | g0 | no P | gsignal | foreign | parks | allocates  |
//           | all calls |   x    | x  |  x   |    x    |    x    |   -   | maps pages |
//           errno is left as it was.
#ifndef GORT_PLATFORMS_ELF_SYMBOLS_H_
#define GORT_PLATFORMS_ELF_SYMBOLS_H_

#include <elf.h>
#include <link.h>

#include <cstddef>

namespace gort::rt {

using ElfSym = ElfW(Sym);

struct ElfSymbols {
  const ElfSym* syms = nullptr;  // [n]; null: there are none
  size_t n = 0;
  const char* strings = nullptr;
  size_t string_bytes = 0;  // the last of which is NUL

  bool empty() const { return n == 0; }
  // "" when the file is wrong about it.
  const char* NameOf(const ElfSym& s) const {
    return s.st_name < string_bytes ? strings + s.st_name : "";
  }
};

inline unsigned ElfSymbolType(const ElfSym& s) { return s.st_info & 15u; }
inline unsigned ElfSymbolBinding(const ElfSym& s) { return s.st_info >> 4; }

// Of a file of `size` bytes at p, which is as aligned as a page: .symtab, else .dynsym.
ElfSymbols ElfSymbolsIn(const char* p, size_t size);
// Of the file `path`.
ElfSymbols ElfSymbolsOf(const char* path);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_ELF_SYMBOLS_H_
