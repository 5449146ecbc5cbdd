#include "gort/preempt/text_class.h"

#include <cxxabi.h>

#include <cctype>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace gort::rt {
namespace {

using std::string_view;

// The outermost scope that a function was written in.
enum class Root { kUnknown, kUser, kAnonymous, kStd, kGort, kAllocator, kLibrary };

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Names that the language keeps for its implementation.
bool IsReserved(string_view id) {
  return id.size() >= 2 && id[0] == '_' && (id[1] == '_' || (id[1] >= 'A' && id[1] <= 'Z'));
}

// Libraries that keep per-thread state, or locks that more than the calling goroutine may want in
// the middle of anything: allocators, Abseil's synchronisation, sanitizers.
constexpr string_view kLibraries[] = {"absl", "abi", "tcmalloc", "mimalloc", "jemalloc", "llvm"};

Root RootOf(string_view id) {
  if (id == "gort") return Root::kGort;
  if (id == "std") return Root::kStd;
  if (id == "_GLOBAL__N_1" || id == "(anonymous namespace)") return Root::kAnonymous;
  if (IsReserved(id)) return Root::kLibrary;
  for (string_view library : kLibraries) {
    if (id == library) return Root::kLibrary;
  }
  return Root::kUser;
}

// <source-name> at *p. Empty: there is none.
string_view SourceName(const char** p) {
  size_t n = 0;
  const char* s = *p;
  for (; IsDigit(*s) && n < 100'000; ++s) n = n * 10 + static_cast<size_t>(*s - '0');
  string_view rest(s);
  if (n == 0 || rest.size() < n) return {};
  *p = s + n;
  return rest.substr(0, n);
}

// Skips "[n]digits_", a part of a thunk's offset.
bool SkipOffset(const char** p) {
  const char* s = *p;
  if (*s == 'n') ++s;
  while (IsDigit(*s)) ++s;
  if (*s != '_') return false;
  *p = s + 1;
  return true;
}

// The outermost scope of an <encoding>.
Root OwnRoot(const char* p) {
  while (*p == 'T') {  // thunks to a function; whatever else begins so is no function of a program
    if (p[1] == 'h') {
      p += 2;
      if (!SkipOffset(&p)) return Root::kUnknown;
    } else if (p[1] == 'v') {
      p += 2;
      if (!SkipOffset(&p) || !SkipOffset(&p)) return Root::kUnknown;
    } else {
      return Root::kUnknown;
    }
  }
  while (*p == 'Z') ++p;  // local entities: what counts is the function around them
  if (*p == 'N') {
    ++p;
    while (*p == 'r' || *p == 'V' || *p == 'K' || *p == 'R' || *p == 'O') ++p;
  }
  if (*p == 'S')
    return p[1] == 't' || strchr("absiod", p[1]) != nullptr ? Root::kStd : Root::kUnknown;
  if (*p == 'L') ++p;
  if (IsDigit(*p)) {
    string_view id = SourceName(&p);
    if (id.empty()) return Root::kUnknown;
    if (id == "gort") {
      return Root::kGort;
    }
    return RootOf(id);
  }
  // Operators at namespace scope: those for memory are the allocator's.
  if (islower(*p) != 0 && islower(p[1]) != 0) {
    string_view op(p, 2);
    bool memory = op == "nw" || op == "na" || op == "dl" || op == "da";
    return memory ? Root::kAllocator : Root::kUser;
  }
  return Root::kUnknown;
}

bool IsIdent(char c) { return isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$'; }

bool IsKeyword(string_view id) {
  static constexpr string_view kKeywords[] = {
      "int",    "unsigned", "signed",   "char",     "short",   "long",    "bool",     "float",
      "double", "void",     "const",    "volatile", "wchar_t", "char8_t", "char16_t", "char32_t",
      "auto",   "decltype", "operator", "new",      "delete",  "true",    "false",    "nullptr",
      "lambda", "unnamed",  "type",     "noexcept", "throw",   "sizeof",  "this",     "half"};
  for (string_view k : kKeywords) {
    if (id == k) return true;
  }
  return false;
}

// True when template arguments of the demangled name mention something of the program's: an
// identifier within <...> that begins a qualified name and whose scope is nobody else's.
bool MentionsUser(string_view text, bool anonymous_is_user) {
  static constexpr string_view kAnonymous = "(anonymous namespace)";
  int depth = 0;
  for (size_t i = 0; i < text.size();) {
    string_view rest = text.substr(i);
    bool begins = i < 2 || text.substr(i - 2, 2) != "::";
    if (rest.starts_with(kAnonymous)) {
      if (depth > 0 && begins && anonymous_is_user) return true;
      i += kAnonymous.size();
    } else if (IsDigit(rest[0])) {
      while (i < text.size() && IsIdent(text[i])) ++i;
    } else if (IsIdent(rest[0])) {
      size_t n = 1;
      while (n < rest.size() && IsIdent(rest[n])) ++n;
      string_view id = rest.substr(0, n);
      i += n;
      if (id == "operator") {  // its name may be made of angle brackets
        while (i < text.size() && text[i] != '(' && !IsIdent(text[i])) ++i;
      } else if (depth > 0 && begins && !IsKeyword(id)) {
        // gort::testing is the tests' own.
        if (id == "gort" && text.substr(i).starts_with("::testing")) return true;
        if (RootOf(id) == Root::kUser) return true;
      }
    } else {
      if (rest[0] == '<') ++depth;
      if (rest[0] == '>' && (i == 0 || text[i - 1] != '-')) --depth;
      ++i;
    }
  }
  return false;
}

// Functions of the runtime and the C++ library that lie between a goroutine's start and the
// program: they call what they were given and hold nothing while they do. As mangled prefixes.
constexpr string_view kCarriers[] = {
    // proc/newproc.cc, proc/go.h
    "_ZN4gort2rt12_GLOBAL__N_17GoStartE",
    "_ZN4gort2rt7ClosureI",
    "_ZZN4gort2rt7ClosureI",
    // runtime/internal/boot.cc, runtime/internal/run.cc
    "_ZN4gort2rt12_GLOBAL__N_113MainGoroutineE",
    "_ZZN4gort2rt10RunProgramE",
    "_ZN4gort2rt12_GLOBAL__N_14Call6InvokeE",
    "_ZN4gort2rt12_GLOBAL__N_14boot",
    "_ZZN4gort3RunE",
    "_ZN4gort2rt12_GLOBAL__N_13$_",  // clang's lambdas in initialisers of variables
    // tests/support: helpers of tests, which run what they are given
    "_ZN4gort7testing",
    "_ZZN4gort7testing",
    "_ZNK4gort7testing",
    "_ZZNK4gort7testing",
    // std::invoke, std::apply, std::function
    "_ZSt8__invoke",
    "_ZSt10__invoke_r",
    "_ZSt13__invoke_impl",
    "_ZSt6invoke",
    "_ZSt5apply",
    "_ZSt12__apply_impl",
    "_ZNKSt8function",
    "_ZNSt17_Function_handler",
};

// C functions of gort, and those that //malloc:override defines.
bool IsRuntimeC(string_view id) {
  static constexpr string_view kParts[] = {"gort_", "alloc", "free", "memalign"};
  for (string_view part : kParts) {
    if (id.find(part) != string_view::npos) return true;
  }
  return false;
}

bool IsCarrier(string_view name) {
  for (string_view prefix : kCarriers) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

TextClass ClassifySymbol(const char* name, const SymbolFacts& facts) {
  if (strncmp(name, "_Z", 2) != 0) {
    string_view id(name);
    // C: whose code it is the name does not tell.
    if (id == "main" || id == "gort_main" || facts.marked) return TextClass::kUser;
    return IsRuntimeC(id) ? TextClass::kRuntime : TextClass::kLibrary;
  }
  Root root = OwnRoot(name + 2);
  if (root == Root::kUnknown) return TextClass::kRuntime;
  if (root == Root::kUser) return TextClass::kUser;
  bool anonymous_is_user = !facts.strict || facts.marked;
  if (root == Root::kAnonymous) {
    return anonymous_is_user ? TextClass::kUser : TextClass::kLibrary;
  }
  // ".part.0", ".cold" and the like are not part of the name. Not a std::string: operator new may be
  // the program's own, and the goroutine that holds its lock may be the one to be stopped.
  char* plain = strndup(name, strcspn(name, "."));
  int status = -1;
  char* text = plain != nullptr ? abi::__cxa_demangle(plain, nullptr, nullptr, &status) : nullptr;
  bool mentions = text != nullptr && status == 0 && MentionsUser(text, anonymous_is_user);
  free(text);
  free(plain);
  if (mentions) return TextClass::kUser;
  if (IsCarrier(name)) return TextClass::kCarrier;
  // An instance of a template of the C++ library, made by some file of this object: the program's,
  // or the runtime's, and then a frame of the runtime lies below.
  if (root == Root::kStd && facts.weak && !facts.strict) return TextClass::kUser;
  return root == Root::kGort || root == Root::kAllocator ? TextClass::kRuntime
                                                         : TextClass::kLibrary;
}

}  // namespace gort::rt
