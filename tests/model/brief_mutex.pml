/* tests/model/brief_mutex.pml: lock/brief_mutex.h, with x86's store buffers.
 *
 * NT threads take and release one lock ROUNDS times each, without spinning. The release is a plain
 * store: it goes to the buffer of its thread and reaches memory some time later. Locked
 * instructions and calls of the kernel wait until the buffer is empty. The barrier on all threads
 * empties the buffer of one thread after the other.
 *
 * Wanted: one owner at a time, and every thread comes to its end: a lost wake-up is an invalid end
 * state. Each macro MUT_... makes a mistake that must be found.
 */

#define NT 3
#define ROUNDS 2

bit state;           /* 1: locked; in memory */
bit mark;            /* the word's lowest bit; changed by locked instructions, as is */
byte taken_away;     /* how often the mark was taken away: the rest of the word */
bool asleep[NT];     /* in the futex */
chan buffer[NT] = [1] of { bit };  /* the one plain store is state = 0 */

byte owners;         /* asserted, seen by nobody */

#define FENCE(t) empty(buffer[t])

proctype StoreBuffer(byte t) {
end:
  do
  :: atomic { buffer[t]?0 -> state = 0 }
  od
}

/* A locked compare-and-swap. */
inline Take(t, taken) {
  atomic {
    FENCE(t) ->
    taken = (state == 0);
    if
    :: taken -> state = 1; owners++; assert(owners == 1)
    :: else
    fi
  }
}

inline Mark(t, seen) {
  atomic { FENCE(t) -> mark = 1; seen = taken_away }
}

inline Barrier(t) {
#ifndef MUT_NO_BARRIER
  FENCE(t);
  FENCE(0);
  FENCE(1);
  FENCE(2)
#else
  skip
#endif
}

/* The kernel compares and queues in one step; this returns when somebody wakes t. */
inline FutexSleep(t, seen) {
  atomic {
    FENCE(t) ->
    if
#ifdef MUT_SLEEPS_WITHOUT_COMPARING
    :: true -> asleep[t] = true
#else
    :: mark == 1 && taken_away == seen -> asleep[t] = true
    :: else
#endif
    fi
  };
  !asleep[t]
}

inline Lock(t, taken, seen) {
  Take(t, taken);
  do
  :: taken -> break
  :: else ->
#ifdef MUT_MARKED_AFTER_THE_BARRIER
    Barrier(t);
    Take(t, taken);
    Mark(t, seen);
#else
    Mark(t, seen);
    Barrier(t);
    Take(t, taken);
#endif
    if
    :: taken
    :: else -> FutexSleep(t, seen); Take(t, taken)
    fi
  od
}

inline Unlock(t, marked, seen) {
  owners--;
#ifdef MUT_LOOKS_BEFORE_THE_STORE
  marked = mark;
  buffer[t]!0;
#else
  buffer[t]!0;
  marked = mark;
#endif
  if
  :: marked ->
    atomic { marked = mark; seen = taken_away };  /* one word: one load */
    if
    :: marked ->
      atomic {
        FENCE(t) ->
        marked = (mark == 1 && taken_away == seen);
        if
        :: marked -> mark = 0; taken_away++
        :: else
        fi
      };
      if
      :: marked ->
        atomic {
          FENCE(t) ->
#ifdef MUT_WAKES_ONE
          if
          :: asleep[0] -> asleep[0] = false
          :: asleep[1] -> asleep[1] = false
          :: asleep[2] -> asleep[2] = false
          :: else
          fi
#else
          asleep[0] = false;
          asleep[1] = false;
          asleep[2] = false
#endif
        }
      :: else
      fi
    :: else
    fi
  :: else
  fi
}

proctype Thread(byte t) {
  bit taken;
  bit marked;
  byte seen;
  byte round;
  do
  :: round < ROUNDS ->
    Lock(t, taken, seen);
    Unlock(t, marked, seen);
    round++
  :: else -> break
  od
}

init {
  atomic {
    run StoreBuffer(0);
    run StoreBuffer(1);
    run StoreBuffer(2);
    run Thread(0);
    run Thread(1);
    run Thread(2)
  }
}
