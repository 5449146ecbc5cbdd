#include "gort/traceback/symbolize.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "gort/platforms/elf_symbols.h"

namespace gort::rt {
namespace {

constexpr int kMaxCached = 512;

// A mapped file. Filled by whoever moves state from kFree to kLoading; constant once kReady.
struct Image {
  enum State { kFree, kLoading, kReady };
  std::atomic<int> state{kFree};
  uintptr_t base = 0;  // what the loader added to the file's addresses
  ElfSymbols symbols;
  bool is_program = false;
  char path[sizeof Symbol::object] = {};
};
constinit Image images[kMaxImages];

// Symbols found lately, by address; an entry is right or wrong by itself, so a race only costs
// time.
struct Cached {
  std::atomic<const Image*> image{nullptr};
  std::atomic<const ElfSym*> sym{nullptr};
};
constinit Cached cache[kMaxCached];

bool Covers(const ElfSym& s, uintptr_t addr) {
  return addr - s.st_value < (s.st_size != 0 ? s.st_size : 1);
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

// False: another object has taken the place of the one that the image is of.
bool IsOf(const Image& image, uintptr_t base, const char* name) {
  return image.base == base &&
         (IsProgram(name) || strncmp(image.path, name, sizeof image.path - 1) == 0);
}

// The image of the object that is loaded at base; null: no room, or another thread is loading it.
const Image* ImageOf(uintptr_t base, const char* name) {
  for (Image& image : images) {
    int state = image.state.load(std::memory_order_acquire);  // pairs with: the store of kReady
    if (state == Image::kReady && IsOf(image, base, name)) return &image;
    if (state == Image::kLoading) return nullptr;
    if (state == Image::kFree) {
      if (!image.state.compare_exchange_strong(state, Image::kLoading, std::memory_order_acq_rel)) {
        return nullptr;
      }
      image.base = base;
      CopyPath(name, &image.path);
      image.is_program = IsProgram(name);
      image.symbols = ElfSymbolsOf(IsProgram(name) ? kSelf : name);
      image.state.store(Image::kReady, std::memory_order_release);  // pairs with: the load above
      return &image;
    }
  }
  return nullptr;
}

const ElfSym* FindSym(const Image& image, uintptr_t addr) {
  const ElfSymbols& symbols = image.symbols;
  Cached& entry = cache[(addr >> 2) % kMaxCached];
  // Relaxed: both point to what is constant since before they were stored, and are checked.
  const ElfSym* hit = entry.sym.load(std::memory_order_relaxed);
  if (hit != nullptr && entry.image.load(std::memory_order_relaxed) == &image &&
      hit >= symbols.syms && hit < symbols.syms + symbols.n && Covers(*hit, addr)) {
    return hit;
  }
  const ElfSym* best = nullptr;
  for (size_t i = 0; i < symbols.n; ++i) {
    const ElfSym& s = symbols.syms[i];
    const unsigned type = ElfSymbolType(s);
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || s.st_shndx == SHN_UNDEF) continue;
    if (!Covers(s, addr) || s.st_name >= symbols.string_bytes) continue;
    best = &s;
    if (ElfSymbolBinding(s) == STB_GLOBAL) break;  // an alias that others know
  }
  if (best != nullptr) {
    entry.image.store(&image, std::memory_order_relaxed);
    entry.sym.store(best, std::memory_order_relaxed);
  }
  return best;
}

}  // namespace

const char* ImageFile(int image) { return images[image].is_program ? kSelf : images[image].path; }

void SymbolizeInit(uintptr_t pc) {
  dl_find_object found;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &found) != 0) return;
  const link_map& object = *found.dlfo_link_map;
  ImageOf(object.l_addr, object.l_name != nullptr ? object.l_name : "");
}

// _dl_find_object(3) takes no lock, unlike dl_iterate_phdr: this may run while other goroutines are
// frozen, one of which may wait for a P with the loader's lock held.
bool Symbolize(uintptr_t pc, Symbol* out) {
  dl_find_object found;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &found) != 0) return false;
  const link_map& object = *found.dlfo_link_map;
  const char* name = object.l_name != nullptr ? object.l_name : "";
  const uintptr_t addr = pc - object.l_addr;
  *out = Symbol{};
  out->offset = addr;
  const Image* image = ImageOf(object.l_addr, name);
  if (image != nullptr) {
    memcpy(out->object, image->path, sizeof out->object);
    out->image = static_cast<int>(image - images);
  } else {
    CopyPath(name, &out->object);
  }
  const ElfSym* sym = image == nullptr ? nullptr : FindSym(*image, addr);
  if (sym != nullptr) {
    out->name = image->symbols.NameOf(*sym);
    out->start = object.l_addr + sym->st_value;
  }
  return true;
}

}  // namespace gort::rt
