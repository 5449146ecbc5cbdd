#include "gort/traceback/demangle.h"

#include <cstring>

namespace gort::rt {
namespace {

// One recursive-descent parser: Name and its parts print, Type and its parts skip. Every function
// returns false when the text does not fit; the caller then gives up.
class Parser {
 public:
  Parser(const char* s, char* out, size_t cap) : s_(s), out_(out), end_(out + cap - 1) {}

  bool Encoding() {
    if (Eat("GV") || Eat("GR") || Eat("TV") || Eat("TT") || Eat("TI") || Eat("TS")) return false;
    if (Eat("Th")) return Number() && Eat('_') && Encoding();  // thunks: what they lead to
    if (Eat("Tv")) return Number() && Eat('_') && Number() && Eat('_') && Encoding();
    return Name();
  }

  void Finish() { *out_ = '\0'; }

 private:
  static constexpr int kMaxDepth = 64;
  struct Deeper {
    explicit Deeper(int* depth) : depth_(depth) { ++*depth_; }
    ~Deeper() { --*depth_; }
    int* depth_;
  };

  static bool Digit(char c) { return c >= '0' && c <= '9'; }
  bool Eat(char c) { return *s_ == c && (++s_, true); }
  bool Eat(const char* word) {
    size_t n = strlen(word);
    return strncmp(s_, word, n) == 0 && (s_ += n, true);
  }
  void Put(const char* s, size_t n) {
    if (muted_ > 0) return;
    for (; n > 0 && out_ < end_; --n) *out_++ = *s++;
  }
  void Put(const char* s) { Put(s, strlen(s)); }

  bool Number() {
    Eat('n');
    if (!Digit(*s_)) return false;
    while (Digit(*s_)) ++s_;
    return true;
  }
  // S_, T_, S1A_: everything up to the underscore.
  bool SeqId() {
    while (Digit(*s_) || (*s_ >= 'A' && *s_ <= 'Z')) ++s_;
    return Eat('_');
  }

  bool SourceName() {
    size_t n = 0;
    if (!Digit(*s_)) return false;
    for (; Digit(*s_); ++s_) {
      n = n * 10 + static_cast<size_t>(*s_ - '0');
      if (n > 10'000) return false;
    }
    if (strnlen(s_, n) < n) return false;
    bool anonymous = n >= 10 && strncmp(s_, "_GLOBAL__N", 10) == 0;
    last_ = s_;
    last_bytes_ = n;
    anonymous ? Put("(anonymous namespace)") : Put(s_, n);
    s_ += n;
    return true;
  }

  // "_" is the first, "0_" the second.
  void PutIndex() {
    int n = 1;
    if (Digit(*s_)) {
      n = 2;
      int v = 0;
      for (; Digit(*s_); ++s_) v = v < 1000 ? v * 10 + (*s_ - '0') : v;
      n += v;
    }
    char digits[8];
    int i = sizeof digits;
    for (; n > 0; n /= 10) digits[--i] = static_cast<char>('0' + n % 10);
    Put(digits + i, sizeof digits - static_cast<size_t>(i));
  }

  bool Operator() {
    static constexpr struct {
      char code[3];
      const char* text;
    } kOperators[] = {
        {"nw", "new"}, {"na", "new[]"}, {"dl", "delete"}, {"da", "delete[]"},  {"ps", "+"},
        {"ng", "-"},   {"ad", "&"},     {"de", "*"},      {"co", "~"},         {"pl", "+"},
        {"mi", "-"},   {"ml", "*"},     {"dv", "/"},      {"rm", "%"},         {"an", "&"},
        {"or", "|"},   {"eo", "^"},     {"aS", "="},      {"pL", "+="},        {"mI", "-="},
        {"mL", "*="},  {"dV", "/="},    {"rM", "%="},     {"aN", "&="},        {"oR", "|="},
        {"eO", "^="},  {"ls", "<<"},    {"rs", ">>"},     {"lS", "<<="},       {"rS", ">>="},
        {"eq", "=="},  {"ne", "!="},    {"lt", "<"},      {"gt", ">"},         {"le", "<="},
        {"ge", ">="},  {"ss", "<=>"},   {"nt", "!"},      {"aa", "&&"},        {"oo", "||"},
        {"pp", "++"},  {"mm", "--"},    {"cm", ","},      {"pm", "->*"},       {"pt", "->"},
        {"cl", "()"},  {"ix", "[]"},    {"qu", "?"},      {"aw", " co_await"},
    };
    if (Eat("cv")) {
      Put("operator <type>");
      return Type();
    }
    if (Eat("li")) {
      Put("operator\"\"");
      return SourceName();
    }
    for (const auto& op : kOperators) {
      if (!Eat(op.code)) continue;
      bool word = op.code[0] == 'n' || op.code[0] == 'd';
      Put(word && (op.text[0] == 'n' || op.text[0] == 'd') ? "operator " : "operator");
      Put(op.text);
      return true;
    }
    return false;
  }

  bool UnqualifiedName() {
    Eat('L');  // internal linkage
    bool ok;
    if (Digit(*s_)) {
      ok = SourceName();
    } else if ((*s_ == 'C' || *s_ == 'D') && Digit(s_[1])) {
      if (*s_ == 'D') Put("~");
      s_ += 2;
      Put(last_, last_bytes_);
      ok = last_ != nullptr;
    } else if (Eat("Ul")) {
      while (*s_ != 'E') {
        if (!Type()) return false;
      }
      ++s_;
      Put("{lambda#");
      PutIndex();
      Put("}");
      ok = Eat('_');
    } else if (Eat("Ut")) {
      Put("{unnamed#");
      PutIndex();
      Put("}");
      ok = Eat('_');
    } else {
      ok = Operator();
    }
    while (ok && *s_ == 'B') {  // ABI tags say nothing to a reader
      ++s_;
      ++muted_;
      ok = SourceName();
      --muted_;
    }
    return ok;
  }

  // The abbreviations for names of the standard library.
  bool StdAbbreviation() {
    static constexpr struct {
      char code[3];
      const char* text;
    } kNames[] = {{"Sa", "std::allocator"}, {"Sb", "std::basic_string"}, {"Ss", "std::string"},
                  {"Si", "std::istream"},   {"So", "std::ostream"},      {"Sd", "std::iostream"}};
    for (const auto& n : kNames) {
      if (!Eat(n.code)) continue;
      Put(n.text);
      last_ = strrchr(n.text, ':') + 1;
      last_bytes_ = strlen(last_);
      return true;
    }
    return false;
  }

  bool TemplateArgs() {
    if (!Eat('I')) return false;
    Put("<...>");
    ++muted_;
    bool ok = true;
    while (ok && *s_ != 'E') ok = TemplateArg();
    --muted_;
    return ok && Eat('E');
  }
  bool TemplateArg() {
    if (Eat('L')) {
      if (Eat("_Z")) return Encoding() && SkipParameters();
      if (!Type()) return false;
      while (*s_ != 'E' && *s_ != '\0') ++s_;
      return Eat('E');
    }
    if (Eat('J') || Eat('I')) {
      while (*s_ != 'E') {
        if (!TemplateArg()) return false;
      }
      return Eat('E');
    }
    return *s_ != 'X' && Type();
  }
  bool SkipParameters() {
    ++muted_;
    bool ok = true;
    while (ok && *s_ != 'E') ok = Type();
    --muted_;
    return ok && Eat('E');
  }

  bool NestedName() {
    while (Eat('r') || Eat('V') || Eat('K')) continue;
    if (!Eat('R')) Eat('O');
    bool first = true;
    while (!Eat('E')) {
      if (*s_ == 'I') {
        if (first || !TemplateArgs()) return false;
        continue;
      }
      if (!first) Put("::");
      if (Eat("St")) {
        Put("std");
      } else if (*s_ == 'S') {
        // Inside a type (muted) a back reference needs no text; elsewhere it has none to show.
        if (!StdAbbreviation() && (muted_ == 0 || !Eat('S') || !SeqId())) return false;
      } else if (*s_ == 'T' && muted_ > 0) {
        ++s_;
        if (!SeqId()) return false;
      } else if (*s_ == 'Z') {
        ++s_;
        if (!LocalName()) return false;
      } else if (!UnqualifiedName()) {
        return false;
      }
      first = false;
    }
    return !first;
  }

  // After the Z: what a function contains.
  bool LocalName() {
    if (!Encoding()) return false;
    if (!SkipParameters()) return false;
    Put("::");
    if (Eat('s')) {
      Put("{string}");
    } else {
      if (Eat('d')) {
        if (Digit(*s_)) Number();
        if (!Eat('_')) return false;
      }
      if (!Name()) return false;
    }
    if (Eat('_')) {  // discriminator
      if (Eat('_')) return Number() && Eat('_');
      return Number();
    }
    return true;
  }

  bool Name() {
    if (depth_ > kMaxDepth) return false;
    Deeper deeper(&depth_);
    if (Eat('N')) return NestedName();
    if (Eat('Z')) return LocalName();
    bool ok;
    if (Eat("St")) {
      Put("std::");
      ok = UnqualifiedName();
    } else if (*s_ == 'S') {
      ok = StdAbbreviation() || (muted_ > 0 && Eat('S') && SeqId());
    } else {
      ok = UnqualifiedName();
    }
    if (ok && *s_ == 'I') return TemplateArgs();
    return ok;
  }

  bool Type() {
    if (depth_ > kMaxDepth) return false;
    Deeper deeper(&depth_);
    ++muted_;
    bool ok = SkipType();
    --muted_;
    return ok;
  }
  bool SkipType() {
    char c = *s_;
    if (c != '\0' && strchr("PROKVrCG", c) != nullptr) return ++s_, Type();
    if (c != '\0' && strchr("vwbcahstijlmxynofdegz", c) != nullptr) return ++s_, true;
    switch (c) {
      case 'u':
        return ++s_, SourceName();
      case 'D':
        return ++s_, SkipDType();
      case 'F':
        ++s_;
        Eat('Y');
        while (*s_ != 'E') {
          if ((*s_ == 'R' || *s_ == 'O') && s_[1] == 'E') {
            ++s_;
            break;
          }
          if (!Type()) return false;
        }
        return Eat('E');
      case 'A':
        ++s_;
        if (Digit(*s_)) Number();
        return Eat('_') && Type();
      case 'M':
        return ++s_, Type() && Type();
      case 'T':
        ++s_;
        if (!SeqId()) return false;
        return *s_ != 'I' || TemplateArgs();
      case 'U':
        ++s_;
        if (!SourceName()) return false;
        return (*s_ != 'I' || TemplateArgs()) && Type();
      case 'S':
        if (s_[1] == '_' || Digit(s_[1]) || (s_[1] >= 'A' && s_[1] <= 'Z')) {
          ++s_;
          if (!SeqId()) return false;
          return *s_ != 'I' || TemplateArgs();
        }
        return Name();
      default:
        return Name();
    }
  }
  bool SkipDType() {
    char c = *s_++;
    if (c == 'p' || c == 'o') return Type();  // pack expansion, noexcept function
    return c != '\0' && strchr("nudfheisac", c) != nullptr;
  }

  const char* s_;
  char* out_;
  char* const end_;
  const char* last_ = nullptr;  // the last source name, which constructors repeat
  size_t last_bytes_ = 0;
  int muted_ = 0;
  int depth_ = 0;
};

}  // namespace

bool Demangle(const char* mangled, char* out, size_t cap) {
  if (cap == 0 || strncmp(mangled, "_Z", 2) != 0) return false;
  Parser parser(mangled + 2, out, cap);
  if (!parser.Encoding()) return false;
  parser.Finish();
  return true;
}

}  // namespace gort::rt
