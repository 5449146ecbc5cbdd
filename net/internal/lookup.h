// net/internal/lookup.h: names, asked of the C library.
// What      AskLibrary waits for getaddrinfo, which runs in a goroutine of its own inside a system
//           call: no P waits for it, and the caller may give up.
// Layer     11, used by net only.                      Go: lookup.go, cgo_unix.go, singleflight
// Limits    64 calls at once. Callers that ask the same at the same time share one. One for which
//           nobody waits any more is not begun; if it was, it goes on until the C library returns,
//           and nobody joins it.
// Kept      an answer serves the same question for a moment (SetLookupCache): addresses, and that there
//           is no such name. A failure, of a server of names for one, is not kept. 1024 answers at
//           most. The moment is real time, as the look-up is, also in a bubble of testing/.
// Contract  any goroutine or foreign thread; parks; allocates.
#ifndef GORT_NET_INTERNAL_LOOKUP_H_
#define GORT_NET_INTERNAL_LOOKUP_H_

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "gort/net/addr.h"
#include "gort/netpoll/internal/poll_desc.h"

namespace gort::rt {

// Is told what a Dial waits for, so that another goroutine can end the wait by a deadline in the
// past.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // pd is waited for next, its deadline is set.
  virtual void Watch(PollDesc* pd) = 0;
  // pd goes away.
  virtual void Unwatch() = 0;
};

// The arguments of getaddrinfo; an empty word is a null pointer.
struct Question {
  std::string host;
  std::string service;
  int family;
  int type;
  int flags;
  auto operator<=>(const Question&) const = default;
};

struct Answer {
  int error = 0;         // getaddrinfo's; EAI_NONAME also for an empty list
  int system_error = 0;  // errno, for EAI_SYSTEM
  std::vector<SocketAddr> found;
};

enum class AskResult : uint8_t { kAnswered, kGivenUp, kNotStarted };

// when: deadline as of PollSetDeadline; watcher may be null. *answer is set when kAnswered.
AskResult AskLibrary(const Question& question, int64_t when, Watcher* watcher, Answer* answer);

// How long answers serve; 0: not at all. What is there already is dropped. Nanoseconds.
void KeepLookups(int64_t found_ns, int64_t missing_ns);

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_LOOKUP_H_
