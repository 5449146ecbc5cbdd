#include "gort/profile/internal/encode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gort/base/proto.h"
#include "gort/profile/internal/mappings.h"
#include "gort/traceback/demangle.h"
#include "gort/traceback/frame_filter.h"
#include "gort/traceback/frame_printer.h"
#include "gort/traceback/lines.h"
#include "gort/traceback/symbolize.h"

namespace gort::rt {
namespace {

// The fields of profile.proto.
enum ProfileField : uint32_t {
  kSampleType = 1,
  kSample = 2,
  kMapping = 3,
  kLocation = 4,
  kFunction = 5,
  kStringTable = 6,
  kTimeNanos = 9,
  kDurationNanos = 10,
  kPeriodType = 11,
  kPeriod = 12,
  kComment = 13,
};

// Appends messages to a string. The greatest size of a message is known (kRoom), because the texts
// of a profile stand in its table of strings alone.
class Out {
 public:
  template <class F>
  void Message(uint32_t field, F fill) {
    char room[kRoom];
    Proto p(room);
    char* begin = p.Open(field);
    fill(&p);
    p.Close(begin);
    bytes_.append(room, static_cast<size_t>(p.at() - room));
  }
  void Number(uint32_t field, uint64_t v) {
    char room[32];
    Proto p(room);
    p.Varint(field, v);
    bytes_.append(room, static_cast<size_t>(p.at() - room));
  }
  void Text(uint32_t field, std::string_view text) {
    std::string room(text.size() + 32, '\0');
    Proto p(room.data());
    p.Bytes(field, text);
    bytes_.append(room, 0, static_cast<size_t>(p.at() - room.data()));
  }
  std::string Take() { return std::move(bytes_); }

 private:
  static constexpr size_t kRoom = 8192;

  std::string bytes_;
};

// In a sample: kMaxStack locations and kSums values, 11 bytes each at most, and labels.
constexpr size_t kMaxLabels = 100;
static_assert((kMaxStack + kSums) * 11 + kMaxLabels * 40 < 8192);
// In a location: lines.
static_assert(SourceLines::kMax * 40 + 60 < 8192);

class Strings {
 public:
  Strings() { Id(""); }
  uint64_t Id(std::string_view text) {
    const auto [at, is_new] = ids_.try_emplace(std::string(text), ids_.size());
    if (is_new) order_.push_back(&at->first);
    return at->second;
  }
  const std::vector<const std::string*>& order() const { return order_; }

 private:
  std::unordered_map<std::string, uint64_t> ids_;
  std::vector<const std::string*> order_;
};

// What the runtime adds of its own above a function of the program that allocates.
bool IsAllocation(const char* name) {
  constexpr const char* kPrefixes[] = {"gort::malloc::", "operator new", "__gnu_cxx::new_allocator",
                                       "__gnu_cxx::__alloc"};
  constexpr const char* kNames[] = {"malloc",        "calloc",         "realloc",  "reallocarray",
                                    "aligned_alloc", "posix_memalign", "memalign", "_Znwm"};
  for (const char* prefix : kPrefixes) {
    if (strncmp(name, prefix, strlen(prefix)) == 0) return true;
  }
  for (const char* known : kNames) {
    if (strcmp(name, known) == 0) return true;
  }
  return false;
}

// A function that says nothing about the program. runtime_too: gort's own say nothing, either.
bool IsHidden(const char* name, const SourceLine* line, const char* symbol, bool runtime_too) {
  // With little debug information (-g1) an inlined function's name has no scope.
  const bool bare = line != nullptr && strstr(name, "::") == nullptr;
  if (bare && IsLibraryFolder(line->dir)) return true;
  const bool inner = IsRuntime(symbol) || IsAllocation(symbol);
  if (runtime_too) return IsPlumbing(name) || IsAllocation(name) || (bare && inner);
  return IsPlumbing(name) && !IsRuntime(name) && !IsRuntime(symbol);
}

class Encoder {
 public:
  explicit Encoder(const ProfileForm& form) : form_(form), mappings_(CodeMappings()) {}

  std::string Encode(const StackTable& table);

 private:
  struct Line {
    uint64_t function;
    int64_t line;
    bool hidden;
  };

  void PutHeader();
  void PutSample(const StackSums& s);
  void PutMappings();
  std::vector<uint64_t> Locations(const StackSums& s);
  // All lines, or those that are not hidden.
  uint64_t Location(uintptr_t pc, bool all);
  const std::vector<Line>& LinesAt(uintptr_t pc);
  std::vector<Line> ReadLines(uintptr_t pc);
  uint64_t Function(std::string_view name, std::string_view system_name, std::string_view file,
                    int64_t start_line);
  uint64_t MappingOf(uintptr_t pc) const;
  int64_t Value(const StackSums& s, size_t i) const;

  const ProfileForm& form_;
  const std::vector<CodeMapping> mappings_;
  Out out_;
  Strings strings_;
  std::map<std::tuple<uint64_t, uint64_t, uint64_t>, uint64_t> functions_;
  std::map<std::pair<uintptr_t, bool>, uint64_t> locations_;
  std::unordered_map<uintptr_t, std::vector<Line>> known_;
};

uint64_t Encoder::Function(std::string_view name, std::string_view system_name,
                           std::string_view file, int64_t start_line) {
  const uint64_t n = strings_.Id(name);
  const uint64_t s = strings_.Id(system_name);
  const uint64_t f = strings_.Id(file);
  const auto [at, is_new] = functions_.try_emplace({n, s, f}, functions_.size() + 1);
  const uint64_t id = at->second;
  if (is_new) {
    out_.Message(kFunction, [&](Proto* p) {
      p->Varint(1, id);
      p->Varint(2, n);
      p->Varint(3, s);
      p->Varint(4, f);
      if (start_line > 0) p->Varint(5, static_cast<uint64_t>(start_line));
    });
  }
  return id;
}

std::string PathOf(const SourceLine& l) {
  std::string path = l.dir != nullptr ? l.dir : "";
  if (!path.empty()) path += '/';
  return path + (l.file != nullptr ? l.file : "");
}

// The functions at pc, innermost first.
std::vector<Encoder::Line> Encoder::ReadLines(uintptr_t pc) {
  std::vector<Line> out;
  Symbol symbol;
  if (!Symbolize(pc, &symbol)) return out;
  char name[512] = {};
  const char* system_name = symbol.name != nullptr ? symbol.name : "";
  if (symbol.name != nullptr && !Demangle(symbol.name, name, sizeof name)) {
    strncpy(name, symbol.name, sizeof name - 1);
  }
  const SourceLines lines = LinesOf(symbol);
  for (int i = 0; i < lines.n; ++i) {
    const SourceLine& l = lines.at[i];
    const char* function = l.function != nullptr ? l.function : name;
    // An inlined function has no symbol.
    const char* inlined_or_symbol = i + 1 < lines.n ? function : system_name;
    out.push_back(Line{Function(function, inlined_or_symbol, PathOf(l), l.decl_line), l.line,
                       IsHidden(function, &l, name, form_.only_callers)});
  }
  if (out.empty() && name[0] != '\0') {
    const bool hidden = IsHidden(name, nullptr, name, form_.only_callers) ||
                        (form_.only_callers && IsSystemLibrary(symbol.object));
    out.push_back(Line{Function(name, system_name, symbol.object, 0), 0, hidden});
  }
  return out;
}

const std::vector<Encoder::Line>& Encoder::LinesAt(uintptr_t pc) {
  auto at = known_.find(pc);
  if (at == known_.end()) at = known_.emplace(pc, ReadLines(pc)).first;
  return at->second;
}

uint64_t Encoder::MappingOf(uintptr_t pc) const {
  for (size_t i = 0; i < mappings_.size(); ++i) {
    if (pc >= mappings_[i].start && pc < mappings_[i].limit) return i + 1;
  }
  return 0;
}

uint64_t Encoder::Location(uintptr_t pc, bool all) {
  const auto [at, is_new] = locations_.try_emplace({pc, all}, locations_.size() + 1);
  const uint64_t id = at->second;
  if (!is_new) return id;
  const std::vector<Line>& lines = LinesAt(pc);
  out_.Message(kLocation, [&](Proto* p) {
    p->Varint(1, id);
    if (const uint64_t m = MappingOf(pc); m != 0) p->Varint(2, m);
    p->Varint(3, pc);
    for (const Line& l : lines) {
      if (l.hidden && !all) continue;
      char* begin = p->Open(4);
      p->Varint(1, l.function);
      if (l.line > 0) p->Varint(2, static_cast<uint64_t>(l.line));
      p->Close(begin);
    }
  });
  return id;
}

// Leaves hidden functions out; but not of a stack that would be empty then, nor of the innermost
// frame of a CPU sample.
std::vector<uint64_t> Encoder::Locations(const StackSums& s) {
  const auto shows = [this](uintptr_t pc) {
    const std::vector<Line>& lines = LinesAt(pc);
    return lines.empty() ||
           !std::all_of(lines.begin(), lines.end(), [](const Line& l) { return l.hidden; });
  };
  const uintptr_t* const end = s.pcs() + s.n;
  const bool all = ShowsAllFrames() || std::none_of(s.pcs(), end, shows);
  std::vector<uint64_t> out;
  for (const uintptr_t* pc = s.pcs(); pc != end; ++pc) {
    const bool whole = all || (pc == s.pcs() && !form_.only_callers);
    if (whole || shows(*pc)) out.push_back(Location(*pc, whole));
  }
  return out;
}

int64_t Encoder::Value(const StackSums& s, size_t i) const {
  if (form_.last_is_product && i + 1 == form_.values.size()) {
    return std::llround(s.value(0)) * form_.period;
  }
  return std::llround(s.value(static_cast<int>(i)));
}

void Encoder::PutSample(const StackSums& s) {
  bool any = false;
  for (size_t i = 0; i < form_.values.size(); ++i) any = any || Value(s, i) != 0;
  if (!any) return;
  const std::vector<uint64_t> locations = Locations(s);
  out_.Message(kSample, [&](Proto* p) {
    for (const uint64_t l : locations) p->Varint(1, l);
    for (size_t i = 0; i < form_.values.size(); ++i) {
      p->Varint(2, static_cast<uint64_t>(Value(s, i)));
    }
    if (s.labels == nullptr) return;
    size_t n = 0;
    for (const LabelText& l : *s.labels) {
      if (++n > kMaxLabels) break;
      char* begin = p->Open(3);
      p->Varint(1, strings_.Id(l.key));
      p->Varint(2, strings_.Id(l.value));
      p->Close(begin);
    }
  });
}

void Encoder::PutHeader() {
  const auto put_type = [this](uint32_t field, const ValueType& t) {
    out_.Message(field, [&](Proto* p) {
      p->Varint(1, strings_.Id(t.type));
      p->Varint(2, strings_.Id(t.unit));
    });
  };
  for (const ValueType& t : form_.values) put_type(kSampleType, t);
  put_type(kPeriodType, form_.period_type);
  out_.Number(kPeriod, static_cast<uint64_t>(form_.period));
  out_.Number(kTimeNanos, static_cast<uint64_t>(form_.begin_ns));
  if (form_.duration_ns > 0) out_.Number(kDurationNanos, static_cast<uint64_t>(form_.duration_ns));
}

void Encoder::PutMappings() {
  for (size_t i = 0; i < mappings_.size(); ++i) {
    const CodeMapping& m = mappings_[i];
    out_.Message(kMapping, [&](Proto* p) {
      p->Varint(1, i + 1);
      p->Varint(2, m.start);
      p->Varint(3, m.limit);
      p->Varint(4, m.offset);
      p->Varint(5, strings_.Id(m.file));
      p->Varint(6, strings_.Id(m.build_id));
      // It has functions, files, lines and inlined functions: pprof need not look for them.
      for (uint32_t has = 7; has <= 10; ++has) p->Varint(has, 1);
    });
  }
}

std::string Encoder::Encode(const StackTable& table) {
  PutHeader();
  PutMappings();
  table.ForEach([this](const StackSums& s) { PutSample(s); });
  if (form_.note != nullptr) out_.Number(kComment, strings_.Id(form_.note));
  if (table.lost() != 0) {
    out_.Number(kComment, strings_.Id("lost samples: " + std::to_string(table.lost())));
  }
  for (const std::string* text : strings_.order()) out_.Text(kStringTable, *text);
  return out_.Take();
}

}  // namespace

std::string EncodeProfile(const StackTable& table, const ProfileForm& form) {
  return Encoder(form).Encode(table);
}

}  // namespace gort::rt
