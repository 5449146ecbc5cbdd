#include "gort/traceback/running.h"

#include <atomic>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {
namespace {

constexpr int64_t kPatienceNs = 1'000'000'000;
constexpr int kMostSilent = 3;  // threads that may leave a request unanswered
constexpr int64_t kLookNs = 50'000;

enum State : uint32_t { kIdle, kAsked, kAnswering, kAnswered };

// As many frames from both ends as a FramePrinter prints.
struct Answer {
  static constexpr int kEnd = FramePrinter::kInner;
  Frame inner[kEnd] = {};
  Frame outer[kEnd] = {};  // a ring of those from number kEnd on
  int n = 0;
};

// Frames are the handler's from kAnswering to kAnswered, and the reporter's otherwise.
struct Request {
  std::atomic<uint32_t> state{kIdle};
  std::atomic<const M*> of{nullptr};
  std::atomic<const G*> g{nullptr};
  bool found = false;  // as `answer`
  Answer answer;
};
constinit Request request;
constinit int silent = 0;  // the reporter's

bool Store(const Frame& frame, void* arg) {
  Answer* a = static_cast<Answer*>(arg);
  if (a->n < Answer::kEnd) {
    a->inner[a->n] = frame;
  } else {
    a->outer[a->n % Answer::kEnd] = frame;
  }
  ++a->n;
  return true;
}

void Replay(const Answer& a, FramePrinter* out) {
  for (int i = 0; i < a.n; ++i) {
    if (i < Answer::kEnd) {
      out->Add(a.inner[i]);
    } else if (i < a.n - Answer::kEnd) {
      out->Skip();
    } else {
      out->Add(a.outer[i % Answer::kEnd]);
    }
  }
}

// A walk of a stack that was overwritten may fault. Unblocked, the fault ends in the handler, which
// stops this thread, because the report is another's.
void UnblockFaults() {
  for (int sig : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) SigUnblock(sig);
}

bool Await(uint32_t state, int64_t deadline) {
  // pairs with: AnswerStackRequest
  while (request.state.load(std::memory_order_acquire) != state) {
    if (Nanotime() >= deadline) return false;
    ThreadSleep(kLookNs);
  }
  return true;
}

// False: the thread did not answer in time. A request that it has begun to answer stays its own.
bool AwaitAnswer() {
  if (Await(kAnswered, Nanotime() + kPatienceNs)) return true;
  uint32_t asked = kAsked;
  if (request.state.compare_exchange_strong(asked, kIdle, std::memory_order_acq_rel)) return false;
  return Await(kAnswered, Nanotime() + kPatienceNs);
}

// G's fields may be a moment old here; each is one word, and no G and no M is ever freed.
GORT_NO_TSAN const M* ThreadOf(const G* gp) {
  const M* mp = gp->m;
  return mp != nullptr && mp->curg.load(std::memory_order_relaxed) == gp ? mp : nullptr;
}

bool NoRequest(int) { return false; }

}  // namespace

constinit Hook<bool(int)> stack_request_hook{&NoRequest};

bool AnswerStackRequest(siginfo_t*, SigCtx& ctx, G* gp) {
  if (gp == nullptr || gp->m == nullptr) return false;
  const M* mp = gp->m;
  // pairs with: RunningFrames
  if (request.state.load(std::memory_order_acquire) != kAsked) return false;
  if (request.of.load(std::memory_order_relaxed) != mp) return false;
  uint32_t asked = kAsked;
  if (!request.state.compare_exchange_strong(asked, kAnswering, std::memory_order_acq_rel)) {
    return false;
  }
  request.answer.n = 0;
  // On g0 the thread may work for its goroutine; the walk goes on to the goroutine's stack then.
  request.found = mp->curg.load(std::memory_order_relaxed) == request.g.load();
  if (request.found) {
    UnblockFaults();
    UnwindSigCtx(ctx, &Store, &request.answer);
  }
  request.state.store(kAnswered, std::memory_order_release);  // pairs with: Await
  return false;
}

bool RunningFrames(const G* gp, FramePrinter* out) {
  // ThreadSanitizer calls handlers later, on another context than the one that was interrupted.
  if (GORT_TSAN || silent >= kMostSilent) return false;
  const M* mp = ThreadOf(gp);
  const int tid = mp != nullptr ? mp->tid.load(std::memory_order_relaxed) : 0;
  if (tid == 0 || tid == ThreadId()) return false;
  if (request.state.load(std::memory_order_acquire) != kIdle) return false;
  request.of.store(mp, std::memory_order_relaxed);
  request.g.store(gp, std::memory_order_relaxed);
  request.state.store(kAsked, std::memory_order_release);  // pairs with: AnswerStackRequest
  if (!stack_request_hook(tid)) {
    request.state.store(kIdle, std::memory_order_relaxed);
    return false;
  }
  if (!AwaitAnswer()) {
    ++silent;
    return false;
  }
  const bool found = request.found;
  if (found) Replay(request.answer, out);
  request.state.store(kIdle, std::memory_order_relaxed);
  return found;
}

}  // namespace gort::rt
