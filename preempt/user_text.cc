#include "gort/preempt/user_text.h"

#include <link.h>

#include <atomic>
#include <cstring>

#include "gort/platforms/auxv.h"
#include "gort/platforms/elf_symbols.h"

namespace gort::rt {
namespace {

using Ehdr = ElfW(Ehdr);
using Phdr = ElfW(Phdr);

// ---- registered objects ----

// Filled by one thread, constant once `ready`.
struct Object {
  std::atomic<bool> ready{false};
  uintptr_t bias = 0;  // what the loader added to the file's addresses
  uintptr_t lo = 0;    // of its executable segments
  uintptr_t hi = 0;
  ElfSymbols symbols;
  bool interpreted = false;                // by the loader: not everything is linked in
  mutable std::atomic<int8_t> strict{-1};  // -1: not known yet
};
constinit Object objects[kMaxObjects];
constinit std::atomic<int> n_objects{0};

const Object* ObjectOf(uintptr_t pc) {
  for (const Object& o : objects) {
    if (!o.ready.load(std::memory_order_acquire)) return nullptr;  // pairs with: AddObject
    if (pc >= o.lo && pc < o.hi) return &o;
  }
  return nullptr;
}

// True when the C++ library's own code is in the object.
bool DefinesCxxLibrary(const Object& o) {
  for (size_t i = 0; i < o.symbols.n; ++i) {
    const ElfSym& s = o.symbols.syms[i];
    if (s.st_shndx != SHN_UNDEF && strcmp(o.symbols.NameOf(s), "__cxa_throw") == 0) return true;
  }
  return false;
}

// Looks at every symbol, so not before somebody asks; all who ask find the same.
bool IsStrict(const Object& o) {
  int8_t strict = o.strict.load(std::memory_order_relaxed);
  if (strict < 0) {
    strict = !o.interpreted || DefinesCxxLibrary(o) ? 1 : 0;
    o.strict.store(strict, std::memory_order_relaxed);
  }
  return strict == 1;
}

// One thread at a time; the program first.
bool AddObject(const Phdr* phdrs, int n, uintptr_t bias, const char* path) {
  static constinit std::atomic<bool> busy{false};
  if (busy.exchange(true, std::memory_order_acquire)) return false;
  int at = n_objects.load(std::memory_order_relaxed);
  bool ok = false;
  if (at < kMaxObjects) {
    Object& o = objects[at];
    o.bias = bias;
    o.lo = UINTPTR_MAX;
    o.hi = 0;
    bool interpreter = false;
    for (int i = 0; i < n; ++i) {
      const Phdr& ph = phdrs[i];
      if (ph.p_type == PT_INTERP) interpreter = true;
      if (ph.p_type != PT_LOAD || (ph.p_flags & PF_X) == 0) continue;
      uintptr_t lo = bias + ph.p_vaddr;
      if (lo < o.lo) o.lo = lo;
      if (lo + ph.p_memsz > o.hi) o.hi = lo + ph.p_memsz;
    }
    if (o.lo < o.hi) o.symbols = ElfSymbolsOf(path);
    ok = !o.symbols.empty();
    if (ok) {
      // A library never has the C library.
      o.interpreted = at != 0 || interpreter;
      n_objects.store(at + 1, std::memory_order_relaxed);
      o.ready.store(true, std::memory_order_release);  // pairs with: ObjectOf
    }
  }
  busy.store(false, std::memory_order_release);
  return ok;
}

// ---- classification ----

bool IsFunction(const ElfSym& s) {
  return ElfSymbolType(s) == STT_FUNC && s.st_shndx != SHN_UNDEF && s.st_size != 0;
}

// Local symbols come in groups, one for each object file, each begun by the file's name.
bool FileIsMarked(const Object& o, size_t at) {
  size_t i = at;
  while (i > 0 && ElfSymbolType(o.symbols.syms[i]) != STT_FILE) --i;
  for (++i; i < o.symbols.n; ++i) {
    const ElfSym& s = o.symbols.syms[i];
    if (ElfSymbolType(s) == STT_FILE || ElfSymbolBinding(s) != STB_LOCAL) return false;
    if (strcmp(o.symbols.NameOf(s), kUserFileMark) == 0) return true;
  }
  return false;
}

TextClass ClassOf(const Object& o, size_t i) {
  const ElfSym& s = o.symbols.syms[i];
  SymbolFacts facts;
  facts.strict = IsStrict(o);
  facts.weak = ElfSymbolBinding(s) == STB_WEAK;
  facts.marked = ElfSymbolBinding(s) == STB_LOCAL && FileIsMarked(o, i);
  return ClassifySymbol(o.symbols.NameOf(s), facts);
}

// ---- the table ----

constexpr uintptr_t kPage = 4096;
constexpr int kBuckets = 1024;
constexpr int kMaxEntries = 16384;

struct Entry {
  uintptr_t lo = 0;
  uintptr_t hi = 0;
  const Entry* next = nullptr;
  TextClass cls = TextClass::kRuntime;
};
constinit Entry pool[kMaxEntries];
constinit int pool_used = 0;  // guarded by resolving
constinit std::atomic<bool> table_full{false};
constinit std::atomic<const Entry*> buckets[kBuckets];

size_t BucketOf(uintptr_t pc) { return (pc / kPage) * 0x9e3779b97f4a7c15u >> 54; }
static_assert(kBuckets == 1 << (64 - 54));

const Entry* Find(uintptr_t pc) {
  // pairs with: Publish
  for (const Entry* e = buckets[BucketOf(pc)].load(std::memory_order_acquire); e != nullptr;
       e = e->next) {
    if (pc >= e->lo && pc < e->hi) return e;
  }
  return nullptr;
}

void Publish(const TextRange& range, uintptr_t pc) {
  if (Find(pc) != nullptr) return;
  if (pool_used == kMaxEntries) {
    table_full.store(true, std::memory_order_relaxed);
    return;
  }
  Entry* e = &pool[pool_used++];
  uintptr_t page = pc / kPage * kPage;
  e->lo = range.lo > page ? range.lo : page;
  e->hi = range.hi < page + kPage ? range.hi : page + kPage;
  e->cls = range.cls;
  std::atomic<const Entry*>& bucket = buckets[BucketOf(pc)];
  e->next = bucket.load(std::memory_order_relaxed);
  bucket.store(e, std::memory_order_release);  // pairs with: Find
}

// ---- what the handler asks for ----

constexpr int kMaxWanted = 64;
constinit std::atomic<uintptr_t> wanted[kMaxWanted];
constinit std::atomic<bool> any_wanted{false};
constinit std::atomic<bool> resolving{false};

void Want(uintptr_t pc) {
  for (std::atomic<uintptr_t>& slot : wanted) {
    uintptr_t seen = slot.load(std::memory_order_relaxed);
    if (seen == pc) break;
    if (seen == 0 &&
        (slot.compare_exchange_strong(seen, pc, std::memory_order_relaxed) || seen == pc)) {
      break;
    }
  }
  any_wanted.store(true, std::memory_order_release);  // pairs with: ResolveWanted
}

}  // namespace

bool UserTextLookup(uintptr_t pc, TextClass* out) {
  if (ObjectOf(pc) == nullptr) {
    *out = TextClass::kLibrary;
    return true;
  }
  if (const Entry* e = Find(pc); e != nullptr) {
    *out = e->cls;
    return true;
  }
  *out = TextClass::kRuntime;
  if (table_full.load(std::memory_order_relaxed)) return true;
  Want(pc);
  return false;
}

TextRange ClassifyAddress(uintptr_t pc) {
  TextRange range{pc, pc + 1, TextClass::kRuntime};
  const Object* o = ObjectOf(pc);
  if (o == nullptr) return range;
  bool found = false;
  uintptr_t gap_lo = o->lo;  // what no function covers (PLT, padding) is one range
  uintptr_t gap_hi = o->hi;
  for (size_t i = 0; i < o->symbols.n; ++i) {
    const ElfSym& s = o->symbols.syms[i];
    if (!IsFunction(s)) continue;
    uintptr_t lo = o->bias + s.st_value;
    uintptr_t hi = lo + s.st_size;
    if (hi <= pc && hi > gap_lo) gap_lo = hi;
    if (lo > pc && lo < gap_hi) gap_hi = lo;
    if (pc < lo || pc >= hi) continue;
    TextClass cls = ClassOf(*o, i);
    if (!found) {
      range = {lo, hi, cls};
      found = true;
      continue;
    }
    // Several names for one place (aliases, folded functions): it is what the worst of them is.
    if (lo > range.lo) range.lo = lo;
    if (hi < range.hi) range.hi = hi;
    if (cls < range.cls) range.cls = cls;
  }
  if (!found) range = {gap_lo, gap_hi, TextClass::kRuntime};
  return range;
}

bool ResolveWanted() {
  if (!any_wanted.load(std::memory_order_acquire)) return true;  // pairs with: Want
  if (resolving.exchange(true, std::memory_order_acquire)) return false;
  any_wanted.store(false, std::memory_order_relaxed);
  for (std::atomic<uintptr_t>& slot : wanted) {
    uintptr_t pc = slot.load(std::memory_order_relaxed);
    if (pc == 0) continue;
    Publish(ClassifyAddress(pc), pc);
    slot.store(0, std::memory_order_relaxed);
  }
  resolving.store(false, std::memory_order_release);
  return true;
}

bool UserTextAddProgram() {
  auto* phdrs = reinterpret_cast<const Phdr*>(GetAuxval(AuxKey::kPhdr));
  int n = static_cast<int>(GetAuxval(AuxKey::kPhnum));
  if (phdrs == nullptr) return false;
  // The headers follow the file's first bytes.
  uintptr_t bias = 0;
  for (int i = 0; i < n; ++i) {
    if (phdrs[i].p_type != PT_LOAD || phdrs[i].p_offset != 0) continue;
    bias = reinterpret_cast<uintptr_t>(phdrs) - sizeof(Ehdr) - phdrs[i].p_vaddr;
  }
  return AddObject(phdrs, n, bias, "/proc/self/exe");
}

namespace {

struct Search {
  uintptr_t address;
  bool ok;
};

int Visit(dl_phdr_info* info, size_t, void* arg) {
  Search* search = static_cast<Search*>(arg);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const Phdr& ph = info->dlpi_phdr[i];
    if (ph.p_type != PT_LOAD || search->address - (info->dlpi_addr + ph.p_vaddr) >= ph.p_memsz) {
      continue;
    }
    if (info->dlpi_name == nullptr || info->dlpi_name[0] == '\0') return 1;  // the program
    search->ok = AddObject(info->dlpi_phdr, info->dlpi_phnum, info->dlpi_addr, info->dlpi_name);
    return 1;
  }
  return 0;
}

}  // namespace

bool UserTextAddLibrary(const void* address) {
  uintptr_t at = reinterpret_cast<uintptr_t>(address);
  if (ObjectOf(at) != nullptr) return true;
  Search search{at, false};
  dl_iterate_phdr(&Visit, &search);
  return search.ok;
}

}  // namespace gort::rt
