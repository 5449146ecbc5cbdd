#include "gort/traceback/lines.h"

#include <atomic>
#include <cstdint>
#include <cstring>

#include "gort/traceback/demangle.h"
#include "gort/traceback/dwarf_unit.h"

namespace gort::rt {
namespace {

// A unit with what its first entry says of its code.
struct CodeUnit {
  DwarfUnit unit;
  DwarfEntry top;
};

// The debug information of an object. The thread that moves state from kFree to kLoading reads it.
struct Loaded {
  enum State { kFree, kLoading, kReady };
  std::atomic<int> state{kFree};
  DwarfObject object;
  CodeUnit* units = nullptr;
  size_t n = 0;
};
constinit Loaded loaded[kMaxImages];

bool ReadTop(const DwarfObject& object, CodeUnit* u) {
  DwarfCursor c = EntriesOf(object, u->unit, u->unit.entries);
  return ReadEntry(object, u->unit, &c, &u->top);
}

void ReadUnits(Loaded* l) {
  const size_t n = CountUnits(l->object);
  l->units = static_cast<CodeUnit*>(PermanentAlloc(n * sizeof(CodeUnit)));
  if (l->units == nullptr) return;
  for (size_t at = 0; at < l->object.info.n && l->n < n;) {
    CodeUnit& u = l->units[l->n];
    if (ReadUnit(l->object, &at, &u.unit) && ReadTop(l->object, &u)) ++l->n;
  }
}

// Null: no debug information, or another thread is reading it.
const Loaded* ObjectOf(int image) {
  Loaded& l = loaded[image];
  int state = l.state.load(std::memory_order_acquire);  // pairs with: the store of kReady
  if (state == Loaded::kFree &&
      l.state.compare_exchange_strong(state, Loaded::kLoading, std::memory_order_acq_rel)) {
    l.object = DwarfObject::Of(ImageFile(image));
    ReadUnits(&l);
    l.state.store(Loaded::kReady, std::memory_order_release);  // pairs with: the load above
    state = Loaded::kReady;
  }
  return state == Loaded::kReady && l.n != 0 ? &l : nullptr;
}

// The unit that has the code at addr; null: none.
const DwarfUnit* FindUnit(const Loaded& l, uint64_t addr) {
  for (size_t i = 0; i < l.n; ++i) {
    if (CoversAddr(l.object, l.units[i].unit, l.units[i].top, addr)) return &l.units[i].unit;
  }
  return nullptr;
}

bool UnitAt(const DwarfObject& object, size_t place, DwarfUnit* unit) {
  for (size_t at = 0; at < object.info.n && at <= place;) {
    if (ReadUnit(object, &at, unit) && place >= unit->entries && place < unit->end) return true;
  }
  return false;
}

// The functions at an address, the outermost first.
struct Chain {
  int n = 0;
  size_t at[SourceLines::kMax] = {};  // entries
};

// Entries of functions that cover addr lie within each other, so they are met from the outside inwards.
void FindChain(const DwarfObject& object, const DwarfUnit& unit, uint64_t addr, Chain* chain) {
  DwarfCursor c = EntriesOf(object, unit, unit.entries);
  int depth = 0;
  int function_depth = 0;
  DwarfEntry e;
  while (!c.done()) {
    if (!ReadEntry(object, unit, &c, &e)) {
      if (chain->n > 0 && depth <= function_depth + 1) return;
      --depth;
      continue;
    }
    const bool is_function = e.tag == kTagSubprogram || e.tag == kTagInlined;
    if (is_function && chain->n < SourceLines::kMax && CoversAddr(object, unit, e, addr)) {
      if (chain->n == 0) function_depth = depth;
      chain->at[chain->n++] = e.at;
    }
    if (e.has_children) {
      ++depth;
    } else if (chain->n > 0 && depth == function_depth) {
      return;
    }
  }
}

DwarfEntry EntryAt(const DwarfObject& object, const DwarfUnit& unit, size_t at) {
  DwarfEntry e;
  DwarfCursor c = EntriesOf(object, unit, at);
  ReadEntry(object, unit, &c, &e);
  return e;
}

// What an entry and those that it refers to say of a function.
struct Function {
  size_t at = 0;  // of the entry that stands in the function's scope
  DwarfUnit unit;
  DwarfUnit decl_unit;  // that decl_file counts in
  const char* name = nullptr;
  const char* linkage_name = nullptr;
  uint64_t decl_file = 0;
  uint64_t decl_line = 0;
};

void Note(const DwarfEntry& e, Function* f) {
  f->at = e.at;
  if (f->name == nullptr) f->name = e.name.text;
  if (f->linkage_name == nullptr) f->linkage_name = e.linkage_name.text;
  if (f->decl_line == 0 && e.decl_line.form != 0) {
    f->decl_line = e.decl_line.number;
    f->decl_unit = f->unit;
  }
  if (f->decl_file == 0 && e.decl_file.form != 0) f->decl_file = e.decl_file.number;
}

Function FunctionOf(const DwarfObject& object, const DwarfUnit& unit, DwarfEntry e) {
  constexpr int kMostReferences = 8;
  Function f;
  f.unit = unit;
  for (int i = 0; i < kMostReferences; ++i) {
    Note(e, &f);
    const DwarfValue& next = e.origin.form != 0 ? e.origin : e.specification;
    const size_t target = TargetOf(f.unit, next);
    if (target == 0) break;
    const bool same_unit = target >= f.unit.entries && target < f.unit.end;
    DwarfUnit other;  // of what there is when there is none, nothing can be read
    if (!same_unit) {
      if (!UnitAt(object, target, &other)) break;
      f.unit = other;
    }
    e = EntryAt(object, f.unit, target);
  }
  return f;
}

constexpr size_t kMostName = 512;

void Append(char* out, const char* text, size_t bytes) {
  const size_t n = strlen(out);
  if (bytes > kMostName - 1 - n) bytes = kMostName - 1 - n;
  memcpy(out + n, text, bytes);
  out[n + bytes] = '\0';
}
void Append(char* out, const char* text) { Append(out, text, strlen(text)); }

// A name with its template arguments as "<...>", as Demangle writes them.
void AppendShort(char* out, const char* name) {
  const char* from = strncmp(name, "operator", 8) == 0 ? nullptr : strchr(name, '<');
  if (from == nullptr) return Append(out, name);
  Append(out, name, static_cast<size_t>(from - name));
  Append(out, "<...>");
}

bool IsLambda(const char* name) {
  return name == nullptr || strncmp(name, "<lambda", 7) == 0 || strncmp(name, "._anon", 6) == 0;
}

const char* ScopeName(const DwarfEntry& e) {
  if (e.tag == kTagNamespace) return e.name.text != nullptr ? e.name.text : "(anonymous namespace)";
  return IsLambda(e.name.text) ? "{lambda#1}" : e.name.text;
}

bool IsScope(unsigned tag) {
  return tag == kTagNamespace || tag == kTagClass || tag == kTagStructure || tag == kTagUnion ||
         tag == kTagSubprogram;
}

// The entries around the one at f.at, the outermost first. Returns how many.
constexpr int kMostScopes = 32;
int ScopesOf(const DwarfObject& object, const Function& f, size_t* scopes) {
  int depths[kMostScopes];
  int n = 0;
  int depth = 0;
  DwarfEntry e;
  for (DwarfCursor c = EntriesOf(object, f.unit, f.unit.entries); !c.done() && c.at() < f.at;) {
    if (!ReadEntry(object, f.unit, &c, &e)) {
      --depth;
      while (n > 0 && depths[n - 1] >= depth) --n;
      continue;
    }
    if (!e.has_children) continue;
    if (IsScope(e.tag) && n < kMostScopes) {
      depths[n] = depth;
      scopes[n++] = e.at;
    }
    ++depth;
  }
  return n;
}

void AppendName(const DwarfObject& object, const Function& f, int depth, char* out);

// The names of what stands around the entry at f.at, each with "::": functions without a linker's name
// (static ones, members of local classes) have no other qualified name.
void AppendScopes(const DwarfObject& object, const Function& f, int depth, char* out) {
  size_t scopes[kMostScopes];
  const int n = ScopesOf(object, f, scopes);
  for (int i = 0; i < n; ++i) {
    const DwarfEntry e = EntryAt(object, f.unit, scopes[i]);
    if (e.tag == kTagSubprogram) {
      // The name of a function has the scopes in which the function stands.
      out[0] = '\0';
      AppendName(object, FunctionOf(object, f.unit, e), depth + 1, out);
    } else {
      AppendShort(out, ScopeName(e));
    }
    Append(out, "::");
  }
}

// out: empty.
void AppendName(const DwarfObject& object, const Function& f, int depth, char* out) {
  constexpr int kMostNested = 4;
  if (f.linkage_name != nullptr) {
    if (!Demangle(f.linkage_name, out, kMostName)) {
      out[0] = '\0';
      Append(out, f.linkage_name);
    }
  } else if (f.name != nullptr) {
    if (depth < kMostNested) AppendScopes(object, f, depth, out);
    AppendShort(out, f.name);
  }
}

const char* Keep(const char* text) {
  const size_t bytes = strlen(text) + 1;
  void* room = PermanentAlloc(bytes);
  if (room != nullptr) memcpy(room, text, bytes);
  return static_cast<const char*>(room);
}

// Null: it has none.
const char* NameOf(const DwarfObject& object, const Function& f) {
  char text[kMostName] = {};
  AppendName(object, f, 0, text);
  return text[0] != '\0' ? Keep(text) : nullptr;
}

// gcc says where a lambda stands in the entry of its class.
void NoteClass(const DwarfObject& object, Function* f) {
  size_t scopes[kMostScopes];
  const int n = ScopesOf(object, *f, scopes);
  if (n == 0) return;
  const DwarfEntry e = EntryAt(object, f->unit, scopes[n - 1]);
  if (e.tag != kTagStructure && e.tag != kTagClass) return;
  f->decl_file = e.decl_file.number;
  f->decl_line = e.decl_line.number;
  f->decl_unit = f->unit;
}

void SetPlace(const DwarfLines& lines, uint64_t file, uint64_t line, SourceLine* out) {
  const DwarfFile f = lines.FileOf(file);
  out->dir = f.dir;
  out->file = f.name;
  out->line = static_cast<int>(line);
}

// The function of chain.at[i], with everything but the place in it.
void SetFunction(const DwarfObject& object, const DwarfUnit& unit, const DwarfEntry& e,
                 SourceLine* out) {
  Function f = FunctionOf(object, unit, e);
  if (f.decl_line == 0) NoteClass(object, &f);
  // The outermost function has a symbol, whose name is the linker's.
  if (e.tag == kTagInlined) out->function = NameOf(object, f);
  if (f.decl_line == 0 || !f.decl_unit.has_lines) return;
  out->decl_file = DwarfLines(object.strings, f.decl_unit.lines).FileOf(f.decl_file).name;
  out->decl_line = static_cast<int>(f.decl_line);
}

SourceLines Read(const Loaded& l, uint64_t addr) {
  const DwarfUnit* found = FindUnit(l, addr);
  if (found == nullptr || !found->has_lines) return {};
  const DwarfObject& object = l.object;
  const DwarfUnit& unit = *found;
  const DwarfLines lines(object.strings, unit.lines);
  uint64_t file = 0;
  uint64_t line = 0;
  if (!lines.Find(addr, &file, &line)) return {};
  Chain chain;
  FindChain(object, unit, addr, &chain);
  const int n = chain.n > 0 ? chain.n : 1;
  SourceLine* at = static_cast<SourceLine*>(PermanentAlloc(static_cast<size_t>(n) * sizeof *at));
  if (at == nullptr) return {};
  for (int i = 0; i < n; ++i) {
    at[i] = SourceLine{nullptr, "", "", 0, "", 0};
    SetPlace(lines, file, line, &at[i]);
    if (i >= chain.n) break;
    const DwarfEntry e = EntryAt(object, unit, chain.at[chain.n - 1 - i]);
    SetFunction(object, unit, e, &at[i]);
    file = e.call_file.number;
    line = e.call_line.number;
  }
  return {n, at};
}

// What was found, by address. Records are constant once they are in the table.
struct Record {
  int image;
  uintptr_t offset;
  SourceLines lines;
};
constexpr int kMaxRecords = 4096;
constinit std::atomic<const Record*> records[kMaxRecords];

// An address stands in one of these places, the first that was free.
constexpr size_t kPlaces = 16;
std::atomic<const Record*>& SlotOf(int image, uintptr_t offset, size_t place) {
  return records[((offset >> 1) + static_cast<uintptr_t>(image) * 977 + place) % kMaxRecords];
}

// Null: not known; *free is where it belongs then, a slot of another one when all are taken.
const Record* FindRecord(int image, uintptr_t offset, std::atomic<const Record*>** free) {
  *free = &SlotOf(image, offset, 0);
  for (size_t place = 0; place < kPlaces; ++place) {
    std::atomic<const Record*>& slot = SlotOf(image, offset, place);
    const Record* known = slot.load(std::memory_order_acquire);  // pairs with: LinesOf
    if (known == nullptr) {
      *free = &slot;
      return nullptr;
    }
    if (known->image == image && known->offset == offset) return known;
  }
  return nullptr;
}

}  // namespace

SourceLines LinesOf(const Symbol& symbol) {
  if (symbol.image < 0) return {};
  std::atomic<const Record*>* slot;
  const Record* known = FindRecord(symbol.image, symbol.offset, &slot);
  if (known != nullptr) return known->lines;
  const Loaded* object = ObjectOf(symbol.image);
  if (object == nullptr) return {};
  const SourceLines lines = Read(*object, symbol.offset);
  void* room = PermanentAlloc(sizeof(Record));
  if (room == nullptr) return lines;
  Record* record = static_cast<Record*>(room);
  *record = {symbol.image, symbol.offset, lines};
  slot->store(record, std::memory_order_release);  // pairs with: FindRecord
  return lines;
}

}  // namespace gort::rt
