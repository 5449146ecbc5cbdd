// netpoll/internal/poll_desc.h: one descriptor as the poller sees it, and those who wait for it.
// What      PollOpen registers a descriptor once, edge-triggered in both directions. After a system
//           call would block, PollWait parks the caller until the next edge, a deadline,
//           PollCancel or PollUnblock. Works the same for goroutines and foreign threads.
// Layer     9.                                                  Go: pollDesc (netpoll.go)
// Waiting   each direction has one word (rg, wg):
//           | the word | says                                      |
//           | kNobody  | nobody waits, and no edge is kept         |
//           | kReady   | an edge came that no wait has taken       |
//           | kParking | a waiter is about to park                 |
//           | a G      | that goroutine or foreign thread waits    |
//           A direction has one waiter at most: callers take turns (net/internal/fd_mutex.h), and a
//           second waiter is fatal.
//               PollPrepare(pd, mode);              forgets an edge of before the system call
//               while (read(fd, …) == EAGAIN) PollWait(pd, mode);
//           An edge between the read and the wait is in the word: the wait returns at once.
// Ordering  a call that ends a wait writes `info` and then exchanges the word; a waiter writes the
//           word and then reads `info`. All four are seq_cst, so one of the two sees the other. The
//           same holds between an event with kPollSpecial and a PollPrepare that forgets an edge.
// Stale     events carry the descriptor's sequence (fdseq); those fetched before a PollClose do not
//           reach the next user. A PollDesc is never freed, only used again.
// Contract  | call                | user G | g0 | no P | gsignal | foreign | parks | allocates   |
//           | PollOpen            |   x    | -  |  -   |    -    |    x    |   -   | never freed |
//           | PollPrepare         |   x    | -  |  -   |    -    |    x    |   -   |      -      |
//           | PollWait            |   x    | -  |  -   |    -    |    x    |   x   |      -      |
//           | PollSetDeadline     |   x    | -  |  -   |    -    |    x    |   -   | timer heap  |
//           | PollUnblock, Close  |   x    | -  |  -   |    -    |    x    |   -   |      -      |
//           | PollCancel, …       |   x    | x  |  x   |    -    |    x    |   -   |      -      |
//           | PollReady           |   x    | x  |  x   |    -    |    x    |   -   |      -      |
#ifndef GORT_NETPOLL_INTERNAL_POLL_DESC_H_
#define GORT_NETPOLL_INTERNAL_POLL_DESC_H_

#include <cstdint>

namespace gort::rt {

class GList;
struct G;
struct PollDesc;

enum class PollResult : uint8_t {
  kOk,
  kClosing,      // PollUnblock was called
  kTimeout,      // the direction's deadline has passed
  kNotPollable,  // the kernel reports nothing but an error for this descriptor
  kCancelled,    // PollCancel was called
};

// Registers fd, which should not block (O_NONBLOCK) and stays the caller's. Null: *error is an
// errno value (PollerAdd), or ENOSYS when the runtime has not started. Go: poll_runtime_pollOpen
PollDesc* PollOpen(int fd, int* error);
// A PollDesc without a descriptor: PollNotify makes its edges; PollWait, deadlines and PollUnblock
// work as on others. Null when the runtime has not started.
PollDesc* PollOpenEvent();
// Unregisters, before the descriptor is closed, and gives pd back. Requires: PollUnblock was called
// and nobody waits. Go: poll_runtime_pollClose
void PollClose(PollDesc* pd);

// kOk: the edges of one direction (kPollRead or kPollWrite) so far are forgotten; the system call
// comes next. Go: poll_runtime_pollReset
PollResult PollPrepare(PollDesc* pd, uint32_t mode);
// Waits for an edge of one direction. kOk may come for no reason. Go: poll_runtime_pollWait
PollResult PollWait(PollDesc* pd, uint32_t mode);
// True: nothing like the end of a stream has come (kPollSpecial). If this is a TCP socket and the
// last read got less than it asked for, the next one may begin with PollWait, without PollPrepare
// and a system call that would only say EAGAIN.
bool PollPlain(const PollDesc* pd);
// An edge of one direction, by hand.
void PollNotify(PollDesc* pd, uint32_t mode);

// Deadline of the directions in mode: when in monotonic nanoseconds; 0: none; negative or in the
// past: passed, whoever waits is woken now. A deadline stays passed until it is set anew. Nothing
// happens after PollUnblock. Go: poll_runtime_pollSetDeadline
void PollSetDeadline(PollDesc* pd, int64_t when, uint32_t mode);
// Ends the wait of one call in one direction, and no later one: PollCancel makes PollPrepare and
// PollWait of that direction return kCancelled until PollUncancel. PollCancel may run under any
// lock: it takes none, and returns the waiter, which the caller readies; null: nobody is parked.
// The waiter itself calls PollUncancel, once no PollCancel for it can come any more.
G* PollCancel(PollDesc* pd, uint32_t mode);
void PollUncancel(PollDesc* pd, uint32_t mode);
// Ends every wait with kClosing, those of now and later ones. Called once.
// Go: poll_runtime_pollUnblock
void PollUnblock(PollDesc* pd);

// For Netpoll: adds the goroutines that an event wakes to *to_run (their status stays kGWaiting);
// foreign threads are woken at once. Stale tokens are dropped. Go: netpollready
void PollReady(uint64_t token, uint32_t mode, GList* to_run);
// What PollerAdd was given for pd.
uint64_t PollToken(const PollDesc* pd);

}  // namespace gort::rt

#endif  // GORT_NETPOLL_INTERNAL_POLL_DESC_H_
