#include "gort/profile/internal/mappings.h"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <climits>
#include <cstddef>
#include <cstring>

namespace gort::rt {
namespace {

using Nhdr = ElfW(Nhdr);
using Phdr = ElfW(Phdr);

std::string Hex(const unsigned char* bytes, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) {
    out += "0123456789abcdef"[bytes[i] >> 4];
    out += "0123456789abcdef"[bytes[i] & 15];
  }
  return out;
}

size_t Padded(size_t n) { return (n + 3) & ~size_t{3}; }

// The build id among the notes of a segment; empty: it is not there.
std::string BuildIdIn(const char* at, size_t bytes) {
  while (bytes >= sizeof(Nhdr)) {
    const auto* note = reinterpret_cast<const Nhdr*>(at);
    const char* name = at + sizeof *note;
    const size_t whole = sizeof *note + Padded(note->n_namesz) + Padded(note->n_descsz);
    if (whole > bytes) break;
    if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
      return Hex(reinterpret_cast<const unsigned char*>(name + 4), note->n_descsz);
    }
    at += whole;
    bytes -= whole;
  }
  return {};
}

std::string BuildIdOf(const dl_phdr_info& object) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const Phdr& p = object.dlpi_phdr[i];
    if (p.p_type != PT_NOTE) continue;
    std::string id =
        BuildIdIn(reinterpret_cast<const char*>(object.dlpi_addr + p.p_vaddr), p.p_filesz);
    if (!id.empty()) return id;
  }
  return {};
}

// The program's own name is empty in the loader's list.
std::string FileOf(const dl_phdr_info& object) {
  if (object.dlpi_name != nullptr && object.dlpi_name[0] != '\0') return object.dlpi_name;
  char path[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : std::string();
}

void AddCode(const dl_phdr_info& object, std::vector<CodeMapping>* out) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const Phdr& p = object.dlpi_phdr[i];
    if (p.p_type != PT_LOAD || (p.p_flags & PF_X) == 0) continue;
    const uint64_t start = object.dlpi_addr + p.p_vaddr;
    out->push_back(
        CodeMapping{start, start + p.p_memsz, p.p_offset, FileOf(object), BuildIdOf(object)});
  }
}

}  // namespace

std::vector<CodeMapping> CodeMappings() {
  std::vector<CodeMapping> out;
  dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* arg) {
        AddCode(*object, static_cast<std::vector<CodeMapping>*>(arg));
        return 0;
      },
      &out);
  return out;
}

}  // namespace gort::rt
