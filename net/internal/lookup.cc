#include "gort/net/internal/lookup.h"

#include <netdb.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/platforms/clock.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/sync/sync.h"

namespace gort::rt {
namespace {

// Each look-up holds a thread in the C library.
constexpr int kMaxLookups = 64;
// getaddrinfo and what it calls want more stack than a goroutine has.
constexpr size_t kLookupStack = size_t{1} << 20;
constexpr size_t kMostKept = 1024;
constexpr int64_t kKeepFoundNs = 5'000'000'000;
constexpr int64_t kKeepMissingNs = 1'000'000'000;

bool SaysMissing(int error) {
#ifdef EAI_NODATA
  if (error == EAI_NODATA) return true;
#endif
  return error == EAI_NONAME;
}

// One question and those who wait for the answer. They and the goroutine that asks share it; any of
// them may be gone before the others.
struct Lookup {
  using Queue = std::list<std::shared_ptr<Lookup>>;

  explicit Lookup(Question q) : question(std::move(q)) {}

  // Does not park, so errno is that of this call. Not inlined into its caller, which parks.
  __attribute__((noinline)) void Ask(addrinfo** list) {
    addrinfo hints{};
    hints.ai_family = question.family;
    hints.ai_socktype = question.type;
    hints.ai_flags = question.flags;
    const char* host = question.host.empty() ? nullptr : question.host.c_str();
    const char* service = question.service.empty() ? nullptr : question.service.c_str();
    answer.error = getaddrinfo(host, service, &hints, list);
    answer.system_error = errno;
  }

  void Run() {
    addrinfo* list = nullptr;
    EnterSyscallBlock();
    Ask(&list);
    ExitSyscall();
    for (addrinfo* at = list; answer.error == 0 && at != nullptr; at = at->ai_next) {
      answer.found.emplace_back(at->ai_addr, at->ai_addrlen);
    }
    if (list != nullptr) freeaddrinfo(list);
    if (answer.error == 0 && answer.found.empty()) answer.error = EAI_NONAME;
  }

  const Question question;
  std::vector<PollDesc*> waiters;      // their events; guarded by Lookups::mu_
  bool queued = true;                  // the same: no goroutine has taken it up
  Queue::iterator place;               // the same: where in the queue, while it is there
  std::atomic<bool> finished = false;  // the answer is there, and does not change any more
  Answer answer;
};

// The look-ups of this process. Equal ones that are wanted at the same time are one; at most
// kMaxLookups are in the C library, the others stand in a queue, as long as somebody waits for them.
// Go: singleflight.Group, acquireThread (net.go)
class Lookups {
 public:
  // `event` is notified when the look-up has finished. Start is to be called if *start is true.
  std::shared_ptr<Lookup> Join(Question question, PollDesc* event, bool* start);
  // A goroutine that makes the look-ups of the queue, until that is empty.
  void Start();
  // `event` is not touched any more. A look-up that nobody waits for leaves the queue, and whoever
  // wants the same later does not get its answer, which may be long in coming. Go: ForgetUnshared
  void Leave(Lookup* lookup, PollDesc* event);
  // False: there is no answer that is still good.
  bool Recall(const Question& question, Answer* answer);
  void SetKept(int64_t found_ns, int64_t missing_ns);

 private:
  struct Kept {
    Answer answer;
    int64_t until;
  };

  void Keep(const Lookup& lookup) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<Lookup> Next();
  void Finish(Lookup* lookup);
  void Forget(const Lookup* lookup) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Work();

  gort::Mutex mu_;
  // Goroutines in Work, and those that Start will make.
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<Question, std::shared_ptr<Lookup>> wanted_ ABSL_GUARDED_BY(mu_);
  Lookup::Queue queue_ ABSL_GUARDED_BY(mu_);
  std::map<Question, Kept> kept_ ABSL_GUARDED_BY(mu_);
  int64_t keep_found_ns_ ABSL_GUARDED_BY(mu_) = kKeepFoundNs;
  int64_t keep_missing_ns_ ABSL_GUARDED_BY(mu_) = kKeepMissingNs;
};

Lookups& AllLookups() {
  static auto* const all = new Lookups;  // goroutines of it may outlive main
  return *all;
}

std::shared_ptr<Lookup> Lookups::Join(Question question, PollDesc* event, bool* start) {
  mu_.Lock();
  std::shared_ptr<Lookup>& lookup = wanted_[question];
  if (lookup == nullptr) {
    lookup = std::make_shared<Lookup>(std::move(question));
    lookup->place = queue_.insert(queue_.end(), lookup);
    *start = running_ < kMaxLookups;
    if (*start) ++running_;
  }
  lookup->waiters.push_back(event);
  std::shared_ptr<Lookup> joined = lookup;
  mu_.Unlock();
  return joined;
}

void Lookups::Leave(Lookup* lookup, PollDesc* event) {
  mu_.Lock();
  lookup->waiters.erase(std::find(lookup->waiters.begin(), lookup->waiters.end(), event));
  if (lookup->waiters.empty()) {
    if (lookup->queued) queue_.erase(lookup->place);
    Forget(lookup);
  }
  mu_.Unlock();
}

// Does nothing when another look-up has taken its place.
void Lookups::Forget(const Lookup* lookup) {
  const auto at = wanted_.find(lookup->question);
  if (at != wanted_.end() && at->second.get() == lookup) wanted_.erase(at);
}

// Null: there is no more to do, and the caller does not count as running any more.
std::shared_ptr<Lookup> Lookups::Next() {
  std::shared_ptr<Lookup> next;
  mu_.Lock();
  if (queue_.empty()) {
    --running_;
  } else {
    next = std::move(queue_.front());
    queue_.pop_front();
    next->queued = false;
  }
  mu_.Unlock();
  return next;
}

void Lookups::Finish(Lookup* lookup) {
  mu_.Lock();
  Forget(lookup);
  Keep(*lookup);
  lookup->finished.store(true, std::memory_order_release);  // pairs with: Wait
  for (PollDesc* event : lookup->waiters) PollNotify(event, kPollRead);
  mu_.Unlock();
}

void Lookups::Keep(const Lookup& lookup) {
  const int error = lookup.answer.error;
  if (error != 0 && !SaysMissing(error)) return;
  const int64_t ns = error == 0 ? keep_found_ns_ : keep_missing_ns_;
  if (ns <= 0) return;
  const int64_t now = Nanotime();
  if (kept_.size() >= kMostKept) {
    std::erase_if(kept_, [now](const auto& k) { return k.second.until <= now; });
    if (kept_.size() >= kMostKept) kept_.clear();
  }
  const int64_t until = ns < INT64_MAX - now ? now + ns : INT64_MAX;
  kept_.insert_or_assign(lookup.question, Kept{lookup.answer, until});
}

bool Lookups::Recall(const Question& question, Answer* answer) {
  mu_.Lock();
  const auto at = kept_.find(question);
  const bool known = at != kept_.end();
  const bool good = known && at->second.until > Nanotime();
  if (good) *answer = at->second.answer;
  if (known && !good) kept_.erase(at);
  mu_.Unlock();
  return good;
}

void Lookups::SetKept(int64_t found_ns, int64_t missing_ns) {
  mu_.Lock();
  keep_found_ns_ = found_ns;
  keep_missing_ns_ = missing_ns;
  kept_.clear();
  mu_.Unlock();
}

void Lookups::Work() {
  while (std::shared_ptr<Lookup> lookup = Next()) {
    lookup->Run();
    Finish(lookup.get());
  }
}

void Lookups::Start() {
  GoOptions options;
  options.stack_size = kLookupStack;
  options.name = "net lookup";
  Go(options, [this] { Work(); });
}

// The wait of one caller for a look-up, which ends with the object.
class Waiter {
 public:
  Waiter(Question question, PollDesc* event) : event_(event) {
    bool start = false;
    lookup_ = AllLookups().Join(std::move(question), event_, &start);
    if (start) AllLookups().Start();
  }
  ~Waiter() {
    AllLookups().Leave(lookup_.get(), event_);
    PollUnblock(event_);
    PollClose(event_);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // False: given up, at the deadline or by the watcher.
  bool Wait(int64_t when, Watcher* watcher) {
    if (when != 0) PollSetDeadline(event_, when, kPollRead);
    if (watcher != nullptr) watcher->Watch(event_);
    PollResult result;
    do {  // an event of the PollDesc's former user may come late
      result = PollWait(event_, kPollRead);
      // pairs with: Finish
    } while (result == PollResult::kOk && !lookup_->finished.load(std::memory_order_acquire));
    if (watcher != nullptr) watcher->Unwatch();
    return result == PollResult::kOk;
  }
  // After Wait has returned true.
  const Answer& answer() const { return lookup_->answer; }

 private:
  PollDesc* const event_;
  std::shared_ptr<Lookup> lookup_;
};

}  // namespace

AskResult AskLibrary(const Question& question, int64_t when, Watcher* watcher, Answer* answer) {
  // A deadline that has passed is told by the wait.
  if (when >= 0 && AllLookups().Recall(question, answer)) return AskResult::kAnswered;
  PollDesc* const event = PollOpenEvent();
  if (event == nullptr) return AskResult::kNotStarted;
  Waiter waiter(question, event);
  if (!waiter.Wait(when, watcher)) return AskResult::kGivenUp;
  *answer = waiter.answer();
  return AskResult::kAnswered;
}

void KeepLookups(int64_t found_ns, int64_t missing_ns) {
  AllLookups().SetKept(found_ns, missing_ns);
}

}  // namespace gort::rt
