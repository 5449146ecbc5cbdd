// gort/profile/labels.h: what a program calls the work that a goroutine does.
// What      keys with values that the calling goroutine carries: which request, which customer, which
//           phase. Dumps show them behind the state of the goroutine, a profile has them at each sample
//           (`go tool pprof -tagfocus`), and a trace in the goroutine's own track. A goroutine has
//           the labels that its starter had when it called Go, and changes its own afterwards.
// Lifetime  texts are copied.
// Contract  | call                                | goroutine | foreign thread | parks | allocates |
//           | SetLabels, LabelScope, WithLabels   |     x     |       x        |   -   |     x     |
//           | Labels, ForEachLabel                |     x     |       x        |   -   |     x     |
//           A thread that is no goroutine has labels of its own. Not in signal handlers.
// Layer     8. Public.
// Go        runtime/pprof: Do, SetGoroutineLabels, Labels, ForLabels
#ifndef GORT_PROFILE_LABELS_H_
#define GORT_PROFILE_LABELS_H_

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace gort {

struct Label {
  std::string_view key;
  std::string_view value;
};

// From here on the calling goroutine has these labels and no others; of two with one key the later. An
// empty list takes all away. Throws std::bad_alloc, and nothing has changed then.
// Go: SetGoroutineLabels
void SetLabels(std::initializer_list<Label> labels);
// The calling goroutine's labels, as a copy.
std::map<std::string, std::string> Labels();

namespace rt {
struct LabelSet;
void VisitLabels(void (*f)(void* arg, std::string_view key, std::string_view value), void* arg);
}  // namespace rt

// Calls f(key, value) for each of the calling goroutine's labels, in the order of the keys. f may change
// the labels: it is told of those that there were at the call. Go: ForLabels
template <class F>
requires std::is_invocable_v<F&, std::string_view, std::string_view>
void ForEachLabel(F&& f) {
  using Fn = std::remove_reference_t<F>;
  rt::VisitLabels([](void* arg, std::string_view key,
                     std::string_view value) { (*static_cast<Fn*>(arg))(key, value); },
                  const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

// While it lives the calling goroutine has these labels too; of two with one key this one. At its end the
// labels are what they were at its beginning. Ended by the goroutine that began it.
class LabelScope {
 public:
  explicit LabelScope(std::initializer_list<Label> labels);
  ~LabelScope();
  LabelScope(const LabelScope&) = delete;
  LabelScope& operator=(const LabelScope&) = delete;

 private:
  rt::LabelSet* before_;
};

// Returns what f returns, called with these labels as in LabelScope. Go: Do
template <class F>
decltype(auto) WithLabels(std::initializer_list<Label> labels, F&& f) {
  LabelScope scope(labels);
  return std::forward<F>(f)();
}

}  // namespace gort

#endif  // GORT_PROFILE_LABELS_H_
