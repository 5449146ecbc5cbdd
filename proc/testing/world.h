// proc/testing/world.h: the scheduler on one thread and a clock that stands, for table tests.
// What      a World has hand-made Ms and Ps, and goroutines with real stacks; the test is the loop
//           of every M. The linker leads a few calls of the product here (--wrap, see BUILD.bazel):
//           each change of a status, sleeping and waking on notes, the clock, creating threads. So
//           a World writes down every transition, stops one side just before a transition of its
//           choice and lets the other side run there, and no thread ever blocks: the product has no
//           code for it.
// Layer     tests only; one World at a time, on the main thread. Without a World the wrapped calls
//           are the product's.
#ifndef GORT_PROC_TESTING_WORLD_H_
#define GORT_PROC_TESTING_WORLD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/lock/note.h"

namespace gort::rt::testing {

class World {
 public:
  // This thread is m0 on its g0 and holds P 0; the other Ps are idle. No poller, no timers, no
  // sysmon, no main function; time is kStart.
  explicit World(int32_t procs);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  static constexpr int64_t kStart = 1'000'000'000'000;
  int64_t now = kStart;

  static P* PAt(int32_t id);
  static int32_t IdleMs();
  // A stop of the world that waits for so many Ps; and for how many it waits still.
  static void BeginToStop(int32_t ps);
  static int32_t ToStop();
  // An M on no list, without a P and without a thread. sleeping: on the list of idle Ms.
  M* NewM(bool sleeping = false);
  // Ms for which the product asked for a thread, in order; their threads never run.
  std::vector<M*> threads;

  // A goroutine that runs body on a stack of its own. It is runnable, and on no queue.
  G* NewG(const char* name, std::function<void()> body);
  // A G without a stack in that state, on allgs: for functions that only look at it.
  G* Dummy(const char* name, uint32_t status);
  // A G that another thread's CurrentG() would be given; Becomes makes it the caller's.
  G* NewForeign(const char* name);

  // Runs gp on the current M until it leaves for g0. The current G must be the M's g0.
  void Resume(G* gp);
  // Runs f as mp, on mp's g0 (in name: f runs on the caller's stack); then the caller is what it
  // was. With another M's P or without one.
  void As(M* mp, const std::function<void()>& f);
  // Runs f as the goroutine or thread that gp stands for; null: a thread that gort does not know.
  void AsG(G* gp, const std::function<void()>& f);

  // An M whose thread is a stack of its own: Run lets body run there, as mp on its g0, until it
  // ends, comes to Suspend, or must sleep on a note that is not woken; so that several Ms stand
  // still in the middle of something. True: body has ended.
  M* NewThread(std::function<void(M*)> body);
  bool Run(M* mp);
  // Leaves the thread of a NewThread here, on g0 or on a goroutine's stack, until the next Run. No
  // runtime lock may be held.
  void Suspend();

  // Each transition since the last call, "g running>waiting, p0 idle>running".
  std::string Trace();
  // A place to stop at: before the object called `name` goes from one state to the other, f runs
  // once. The transition takes place afterwards, if it still can.
  void Before(const char* name, uint32_t from, uint32_t to, std::function<void()> f);
  // The same just after the transition. No object may be in the way of f: sched.lock must be free
  // there if f takes it.
  void After(const char* name, uint32_t from, uint32_t to, std::function<void()> f);
  // Called when m0 must sleep on a note that nobody has woken. It has to wake the note, or,
  // in a sleep with a limit, may let the time pass.
  std::function<void(Note*)> on_sleep;
  // The same, for sleeps with a limit (negative: none), in the place of on_sleep.
  std::function<void(Note*, int64_t ns)> on_timed_sleep;
  // Called for a thread that sleeps for a time, after the clock has moved on.
  std::function<void(int64_t ns)> on_pause;

  // Sleeps with a limit that came to it.
  int timeouts = 0;

  // What the system says of the thread of an M by its id: its CPU time, whether it sleeps. Null: what
  // it says of the real one.
  std::function<int64_t(int tid)> thread_cpu;
  std::function<bool(int tid)> asleep;
  // The system has a barrier on all threads. When StayInit asks.
  bool has_barrier = true;

  // Threads of the process that the runtime knows nothing of.
  int strangers = 0;
  // The number of threads is not known, as without /proc.
  bool threads_unknown = false;
  int cpus_by_affinity = 1;
  int cpus_by_quota = 0;

  // The global queue, from its front, by name; empties it.
  std::string DrainGlobal();
  // The queue of pp, in the order in which it would run; empties it.
  std::string DrainLocal(P* pp);
  G* PopGlobal();
  std::string Name(const G* gp) const;

  // All transitions that any World of this process has seen: ('G' or 'P', from, to).
  using Edge = std::tuple<char, uint32_t, uint32_t>;
  static const std::set<Edge>& EdgesSeen();
  static std::string EdgeName(const Edge& e);

  // For the wrapped functions.
  void SawG(const G* gp, uint32_t from, uint32_t to);
  void SawP(const P* pp, uint32_t from, uint32_t to);
  void StopAt(bool after, const std::string& name, uint32_t from, uint32_t to);
  // True when the current M is a NewThread's.
  bool OnThread() const;

 private:
  struct Stop {
    bool after;
    std::string name;
    uint32_t from;
    uint32_t to;
    std::function<void()> f;
  };

  struct Thread {
    M* mp;
    std::function<void(M*)> body;
    G* at;      // where Run goes on
    G* runner;  // who called Run
    bool running;
    bool ended;
  };

  void ResetSched();
  Thread* ThreadOf(const M* mp) const;

  std::vector<std::pair<const G*, std::string>> names_;
  std::vector<Stop> stops_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::string trace_;
};

// The name of a P's state: "idle", "running", "syscall", "gcstop", "dead".
const char* PStatusName(uint32_t status);

}  // namespace gort::rt::testing

#endif  // GORT_PROC_TESTING_WORLD_H_
