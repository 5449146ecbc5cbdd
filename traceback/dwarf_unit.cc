#include "gort/traceback/dwarf_unit.h"

#include "gort/platforms/mem.h"

namespace gort::rt {
namespace {

// Address space for what was found; pages come on first touch.
constexpr size_t kArenaBytes = 64 << 20;
constinit std::atomic<char*> arena{nullptr};
constinit std::atomic<size_t> arena_used{0};

char* Arena() {
  char* p = arena.load(std::memory_order_acquire);  // pairs with: the exchange below
  if (p != nullptr) return p;
  p = static_cast<char*>(MemMap(kArenaBytes, 4096));
  if (p == nullptr) return nullptr;
  char* other = nullptr;
  if (arena.compare_exchange_strong(other, p, std::memory_order_acq_rel)) return p;
  MemUnmap(p, kArenaBytes);
  return other;
}

enum DwarfAttribute : unsigned {
  kAtName = 0x03,
  kAtStmtList = 0x10,
  kAtLowPc = 0x11,
  kAtHighPc = 0x12,
  kAtAbstractOrigin = 0x31,
  kAtDeclFile = 0x3a,
  kAtDeclLine = 0x3b,
  kAtSpecification = 0x47,
  kAtRanges = 0x55,
  kAtCallFile = 0x58,
  kAtCallLine = 0x59,
  kAtLinkageName = 0x6e,
  kAtStrOffsetsBase = 0x72,
  kAtAddrBase = 0x73,
  kAtRnglistsBase = 0x74,
  kAtMipsLinkageName = 0x2007,
};

enum UnitType : unsigned { kUnitCompile = 1, kUnitPartial = 3, kUnitSkeleton = 4 };

// Calls fn(code, position behind it) for each abbreviation of a table. False: there is none.
template <class F>
bool EachAbbrev(ElfBytes section, size_t at, F fn) {
  DwarfCursor c(section, at);
  while (!c.done()) {
    const uint64_t code = c.Uleb();
    if (code == 0) return true;
    fn(code, section.p + c.at());
    c.Uleb();  // tag
    c.Skip(1);
    for (;;) {
      const uint64_t attribute = c.Uleb();
      const uint64_t form = c.Uleb();
      if (form == kFormImplicitConst) c.Sleb();
      if ((attribute == 0 && form == 0) || c.done()) break;
    }
  }
  return false;
}

// Tables of abbreviations made so far, by their offset; a list that grows at its head.
struct AbbrevNode {
  const DwarfObject* object;
  size_t at;
  DwarfAbbrevs table;
  AbbrevNode* next;
};
constinit std::atomic<AbbrevNode*> abbrev_nodes{nullptr};

constexpr uint64_t kMostCodes = 1 << 16;

const DwarfAbbrevs* AbbrevsOf(const DwarfObject& object, size_t at) {
  // pairs with: the exchange below
  for (AbbrevNode* n = abbrev_nodes.load(std::memory_order_acquire); n != nullptr; n = n->next) {
    if (n->object == &object && n->at == at) return &n->table;
  }
  uint64_t codes = 0;
  EachAbbrev(object.abbrev, at, [&](uint64_t code, const uint8_t*) {
    if (code >= codes && code < kMostCodes) codes = code + 1;
  });
  void* room = PermanentAlloc(sizeof(AbbrevNode) + codes * sizeof(uint8_t*));
  if (room == nullptr) return nullptr;
  AbbrevNode* node = static_cast<AbbrevNode*>(room);
  const uint8_t** places = reinterpret_cast<const uint8_t**>(node + 1);
  EachAbbrev(object.abbrev, at, [&](uint64_t code, const uint8_t* place) {
    if (code < codes) places[code] = place;
  });
  node->object = &object;
  node->at = at;
  node->table.n = codes;
  node->table.at = places;
  node->next = abbrev_nodes.load(std::memory_order_relaxed);
  while (!abbrev_nodes.compare_exchange_weak(node->next, node, std::memory_order_release,
                                             std::memory_order_relaxed)) {
  }
  return &node->table;
}

uint64_t IndexedAddr(const DwarfObject& object, const DwarfUnit& unit, uint64_t index) {
  return DwarfCursor(object.addr, unit.addr_base + index * unit.addr_bytes).Fixed(unit.addr_bytes);
}

const char* IndexedStr(const DwarfObject& object, const DwarfUnit& unit, uint64_t index) {
  const unsigned width = unit.wide ? 8 : 4;
  DwarfCursor c(object.str_offsets, unit.str_offsets_base + index * width);
  return DwarfCursor(object.strings.str, c.Offset(unit.wide)).Str();
}

DwarfValue ReadForm(const DwarfObject& object, const DwarfUnit& unit, DwarfCursor* c,
                    unsigned form) {
  DwarfValue v{form, 0, nullptr};
  switch (form) {
    case kFormAddr:
      v.number = c->Fixed(unit.addr_bytes);
      break;
    case kFormData1:
    case kFormRef1:
    case kFormFlag:
    case kFormAddrx1:
      v.number = c->U8();
      break;
    case kFormData2:
    case kFormRef2:
    case kFormAddrx2:
      v.number = c->U16();
      break;
    case kFormAddrx3:
      v.number = c->Fixed(3);
      break;
    case kFormData4:
    case kFormRef4:
    case kFormAddrx4:
      v.number = c->U32();
      break;
    case kFormData8:
    case kFormRef8:
      v.number = c->U64();
      break;
    case kFormSdata:
      v.number = static_cast<uint64_t>(c->Sleb());
      break;
    case kFormUdata:
    case kFormRefUdata:
    case kFormAddrx:
    case kFormRnglistx:
      v.number = c->Uleb();
      break;
    case kFormSecOffset:
    case kFormRefAddr:
      v.number = c->Offset(unit.wide);
      break;
    case kFormString:
      v.text = c->Str();
      break;
    case kFormStrp:
      v.text = DwarfCursor(object.strings.str, c->Offset(unit.wide)).Str();
      break;
    case kFormLineStrp:
      v.text = DwarfCursor(object.strings.line_str, c->Offset(unit.wide)).Str();
      break;
    case kFormStrx:
      v.text = IndexedStr(object, unit, c->Uleb());
      break;
    case kFormStrx1:
    case kFormStrx2:
    case kFormStrx3:
    case kFormStrx4:
      v.text = IndexedStr(object, unit, c->Fixed(form - kFormStrx1 + 1));
      break;
    default:
      SkipForm(c, form, unit.wide, unit.addr_bytes);
      return {};
  }
  if (form == kFormAddrx || (form >= kFormAddrx1 && form <= kFormAddrx4)) {
    v = {kFormAddr, IndexedAddr(object, unit, v.number), nullptr};
  }
  return v;
}

DwarfValue* PlaceOf(DwarfEntry* e, unsigned attribute) {
  switch (attribute) {
    case kAtName:
      return &e->name;
    case kAtStmtList:
      return &e->stmt_list;
    case kAtLowPc:
      return &e->low_pc;
    case kAtHighPc:
      return &e->high_pc;
    case kAtAbstractOrigin:
      return &e->origin;
    case kAtDeclFile:
      return &e->decl_file;
    case kAtDeclLine:
      return &e->decl_line;
    case kAtSpecification:
      return &e->specification;
    case kAtRanges:
      return &e->ranges;
    case kAtCallFile:
      return &e->call_file;
    case kAtCallLine:
      return &e->call_line;
    case kAtLinkageName:
    case kAtMipsLinkageName:
      return &e->linkage_name;
    default:
      return nullptr;
  }
}

uint64_t* BaseOf(DwarfUnit* unit, unsigned attribute) {
  switch (attribute) {
    case kAtStrOffsetsBase:
      return &unit->str_offsets_base;
    case kAtAddrBase:
      return &unit->addr_base;
    case kAtRnglistsBase:
      return &unit->rnglists_base;
    default:
      return nullptr;
  }
}

// Calls fn(attribute, form, the constant of an implicit one) for each attribute of an abbreviation.
template <class F>
void EachAttribute(DwarfCursor* abbrev, F fn) {
  while (!abbrev->done()) {
    const unsigned attribute = static_cast<unsigned>(abbrev->Uleb());
    const unsigned form = static_cast<unsigned>(abbrev->Uleb());
    const int64_t constant = form == kFormImplicitConst ? abbrev->Sleb() : 0;
    if (attribute == 0 && form == 0) return;
    fn(attribute, form, constant);
  }
}

// The abbreviation of the entry at the cursor. False: the entry is empty, or wrong.
bool AbbrevOf(const DwarfObject& object, const DwarfUnit& unit, DwarfCursor* c,
              DwarfCursor* abbrev) {
  const uint64_t code = c->Uleb();
  if (code == 0) return false;
  const uint8_t* place = code < unit.abbrevs->n ? unit.abbrevs->at[code] : nullptr;
  if (place == nullptr) {
    c->Skip(~uint64_t{0});
    return false;
  }
  *abbrev = DwarfCursor(object.abbrev, static_cast<size_t>(place - object.abbrev.p));
  return true;
}

// The bases come first, because the other attributes of the same entry may count from them.
void ReadBases(const DwarfObject& object, DwarfUnit* unit) {
  DwarfCursor c = EntriesOf(object, *unit, unit->entries);
  DwarfCursor abbrev;
  if (!AbbrevOf(object, *unit, &c, &abbrev)) return;
  abbrev.Uleb();
  abbrev.Skip(1);
  EachAttribute(&abbrev, [&](unsigned attribute, unsigned form, int64_t) {
    if (uint64_t* base = BaseOf(unit, attribute); base != nullptr) {
      *base = ReadForm(object, *unit, &c, form).number;
    } else {
      SkipForm(&c, form, unit->wide, unit->addr_bytes);
    }
  });
}

bool ReadHeader(const DwarfObject& object, size_t* at, DwarfUnit* unit) {
  DwarfCursor c(object.info, *at);
  *unit = DwarfUnit{};
  unit->begin = *at;
  const uint64_t bytes = c.Length(&unit->wide);
  const bool whole = bytes != 0 && bytes <= object.info.n - c.at();
  unit->end = whole ? c.at() + bytes : object.info.n;
  *at = unit->end;
  if (!whole) return false;
  unit->version = c.U16();
  if (unit->version < 2 || unit->version > 5) return false;
  unsigned type = kUnitCompile;
  if (unit->version >= 5) {
    type = c.U8();
    unit->addr_bytes = c.U8();
    unit->abbrev = c.Offset(unit->wide);
    if (type == kUnitSkeleton) c.Skip(8);
  } else {
    unit->abbrev = c.Offset(unit->wide);
    unit->addr_bytes = c.U8();
  }
  unit->entries = c.at();
  return (type == kUnitCompile || type == kUnitPartial || type == kUnitSkeleton) &&
         unit->addr_bytes <= 8;
}

// Lists of version 5 (.debug_rnglists).
bool InRnglist(const DwarfObject& object, const DwarfUnit& unit, uint64_t at, uint64_t addr) {
  uint64_t base = unit.base;
  for (DwarfCursor c(object.rnglists, at); !c.done();) {
    uint64_t low = 0;
    uint64_t high = 0;
    switch (c.U8()) {
      case 1:  // DW_RLE_base_addressx
        base = IndexedAddr(object, unit, c.Uleb());
        continue;
      case 2:  // DW_RLE_startx_endx
        low = IndexedAddr(object, unit, c.Uleb());
        high = IndexedAddr(object, unit, c.Uleb());
        break;
      case 3:  // DW_RLE_startx_length
        low = IndexedAddr(object, unit, c.Uleb());
        high = low + c.Uleb();
        break;
      case 4:  // DW_RLE_offset_pair
        low = base + c.Uleb();
        high = base + c.Uleb();
        break;
      case 5:  // DW_RLE_base_address
        base = c.Fixed(unit.addr_bytes);
        continue;
      case 6:  // DW_RLE_start_end
        low = c.Fixed(unit.addr_bytes);
        high = c.Fixed(unit.addr_bytes);
        break;
      case 7:  // DW_RLE_start_length
        low = c.Fixed(unit.addr_bytes);
        high = low + c.Uleb();
        break;
      default:
        return false;
    }
    if (low > 1 && low <= addr && addr < high) return true;
  }
  return false;
}

// Lists before version 5 (.debug_ranges).
bool InRanges(const DwarfObject& object, const DwarfUnit& unit, uint64_t at, uint64_t addr) {
  uint64_t base = unit.base;
  for (DwarfCursor c(object.ranges, at); !c.done();) {
    const uint64_t low = c.Fixed(unit.addr_bytes);
    const uint64_t high = c.Fixed(unit.addr_bytes);
    if (low == 0 && high == 0) return false;
    if (low == ~uint64_t{0}) {
      base = high;
    } else if (base + low > 1 && base + low <= addr && addr < base + high) {
      return true;
    }
  }
  return false;
}

uint64_t RnglistAt(const DwarfObject& object, const DwarfUnit& unit, const DwarfValue& ranges) {
  if (ranges.form != kFormRnglistx) return ranges.number;
  const unsigned width = unit.wide ? 8 : 4;
  DwarfCursor c(object.rnglists, unit.rnglists_base + ranges.number * width);
  return unit.rnglists_base + c.Offset(unit.wide);
}

}  // namespace

void* PermanentAlloc(size_t bytes) {
  char* p = Arena();
  const size_t rounded = (bytes + 15) & ~size_t{15};
  if (p == nullptr || rounded > kArenaBytes) return nullptr;
  // Relaxed: the bytes become others' by whatever publishes the pointer.
  const size_t at = arena_used.fetch_add(rounded, std::memory_order_relaxed);
  return at <= kArenaBytes - rounded ? p + at : nullptr;
}

DwarfObject DwarfObject::Of(const char* path) {
  DwarfObject o;
  const ElfBytes file = ElfMap(path);
  o.info = ElfSection(file, ".debug_info");
  o.abbrev = ElfSection(file, ".debug_abbrev");
  o.ranges = ElfSection(file, ".debug_ranges");
  o.rnglists = ElfSection(file, ".debug_rnglists");
  o.addr = ElfSection(file, ".debug_addr");
  o.str_offsets = ElfSection(file, ".debug_str_offsets");
  o.strings.line = ElfSection(file, ".debug_line");
  o.strings.line_str = ElfSection(file, ".debug_line_str");
  o.strings.str = ElfSection(file, ".debug_str");
  return o;
}

DwarfCursor EntriesOf(const DwarfObject& object, const DwarfUnit& unit, size_t at) {
  DwarfCursor c(object.info, at);
  c.EndAt(unit.end);
  return c;
}

bool ReadUnit(const DwarfObject& object, size_t* at, DwarfUnit* unit) {
  if (!ReadHeader(object, at, unit)) return false;
  unit->abbrevs = AbbrevsOf(object, unit->abbrev);
  if (unit->abbrevs == nullptr) return false;
  ReadBases(object, unit);
  DwarfEntry top;
  DwarfCursor c = EntriesOf(object, *unit, unit->entries);
  if (!ReadEntry(object, *unit, &c, &top)) return false;
  unit->base = top.low_pc.number;
  unit->has_lines = top.stmt_list.form != 0;
  unit->lines = top.stmt_list.number;
  return true;
}

size_t CountUnits(const DwarfObject& object) {
  DwarfUnit unit;
  size_t n = 0;
  for (size_t at = 0; at < object.info.n; ++n) ReadHeader(object, &at, &unit);
  return n;
}

bool ReadEntry(const DwarfObject& object, const DwarfUnit& unit, DwarfCursor* c,
               DwarfEntry* entry) {
  *entry = DwarfEntry{};
  entry->at = c->at();
  DwarfCursor abbrev;
  if (!AbbrevOf(object, unit, c, &abbrev)) return false;
  entry->tag = static_cast<unsigned>(abbrev.Uleb());
  entry->has_children = abbrev.U8() != 0;
  EachAttribute(&abbrev, [&](unsigned attribute, unsigned form, int64_t constant) {
    DwarfValue* place = PlaceOf(entry, attribute);
    if (place == nullptr) {
      SkipForm(c, form, unit.wide, unit.addr_bytes);
    } else if (form == kFormImplicitConst) {
      *place = {form, static_cast<uint64_t>(constant), nullptr};
    } else {
      *place = ReadForm(object, unit, c, form);
    }
  });
  return true;
}

bool CoversAddr(const DwarfObject& object, const DwarfUnit& unit, const DwarfEntry& entry,
                uint64_t addr) {
  if (entry.ranges.form != 0) {
    return unit.version >= 5 ? InRnglist(object, unit, RnglistAt(object, unit, entry.ranges), addr)
                             : InRanges(object, unit, entry.ranges.number, addr);
  }
  if (entry.low_pc.form == 0 || entry.high_pc.form == 0 || entry.low_pc.number <= 1) return false;
  const uint64_t low = entry.low_pc.number;
  const bool is_end = entry.high_pc.form == kFormAddr;
  return low <= addr && addr < (is_end ? entry.high_pc.number : low + entry.high_pc.number);
}

size_t TargetOf(const DwarfUnit& unit, const DwarfValue& reference) {
  switch (reference.form) {
    case kFormRef1:
    case kFormRef2:
    case kFormRef4:
    case kFormRef8:
    case kFormRefUdata:
      return unit.begin + reference.number;
    case kFormRefAddr:
      return reference.number;
    default:
      return 0;
  }
}

}  // namespace gort::rt
