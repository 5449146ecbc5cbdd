#include "gort/profile/labels.h"

#include <vector>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/labels.h"
#include "gort/gmp/trace_hook.h"
#include "gort/proc/proc.h"
#include "gort/trace/trace.h"

namespace gort {
namespace {

using rt::LabelSet;
using rt::LabelText;

LabelSet* Make(const LabelSet* base, std::initializer_list<Label> labels) {
  std::vector<LabelText> texts;
  texts.reserve(labels.size());
  for (const Label& l : labels) texts.push_back({l.key, l.value});
  return rt::NewLabels(base, texts.data(), texts.size());
}

// Notes the labels in a trace that is being recorded.
void Tell(const LabelSet* s) {
  if (!rt::Tracing()) return;
  char text[256];
  rt::Printer p(text, sizeof text);
  p << (s != nullptr ? "labels" : "no labels");
  if (s != nullptr) {
    const char* before = " ";
    for (const LabelText& l : *s) {
      p << before;
      p.Str(l.key.data(), l.key.size()) << '=';
      p.Str(l.value.data(), l.value.size());
      before = ", ";
    }
  }
  trace::Log(std::string_view(text, p.size()));
}

void Become(LabelSet* s) {
  Tell(s);
  rt::ReplaceLabels(rt::CurrentG(), s);
}

LabelSet* Current() { return rt::CurrentG()->labels.load(std::memory_order_relaxed); }

// Keeps a set while it lives.
class Kept {
 public:
  explicit Kept(LabelSet* s) : set_(s) { rt::KeepLabels(s); }
  ~Kept() { rt::DropLabels(set_); }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  const LabelSet* get() const { return set_; }

 private:
  LabelSet* const set_;
};

}  // namespace

void SetLabels(std::initializer_list<Label> labels) { Become(Make(nullptr, labels)); }

std::map<std::string, std::string> Labels() {
  std::map<std::string, std::string> out;
  ForEachLabel([&out](std::string_view key, std::string_view value) { out.emplace(key, value); });
  return out;
}

LabelScope::LabelScope(std::initializer_list<Label> labels) : before_(Current()) {
  LabelSet* both = Make(before_, labels);
  rt::KeepLabels(before_);
  Become(both);
}

LabelScope::~LabelScope() { Become(before_); }

namespace rt {

void VisitLabels(void (*f)(void*, std::string_view, std::string_view), void* arg) {
  const Kept kept(Current());
  if (kept.get() == nullptr) return;
  for (const LabelText& l : *kept.get()) f(arg, l.key, l.value);
}

}  // namespace rt
}  // namespace gort
