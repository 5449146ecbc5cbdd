/* tests/model/park_wake.pml: parking and waking of Ms and Gs, with x86's store buffers.
 *
 * What is modelled, and where the product has it:
 *   submit    push on the own P's queue, barrier, wakep               proc/runq.h, README.md S1-S3
 *   park      give the P back, drop nmspinning, look again, sleep     README.md P1-P5
 *   hand-off  the waker takes an idle P and an idle M, sets nextp, wakes the note
 *   note      a futex word; sleeping is atomic with the test of its value      lock/note.h
 *   GoPark    save the context, leave the stack, kGWaiting, then unlockf, which may say no
 *   GoReady   kGWaiting -> kGRunnable, then as submit
 *
 * M0 runs on P0 all the time, so its queue is emptied by others or not at all. It submits G1, which
 * parks until M0 notifies it; with TWO_GS also G0, which just ends. M1 spins on P1 at first, M2 sleeps. When no M
 * is idle, startm creates one; here the waker waits for one of those that are on their way to
 * sleep, which is the same to everybody else.
 *
 * A critical section is one atomic step: what it changes is touched under the lock only, but for
 * npidle, which it changes once.
 *
 * A plain store goes to the buffer of its M and reaches memory some time later, in order; locked
 * instructions wait until the buffer is empty. Loads that could find something in their own buffer
 * are not modelled: the owner keeps a copy of tail.
 *
 * Wanted: M0 sees its Gs end. Lost wake-ups are invalid end states; the rest is asserted. Each
 * macro MUT_... makes a mistake that must be found.
 */

#define NM 3
#define NP 3
#define NONE 255

/* Memory that is written by plain stores. */
#define TAIL 0      /* of P0's ring; its head moves by locked instructions */
#define CTX 1       /* G1's context is saved */
#define NEXTP(m) (2 + (m))
byte mem[5];
chan buffer[NM] = [3] of { byte, byte };

/* Memory that is written by locked instructions or under the lock. */
byte head;
byte ring[4];
byte nmspinning;
byte npidle;
bool pidle[NP];
bool midle[NM];
bool key[NM];       /* notes */
bool asleep[NM];    /* in the futex */

/* G1. rg is the word through which parker and notifier meet, as in netpoll. */
mtype = { kNil, kWait, kReady, kParked, kRunning, kWaiting, kRunnable };
mtype rg = kNil;
mtype g1 = kRunnable;
bool g1_started;

/* Who is there: asserted, seen by nobody. */
byte stack = NONE;  /* the M on G1's stack */
byte owner[NP];     /* the M that holds the P */
byte ended;

#define STORE(m, where, value) buffer[m]!where, value
#define FENCE(m) empty(buffer[m])

proctype StoreBuffer(byte m) {
  byte where, value;
end:
  do
  :: atomic { buffer[m]?where, value -> mem[where] = value }
  od
}

inline NoteWakeup(me, m) {
  atomic { FENCE(me) -> assert(!key[m]); key[m] = true };
  asleep[m] = false
}

inline PIdlePut(p) {
  pidle[p] = true;
  npidle++
}

/* An idle P, or NONE. Under the lock. */
inline PIdleGet(p) {
  if
  :: pidle[1] -> p = 1
  :: !pidle[1] && pidle[2] -> p = 2
  :: else -> p = NONE
  fi;
  if
  :: p != NONE -> pidle[p] = false; npidle--
  :: else
  fi
}

inline WakeP(me, p, m) {
  if
  :: npidle == 0
  :: else ->
    if
    :: nmspinning != 0
    :: else ->
      if
      :: atomic { FENCE(me) && nmspinning == 0 -> nmspinning = 1 };
        atomic {  /* under the lock */
          FENCE(me) ->
          m = NONE;
          PIdleGet(p);
          if
          :: p != NONE && midle[1] -> m = 1
          :: p != NONE && !midle[1] && midle[2] -> m = 2
          :: else
          fi;
          if
          :: m != NONE -> midle[m] = false
          :: else
          fi
        };
#ifdef MUT_NO_NEW_M
        if
        :: p != NONE && m == NONE -> atomic { FENCE(me) -> PIdlePut(p) }
        :: else
        fi;
#else
        if
        :: p != NONE && m == NONE ->
          if
          :: atomic { midle[1] -> midle[1] = false; m = 1 }
          :: atomic { midle[2] -> midle[2] = false; m = 2 }
          fi
        :: else
        fi;
#endif
        if
        :: m != NONE ->
#ifdef MUT_NEXTP_LATE
          NoteWakeup(me, m);
          STORE(me, NEXTP(m), p)
#else
          STORE(me, NEXTP(m), p);
          NoteWakeup(me, m)
#endif
        :: else -> atomic { FENCE(me) -> nmspinning-- }
        fi
      :: FENCE(me) && nmspinning != 0 /* the swap failed */
      fi
    fi
  fi
}

/* M0 puts a G on its queue. */
inline Submit(g, p, m) {
  ring[tail] = g;
  tail++;
  STORE(0, TAIL, tail);
#ifndef MUT_NO_BARRIER
  FENCE(0);
#endif
  WakeP(0, p, m)
}

proctype Submitter() {
  byte tail, p, m;
  bool parked;
#ifdef TWO_GS
  Submit(0, p, m);
#endif
  Submit(1, p, m);
  /* Notify G1, before, while or after it parks. */
  atomic {
    FENCE(0) ->
    parked = (rg == kParked);
    if
    :: parked -> rg = kNil
    :: else -> rg = kReady
    fi
  };
  if
  :: parked ->
    atomic { assert(g1 == kWaiting); g1 = kRunnable };
    Submit(1, p, m)
  :: else
  fi;
#ifdef TWO_GS
  ended == 2
#else
  ended == 1
#endif
}

inline LeaveStack(me) {
  STORE(me, CTX, 1);
  assert(stack == me);
  stack = NONE;
  atomic { FENCE(me) -> g1 = kWaiting }
}

/* unlockf, on the M's own stack. */
inline CommitPark(me, ok) {
  atomic {
    FENCE(me) ->
    ok = (rg == kWait);
    if
    :: ok -> rg = kParked
    :: else
    fi
  }
}

/* G1 goes on where it parked, and ends. */
inline Resume(me) {
  atomic {
    assert(mem[CTX] == 1);
    assert(stack == NONE);
    stack = me;
    g1 = kRunning
  };
  atomic { stack = NONE; ended++ }
}

/* G1 from its start: waits for the notification, then ends. */
inline RunG1(me, ok) {
  atomic { g1_started = true; g1 = kRunning; stack = me };
  atomic {
    FENCE(me) ->
    ok = (rg == kNil);
    if
    :: ok -> rg = kWait
    :: else
    fi
  };
  if
  :: !ok -> atomic { stack = NONE; ended++ }  /* notified already */
  :: else ->
#ifdef MUT_COMMIT_EARLY
    CommitPark(me, ok);
    LeaveStack(me);
#else
    LeaveStack(me);
    CommitPark(me, ok);
#endif
    if
    :: ok
    :: else ->
      atomic { assert(g1 == kWaiting); g1 = kRunnable };
      Resume(me)
    fi
  fi
}

inline Run(me, g, ok) {
  if
  :: g == 0 -> ended++
  :: g == 1 && !g1_started -> RunG1(me, ok)
  :: else -> assert(g1 == kRunnable); Resume(me)
  fi
}

/* Takes the oldest G of P0, or NONE. */
inline Steal(me, h, g) {
  g = NONE;
  do
  :: h = head;
    if
    :: mem[TAIL] == h -> break
    :: else
    fi;
    if
    :: atomic { FENCE(me) && head == h -> head = h + 1; g = ring[h] }; break
    :: FENCE(me) && head != h
    fi
  od
}

proctype Worker(byte me; byte first_p) {
  byte p = first_p;
  byte q, m, g, h;
  bool spinning = (first_p != NONE);
  bool ok;
  if
  :: p == NONE -> goto stop
  :: else
  fi;

find:
  if
  :: !spinning -> atomic { FENCE(me) -> nmspinning++; spinning = true }
  :: else
  fi;
  Steal(me, h, g);
  if
  :: g != NONE ->
    atomic {
      FENCE(me) ->
      spinning = false;
      assert(nmspinning > 0);
      nmspinning--;
      ok = (nmspinning == 0)
    };
    if
    :: ok -> WakeP(me, q, m)
    :: else
    fi;
    Run(me, g, ok);
    goto find
  :: else
  fi;

  /* P1: give the P back. */
  atomic {
    FENCE(me) ->
    owner[p] = NONE;
    PIdlePut(p);
    p = NONE
  };
#ifdef MUT_CHECK_BEFORE_DROP
  h = head;
  ok = (mem[TAIL] != h);
#endif
  /* P2: drop spinning. P3: look again. */
  atomic { FENCE(me) -> nmspinning--; spinning = false };
#ifndef MUT_CHECK_BEFORE_DROP
  h = head;
  ok = (mem[TAIL] != h);
#endif
  if
  :: !ok -> goto stop
  :: else
  fi;
  /* P4: there is work: take a P, if one is left, and spin again. */
  atomic {
    FENCE(me) ->
    PIdleGet(p);
    if
    :: p != NONE -> assert(owner[p] == NONE); owner[p] = me
    :: else
    fi
  };
  if
  :: p != NONE ->
    atomic { FENCE(me) -> nmspinning++; spinning = true };
    goto find
  :: else
  fi;

stop:
  /* P5: sleep until somebody hands over a P. */
  atomic { FENCE(me) -> midle[me] = true };
  do
  :: key[me] -> break
  :: else ->
#ifdef MUT_NOTE_NO_COMPARE
    asleep[me] = true;
#else
    atomic {
      if
      :: !key[me] -> asleep[me] = true
      :: else
      fi
    };
#endif
end:
    !asleep[me]
  od;
  atomic {
    key[me] = false;
    p = mem[NEXTP(me)];
    assert(p != NONE);
    mem[NEXTP(me)] = NONE;
    assert(owner[p] == NONE);
    owner[p] = me;
    spinning = true
  };
  goto find
}

init {
  atomic {
    owner[0] = 0;
    owner[1] = 1;
    owner[2] = NONE;
    mem[NEXTP(0)] = NONE;
    mem[NEXTP(1)] = NONE;
    mem[NEXTP(2)] = NONE;
    PIdlePut(2);
    nmspinning = 1;
    run StoreBuffer(0);
    run StoreBuffer(1);
    run StoreBuffer(2);
    run Submitter();
    run Worker(1, 1);
    run Worker(2, NONE)
  }
}
