#include "gort/platforms/elf_sections.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gort::rt {
namespace {

using Ehdr = ElfW(Ehdr);
using Shdr = ElfW(Shdr);

bool Inside(uint64_t offset, uint64_t bytes, size_t size) {
  return offset <= size && bytes <= size - offset;
}

// False: there is no whole table of sections.
bool IsElf(ElfBytes file) {
  const Ehdr* eh = reinterpret_cast<const Ehdr*>(file.p);
  return file.n >= sizeof *eh && memcmp(eh->e_ident, ELFMAG, SELFMAG) == 0 &&
         eh->e_shentsize == sizeof(Shdr) && eh->e_shoff % alignof(Shdr) == 0 &&
         Inside(eh->e_shoff, eh->e_shnum * sizeof(Shdr), file.n) && eh->e_shstrndx < eh->e_shnum;
}

ElfBytes Contents(ElfBytes file, const Shdr& s) {
  if (s.sh_type == SHT_NOBITS || (s.sh_flags & SHF_COMPRESSED) != 0) return {};
  if (!Inside(s.sh_offset, s.sh_size, file.n)) return {};
  return {file.p + s.sh_offset, s.sh_size};
}

bool HasName(ElfBytes strings, size_t at, const char* name) {
  const size_t bytes = strlen(name) + 1;
  return at < strings.n && bytes <= strings.n - at && memcmp(strings.p + at, name, bytes) == 0;
}

}  // namespace

ElfBytes ElfMap(const char* path) {
  const int saved_errno = errno;
  ElfBytes file;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
    const size_t size = static_cast<size_t>(st.st_size);
    void* p = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p != MAP_FAILED) file = {static_cast<const uint8_t*>(p), size};
    if (file.p != nullptr && !IsElf(file)) {
      munmap(p, size);
      file = {};
    }
  }
  if (fd >= 0) close(fd);
  errno = saved_errno;
  return file;
}

ElfBytes ElfSection(ElfBytes file, const char* name) {
  if (file.p == nullptr) return {};
  const Ehdr* eh = reinterpret_cast<const Ehdr*>(file.p);
  const Shdr* sections = reinterpret_cast<const Shdr*>(file.p + eh->e_shoff);
  const ElfBytes strings = Contents(file, sections[eh->e_shstrndx]);
  for (int i = 0; i < eh->e_shnum; ++i) {
    if (HasName(strings, sections[i].sh_name, name)) return Contents(file, sections[i]);
  }
  return {};
}

}  // namespace gort::rt
