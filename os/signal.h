// gort/os/signal.h: signals as values of channels.
// What      Notify gives a channel with the signals that were asked for, Stop takes that back;
//           NotifyContext gives a context that ends by a signal.
// Layer     12.                                       Go: package os/signal
// Default   a signal that somebody waits for no longer has its default action. It has it again once
//           the last who asked for it has stopped. A handler that the program or a library had
//           installed before the first Notify still runs, and is what is put back after the last
//           Stop.
// Delivery  each channel that asks for a signal gets it; a channel without room loses it. The
//           kernel itself keeps one of a kind: two signals of the same number that come at once may
//           arrive as one. A signal that every thread of the process blocks does not arrive.
// Refused   Panic: SIGKILL and SIGSTOP, which nobody can catch; SIGSEGV, SIGBUS, SIGFPE, SIGILL and
//           SIGABRT, which say that the program is broken; the signal by which gort pre-empts
//           (SIGURG, or GODEBUG=preemptsignal); those of the C library (32, 33); what is no signal.
//           SIGQUIT is granted: it does not print tracebacks while somebody waits for it.
// Idle      one goroutine of the runtime's waits in the poller as long as anybody waits for
//           signals; meanwhile no deadlock is reported, because a signal may come.
// Contract  | call                  | goroutine | foreign thread | parks | allocates |
//           | Notify, NotifyContext |     x     |       x        |   x   |     x     |
//           | Stop                  |     x     |       x        |   x   | to cancel |
//           After the runtime has started (gort::Run); before that, Panic.
#ifndef GORT_OS_SIGNAL_H_
#define GORT_OS_SIGNAL_H_

#include <cstddef>
#include <initializer_list>
#include <memory>

#include "gort/chan/chan.h"
#include "gort/context/context.h"

namespace gort {
namespace rt {
struct SignalEnd;
}  // namespace rt

namespace os {

// How many signals a channel of Notify holds that nobody has received yet.
inline constexpr size_t kSignalCapacity = 16;

// A new channel that gets each of `signals` (their numbers, at least one) from now on, until Stop.
// Go: signal.Notify
RecvChan<int> Notify(std::initializer_list<int> signals);

// Ends what Notify began, and closes the channel: what has arrived before this call is still in it.
// Does nothing for a channel that is not Notify's, or no longer. Go: signal.Stop
void Stop(RecvChan<int> signals);

// A context that is cancelled by a signal, and with its parent. Err() is kCancelled, Cause() names
// the signal ("signal: SIGTERM"). The signals have no default action until Stop, or the end of this
// object, also after the first of them came: to let a second Ctrl-C end the program, call Stop
// after the first.
class [[nodiscard]] SignalContext {
 public:
  // signals: as of Notify.
  SignalContext(const Context& parent, std::initializer_list<int> signals);
  // Stops, and cancels the context.
  ~SignalContext();
  SignalContext(const SignalContext&) = delete;
  SignalContext& operator=(const SignalContext&) = delete;

  const Context& context() const { return context_; }
  // The signal that came first; 0: none has.
  int signal() const;
  // The signals have their default action again; a context that none has ended stays as it is. A
  // second time does nothing.
  void Stop();

 private:
  Context context_;
  const std::shared_ptr<rt::SignalEnd> end_;
};

// Go: signal.NotifyContext
inline SignalContext NotifyContext(const Context& parent, std::initializer_list<int> signals) {
  return SignalContext(parent, signals);
}

}  // namespace os
}  // namespace gort

#endif  // GORT_OS_SIGNAL_H_
