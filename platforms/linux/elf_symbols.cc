#include "gort/platforms/elf_symbols.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace gort::rt {
namespace {

using Ehdr = ElfW(Ehdr);
using Shdr = ElfW(Shdr);

// True when [offset, offset + bytes) lies in a file of `size` bytes.
bool Inside(uint64_t offset, uint64_t bytes, size_t size) {
  return offset <= size && bytes <= size - offset;
}

// The symbols of section `table`, if it and its strings are whole.
ElfSymbols Read(const char* p, size_t size, const Shdr& table, const Shdr& strings) {
  if (!Inside(table.sh_offset, table.sh_size, size) || table.sh_offset % alignof(ElfSym) != 0 ||
      !Inside(strings.sh_offset, strings.sh_size, size) || strings.sh_size == 0 ||
      p[strings.sh_offset + strings.sh_size - 1] != '\0') {
    return {};
  }
  ElfSymbols found;
  found.syms = reinterpret_cast<const ElfSym*>(p + table.sh_offset);
  found.n = table.sh_size / sizeof(ElfSym);
  found.strings = p + strings.sh_offset;
  found.string_bytes = strings.sh_size;
  return found;
}

}  // namespace

ElfSymbols ElfSymbolsIn(const char* p, size_t size) {
  const Ehdr* eh = reinterpret_cast<const Ehdr*>(p);
  if (size < sizeof *eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0) return {};
  if (eh->e_shentsize != sizeof(Shdr) || eh->e_shoff % alignof(Shdr) != 0 ||
      !Inside(eh->e_shoff, eh->e_shnum * sizeof(Shdr), size)) {
    return {};
  }
  const Shdr* sections = reinterpret_cast<const Shdr*>(p + eh->e_shoff);
  for (ElfW(Word) type : {SHT_SYMTAB, SHT_DYNSYM}) {
    for (int i = 0; i < eh->e_shnum; ++i) {
      const Shdr& s = sections[i];
      if (s.sh_type != type || s.sh_link >= eh->e_shnum) continue;
      ElfSymbols found = Read(p, size, s, sections[s.sh_link]);
      if (!found.empty()) return found;
    }
  }
  return {};
}

ElfSymbols ElfSymbolsOf(const char* path) {
  const int saved_errno = errno;
  ElfSymbols found;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
    const size_t size = static_cast<size_t>(st.st_size);
    void* p = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p != MAP_FAILED) {
      found = ElfSymbolsIn(static_cast<const char*>(p), size);
      if (found.empty()) munmap(p, size);
    }
  }
  if (fd >= 0) close(fd);
  errno = saved_errno;
  return found;
}

}  // namespace gort::rt
