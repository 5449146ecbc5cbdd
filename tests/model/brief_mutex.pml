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
byte count;          /* of sleepers; changed by locked instructions */
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

/* Take: a locked compare-and-swap. */
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

/* FutexSleep: the kernel compares and queues in one step; it returns when somebody wakes t. */
inline FutexSleep(t) {
  atomic {
    FENCE(t) ->
    if
    :: state == 1 -> asleep[t] = true
    :: else
    fi
  };
  !asleep[t]
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

inline Lock(t, taken) {
  Take(t, taken);
  if
  :: taken
  :: else ->
#ifdef MUT_COUNTED_AFTER_THE_BARRIER
    Barrier(t);
    atomic { FENCE(t) -> count++ };
#else
    atomic { FENCE(t) -> count++ };
    Barrier(t);
#endif
    Take(t, taken);
    do
    :: taken -> break
    :: else ->
      FutexSleep(t);
#ifdef MUT_NOT_COUNTED_ONCE_WOKEN
      atomic { FENCE(t) -> count-- };
#endif
      Take(t, taken);
#ifdef MUT_NOT_COUNTED_ONCE_WOKEN
      if
      :: taken
      :: else -> atomic { FENCE(t) -> count++ }
      fi
#endif
    od;
#ifndef MUT_NOT_COUNTED_ONCE_WOKEN
    atomic { FENCE(t) -> count-- }
#endif
  fi
}

inline Unlock(t, seen) {
  owners--;
#ifdef MUT_LOOK_BEFORE_THE_STORE
  seen = count;
  buffer[t]!0;
#else
  buffer[t]!0;
  seen = count;
#endif
  if
  :: seen != 0 ->
    atomic {  /* FutexWake of one */
      FENCE(t) ->
      if
      :: asleep[0] -> asleep[0] = false
      :: asleep[1] -> asleep[1] = false
      :: asleep[2] -> asleep[2] = false
      :: else
      fi
    }
  :: else
  fi
}

proctype Thread(byte t) {
  bit taken;
  byte seen;
  byte round;
  do
  :: round < ROUNDS ->
    Lock(t, taken);
    Unlock(t, seen);
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
