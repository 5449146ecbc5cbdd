#include "traceback/symbolize.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

namespace gort::rt {
namespace {

using Ehdr = ElfW(Ehdr);
using Shdr = ElfW(Shdr);
using Sym = ElfW(Sym);

constexpr int kMaxImages = 64;
constexpr int kMaxCached = 512;

// A mapped file. Filled by whoever moves state from kFree to kLoading; constant once kReady.
struct Image {
  enum State { kFree, kLoading, kReady };
  std::atomic<int> state{kFree};
  uintptr_t base = 0;  // what the loader added to the file's addresses
  const Sym* syms = nullptr;
  size_t n_syms = 0;
  const char* strings = nullptr;
  size_t string_bytes = 0;
  char path[sizeof Symbol::object] = {};
};
constinit Image images[kMaxImages];

// Symbols found lately, by address; an entry is right or wrong by itself, so a race only costs
// time.
struct Cached {
  std::atomic<const Image*> image{nullptr};
  std::atomic<const Sym*> sym{nullptr};
};
constinit Cached cache[kMaxCached];

bool Covers(const Sym& s, uintptr_t addr) {
  return addr - s.st_value < (s.st_size != 0 ? s.st_size : 1);
}

// True when [offset, offset + bytes) lies in a file of `size` bytes.
bool Inside(size_t offset, size_t bytes, size_t size) {
  return offset <= size && bytes <= size - offset;
}

// Finds the best symbol table of a file that is mapped at p: .symtab, else .dynsym.
void FindTables(const char* p, size_t size, Image* image) {
  const Ehdr* eh = reinterpret_cast<const Ehdr*>(p);
  if (size < sizeof *eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0) return;
  if (eh->e_shentsize != sizeof(Shdr) || !Inside(eh->e_shoff, eh->e_shnum * sizeof(Shdr), size)) {
    return;
  }
  const Shdr* sections = reinterpret_cast<const Shdr*>(p + eh->e_shoff);
  for (ElfW(Word) type : {SHT_SYMTAB, SHT_DYNSYM}) {
    for (int i = 0; i < eh->e_shnum; ++i) {
      const Shdr& s = sections[i];
      if (s.sh_type != type || s.sh_link >= eh->e_shnum) continue;
      const Shdr& strings = sections[s.sh_link];
      if (!Inside(s.sh_offset, s.sh_size, size) ||
          !Inside(strings.sh_offset, strings.sh_size, size))
        continue;
      image->syms = reinterpret_cast<const Sym*>(p + s.sh_offset);
      image->n_syms = s.sh_size / sizeof(Sym);
      image->strings = p + strings.sh_offset;
      image->string_bytes = strings.sh_size;
      return;
    }
  }
}

void Load(const char* path, Image* image) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  struct stat st;
  if (fstat(fd, &st) == 0 && st.st_size > 0) {
    size_t size = static_cast<size_t>(st.st_size);
    void* p = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p != MAP_FAILED) {
      FindTables(static_cast<const char*>(p), size, image);
      if (image->syms == nullptr) munmap(p, size);
    }
  }
  close(fd);
}

// The program is found by this name even where its file has been replaced.
constexpr char kSelf[] = "/proc/self/exe";

// The program's own name is empty in the loader's list.
bool IsProgram(const char* name) { return name == nullptr || name[0] == '\0'; }

// The object's file.
void CopyPath(const char* name, char (*path)[sizeof Symbol::object]) {
  if (!IsProgram(name)) {
    strncpy(*path, name, sizeof *path - 1);
  } else if (readlink(kSelf, *path, sizeof *path - 1) < 0) {
    (*path)[0] = '\0';
  }
}

// The image of the object that is loaded at base; null: no room, or another thread is loading it.
const Image* ImageOf(uintptr_t base, const char* name) {
  for (Image& image : images) {
    int state = image.state.load(std::memory_order_acquire);  // pairs with: the store of kReady
    if (state == Image::kReady && image.base == base) return &image;
    if (state == Image::kLoading) return nullptr;
    if (state == Image::kFree) {
      if (!image.state.compare_exchange_strong(state, Image::kLoading, std::memory_order_acq_rel)) {
        return nullptr;
      }
      image.base = base;
      CopyPath(name, &image.path);
      Load(IsProgram(name) ? kSelf : name, &image);
      image.state.store(Image::kReady, std::memory_order_release);  // pairs with: the load above
      return &image;
    }
  }
  return nullptr;
}

const Sym* FindSym(const Image& image, uintptr_t addr) {
  Cached& entry = cache[(addr >> 2) % kMaxCached];
  // Relaxed: both point to what is constant since before they were stored, and are checked.
  const Sym* hit = entry.sym.load(std::memory_order_relaxed);
  if (hit != nullptr && entry.image.load(std::memory_order_relaxed) == &image &&
      hit >= image.syms && hit < image.syms + image.n_syms && Covers(*hit, addr)) {
    return hit;
  }
  const Sym* best = nullptr;
  for (size_t i = 0; i < image.n_syms; ++i) {
    const Sym& s = image.syms[i];
    int type = s.st_info & 15;
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || s.st_shndx == SHN_UNDEF) continue;
    if (!Covers(s, addr) || s.st_name >= image.string_bytes) continue;
    best = &s;
    if ((s.st_info >> 4) == STB_GLOBAL) break;  // an alias that others know
  }
  if (best != nullptr) {
    entry.image.store(&image, std::memory_order_relaxed);
    entry.sym.store(best, std::memory_order_relaxed);
  }
  return best;
}

struct Query {
  uintptr_t pc;
  Symbol* out;
};

int Visit(dl_phdr_info* info, size_t, void* arg) {
  Query* q = static_cast<Query*>(arg);
  uintptr_t addr = q->pc - info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& ph = info->dlpi_phdr[i];
    if (ph.p_type != PT_LOAD || addr - ph.p_vaddr >= ph.p_memsz) continue;
    Symbol* out = q->out;
    *out = Symbol{};
    out->offset = addr;
    const Image* image = ImageOf(info->dlpi_addr, info->dlpi_name);
    if (image != nullptr) {
      memcpy(out->object, image->path, sizeof out->object);
    } else {
      CopyPath(info->dlpi_name, &out->object);
    }
    const Sym* s = image == nullptr ? nullptr : FindSym(*image, addr);
    if (s != nullptr) {
      out->name = image->strings + s->st_name;
      out->start = info->dlpi_addr + s->st_value;
    }
    return 1;
  }
  return 0;
}

}  // namespace

bool Symbolize(uintptr_t pc, Symbol* out) {
  Query q{pc, out};
  return dl_iterate_phdr(&Visit, &q) != 0;
}

}  // namespace gort::rt
