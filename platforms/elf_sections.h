// platforms/elf_sections.h: the sections of a program's or a library's file. See elf(5).
// Layer     2. A file stays mapped for as long as the process lives.
// Contract  | call      | user G | g0 | no P | gsignal | foreign | parks | allocates  |
//           | all calls |   x    | x  |  x   |    x    |    x    |   -   | maps pages |
//           errno is left as it was.
#ifndef GORT_PLATFORMS_ELF_SECTIONS_H_
#define GORT_PLATFORMS_ELF_SECTIONS_H_

#include <cstddef>
#include <cstdint>

namespace gort::rt {

// Bytes that others own.
struct ElfBytes {
  const uint8_t* p = nullptr;
  size_t n = 0;
};

// Maps the file `path`; empty when there is none, or when it is no ELF file of this machine's width.
ElfBytes ElfMap(const char* path);
// The contents of the section with that name in `file`, which ElfMap returned. Empty: there is none, it
// is compressed, or the file is cut short.
ElfBytes ElfSection(ElfBytes file, const char* name);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_ELF_SECTIONS_H_
