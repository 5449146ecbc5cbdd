// traceback/static_frames.cc: how the unwinder finds a function's frame description in a statically
// linked program.
// What      _Unwind_Find_FDE, which libgcc calls for each frame of a walk or of an exception, and the
//           call by which the start-up code says where the descriptions begin.
// Why       libgcc 12 has a lock there. A goroutine that is cut off while it throws keeps that lock; a
//           walk in a handler on its thread, or one of it while the world is stopped, would wait for
//           ever. In other programs libgcc asks _dl_find_object(3), which takes none.
// How       the first call sorts all descriptions by address, into memory that nobody sees before it is
//           complete. Who interrupts it makes an index of his own, and one of the two is thrown away.
//           The kernel's page of code (the vdso) has a table of its own.
// Weak      a program that registers code at run time (__register_frame) links libgcc's file, whose
//           names then go before these: all as without gort.
// Layer     5. Any thread, any stack, signal handlers, before constructors.
#ifdef GORT_STATIC_PROGRAM

#include <link.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/platforms/elf_sections.h"
#include "gort/platforms/mem.h"
#include "gort/traceback/dwarf_cursor.h"

namespace gort::rt {
namespace {

struct Description {
  uintptr_t begin = 0;  // of the function
  uintptr_t end = 0;
  const uint8_t* fde = nullptr;
};

struct Entry {
  uintptr_t begin;
  const uint8_t* fde;
};

// Its entries lie behind it.
struct Index {
  size_t bytes;
  size_t n;
  Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
};

// How addresses are written (DW_EH_PE_*).
enum Encoding : uint8_t {
  kWhole = 0x00,
  kUnsigned2 = 0x02,
  kUnsigned4 = 0x03,
  kUnsigned8 = 0x04,
  kSigned2 = 0x0a,
  kSigned4 = 0x0b,
  kSigned8 = 0x0c,
  kFormat = 0x0f,
  kSize = 0x07,  // the format without its sign
  kRelativeToItself = 0x10,
  kRelativeToHeader = 0x30,
  kRelation = 0x70,
  kUnknown = 0xff,
};

constinit std::atomic<const uint8_t*> section{nullptr};
constinit std::atomic<Index*> index{nullptr};

// An entry of the section, a description or what several of them have in common.
class Record {
 public:
  explicit Record(const uint8_t* p) : begin_(p) {
    DwarfCursor c(ElfBytes{p, 12});
    const uint64_t n = c.Length(&wide_);
    id_ = p + c.at();
    next_ = id_ + n;
  }
  bool last() const { return next_ == id_; }
  Record next() const { return Record(next_); }
  const uint8_t* begin() const { return begin_; }
  // 0: what descriptions have in common.
  uint32_t id() const { return DwarfCursor(ElfBytes{id_, 4}).U32(); }
  Record common() const { return Record(id_ - id()); }
  // Behind the id.
  DwarfCursor body() const {
    return DwarfCursor(ElfBytes{id_, static_cast<size_t>(next_ - id_)}, sizeof(uint32_t));
  }
  const uint8_t* at(const DwarfCursor& c) const { return id_ + c.at(); }

 private:
  const uint8_t* begin_;
  const uint8_t* id_;
  const uint8_t* next_;
  bool wide_;
};

size_t BytesOf(uint8_t encoding) {
  switch (encoding & kFormat) {
    case kUnsigned2:
    case kSigned2:
      return 2;
    case kUnsigned4:
    case kSigned4:
      return 4;
    case kWhole:
    case kUnsigned8:
    case kSigned8:
      return 8;
    default:
      return 0;
  }
}

uintptr_t Number(DwarfCursor* c, uint8_t encoding) {
  const uint64_t v = c->Fixed(BytesOf(encoding));
  switch (encoding & kFormat) {
    case kSigned2:
      return static_cast<uintptr_t>(static_cast<int16_t>(v));
    case kSigned4:
      return static_cast<uintptr_t>(static_cast<int32_t>(v));
    default:
      return v;
  }
}

// How the descriptions that share `common` write addresses.
uint8_t EncodingOf(const Record& common) {
  DwarfCursor c = common.body();
  const uint8_t version = c.U8();
  const char* letter = c.Str();
  if (*letter != 'z') return *letter == '\0' ? kWhole : kUnknown;
  c.Uleb();                          // code alignment
  c.Sleb();                          // data alignment
  version == 1 ? c.U8() : c.Uleb();  // return column
  c.Uleb();                          // bytes of what the letters stand for
  while (*++letter != '\0') {
    if (*letter == 'R') return c.U8();
    if (*letter == 'L') c.U8();
    if (*letter == 'P') c.Skip(BytesOf(c.U8()));
  }
  return kWhole;
}

// False: of no function, or written in a way that compilers do not use in a static program.
bool Read(const Record& r, Description* out) {
  if (r.id() == 0) return false;
  const uint8_t encoding = EncodingOf(r.common());
  const uint8_t relation = encoding & kRelation;
  if (encoding == kUnknown || BytesOf(encoding) == 0) return false;
  if (relation != 0 && relation != kRelativeToItself) return false;
  DwarfCursor c = r.body();
  const uintptr_t from = relation == kRelativeToItself ? reinterpret_cast<uintptr_t>(r.at(c)) : 0;
  const uintptr_t first = Number(&c, encoding);
  if (first == 0) return false;  // the linker has left the function out
  out->begin = from + first;
  out->end = out->begin + Number(&c, encoding & kSize);
  out->fde = r.begin();
  return true;
}

// Calls f for each description until it returns true.
template <class F>
void ForEach(const uint8_t* from, F f) {
  Description d;
  for (Record r(from); !r.last(); r = r.next()) {
    if (Read(r, &d) && f(d)) return;
  }
}

Index* MakeIndex(const uint8_t* from) {
  size_t n = 0;
  ForEach(from, [&n](const Description&) {
    ++n;
    return false;
  });
  const size_t bytes = AlignUp(sizeof(Index) + n * sizeof(Entry), PageSize());
  auto* made = static_cast<Index*>(MemMap(bytes, 1));
  if (made == nullptr) return nullptr;
  made->bytes = bytes;
  made->n = n;
  Entry* e = made->entries();
  ForEach(from, [&e](const Description& d) {
    *e++ = {d.begin, d.fde};
    return false;
  });
  std::sort(made->entries(), e, [](const Entry& a, const Entry& b) { return a.begin < b.begin; });
  return made;
}

// The one that all use; null: no memory.
Index* TheIndex(const uint8_t* from) {
  Index* i = index.load(std::memory_order_acquire);  // pairs with: the exchange below
  if (i != nullptr) return i;
  Index* made = MakeIndex(from);
  if (made == nullptr) return nullptr;
  if (index.compare_exchange_strong(i, made, std::memory_order_acq_rel)) return made;
  MemUnmap(made, made->bytes);
  return i;
}

bool FindIn(Index* i, uintptr_t pc, Description* out) {
  const Entry* first = i->entries();
  const Entry* e = std::upper_bound(first, first + i->n, pc,
                                    [](uintptr_t at, const Entry& b) { return at < b.begin; });
  return e != first && Read(Record((e - 1)->fde), out) && pc < out->end;
}

bool FindOneByOne(const uint8_t* from, uintptr_t pc, Description* out) {
  bool found = false;
  ForEach(from, [&](const Description& d) {
    found = d.begin <= pc && pc < d.end;
    if (found) *out = d;
    return found;
  });
  return found;
}

// What the linker puts before the section of descriptions of an object (.eh_frame_hdr): a version, three
// encodings, where the section is, and a table, ordered by address.
class Header {
 public:
  // Of the object that pc is in.
  explicit Header(uintptr_t pc) {
    dl_find_object found;
    if (_dl_find_object(reinterpret_cast<void*>(pc), &found) != 0) return;
    const auto* p = static_cast<const uint8_t*>(found.dlfo_eh_frame);
    if (p != nullptr && p[0] == 1 && p[1] == (kRelativeToItself | kSigned4)) p_ = p;
  }
  // Null: there is no header.
  const uint8_t* section() const {
    if (p_ == nullptr) return nullptr;
    return p_ + 4 + static_cast<int32_t>(DwarfCursor(ElfBytes{p_, 8}, 4).U32());
  }
  bool Find(uintptr_t pc, Description* out) const {
    if (p_ == nullptr || p_[2] != kUnsigned4 || p_[3] != (kRelativeToHeader | kSigned4)) {
      return false;
    }
    const auto* first = reinterpret_cast<const Row*>(p_ + 12);
    const Row* end = first + DwarfCursor(ElfBytes{p_, 12}, 8).U32();
    const Row* r = std::upper_bound(
        first, end, pc, [this](uintptr_t at, const Row& row) { return at < Address(row.begin); });
    return r != first && Read(Record(At((r - 1)->fde)), out) && pc >= out->begin && pc < out->end;
  }

 private:
  struct Row {
    int32_t begin;
    int32_t fde;
  };
  const uint8_t* At(int32_t offset) const { return p_ + offset; }
  uintptr_t Address(int32_t offset) const { return reinterpret_cast<uintptr_t>(At(offset)); }

  const uint8_t* p_ = nullptr;
};

// The program's. Where the start-up code registers nothing there is a header.
const uint8_t* Section() {
  const uint8_t* from = section.load(std::memory_order_acquire);  // pairs with: RegisterFrames
  if (from != nullptr) return from;
  from = Header(reinterpret_cast<uintptr_t>(&Section)).section();
  if (from != nullptr) section.store(from, std::memory_order_release);
  return from;
}

bool FindInProgram(uintptr_t pc, Description* out) {
  const uint8_t* from = Section();
  if (from == nullptr) return false;
  Index* i = TheIndex(from);
  return i != nullptr ? FindIn(i, pc, out) : FindOneByOne(from, pc, out);
}

// The first is the program's.
void RegisterFrames(const void* begin) {
  const uint8_t* none = nullptr;
  section.compare_exchange_strong(none, static_cast<const uint8_t*>(begin),
                                  std::memory_order_acq_rel);
}

// bases: what addresses of text, of data and of this function begin at. The first two are for encodings
// that Read does not take.
const uint8_t* FindFrame(uintptr_t pc, const void* bases[3]) {
  Description d;
  if (!FindInProgram(pc, &d) && !Header(pc).Find(pc, &d)) return nullptr;
  bases[0] = nullptr;
  bases[1] = nullptr;
  bases[2] = reinterpret_cast<const void*>(d.begin);
  return d.fde;
}

}  // namespace
}  // namespace gort::rt

extern "C" {
__attribute__((weak)) const void* _Unwind_Find_FDE(void* pc, void* bases);
__attribute__((weak)) void __register_frame_info(const void* begin, void* room);
__attribute__((weak)) void* __deregister_frame_info(const void* begin);
}

const void* _Unwind_Find_FDE(void* pc, void* bases) {
  return gort::rt::FindFrame(reinterpret_cast<uintptr_t>(pc), static_cast<const void**>(bases));
}

// Called by the compiler's start-up code, with room for what libgcc would keep.
void __register_frame_info(const void* begin, void*) { gort::rt::RegisterFrames(begin); }

// At the end of the program, which unwinds until then.
void* __deregister_frame_info(const void*) { return nullptr; }

#endif  // GORT_STATIC_PROGRAM
