#!/usr/bin/env bash
# tests/death/death_test.sh TESTPROG: every way to die ends with its report and its status.
set -u
prog=$1
failed=0

# run SCENARIO: sets out, err and status. GORT_RUN_UNDER is the emulator of a cross build.
run() {
  # shellcheck disable=SC2086
  timeout 60 ${GORT_RUN_UNDER:-} "$prog" "$1" >"$TEST_TMPDIR/out" 2>"$TEST_TMPDIR/err"
  status=$?
}

fail() {
  echo "FAILED: $scenario: $1"
  echo "--- status $status, stdout:"
  cat "$TEST_TMPDIR/out"
  echo '--- stderr:'
  cat "$TEST_TMPDIR/err"
  failed=$((failed + 1))
}

# expect SCENARIO STATUS [LINE ...]: runs it; each LINE is a regular expression that a whole line of
# stderr must match, in this order.
expect() {
  scenario=$1
  local want=$2
  shift 2
  run "$scenario"
  [ "$status" -eq "$want" ] || { fail "status $status, want $want"; return; }
  local at=0 line n
  for line in "$@"; do
    n=$(tail -n +$((at + 1)) "$TEST_TMPDIR/err" | grep -nxE -m1 -- "$line" | cut -d: -f1)
    [ -n "$n" ] || { fail "no line '$line' after line $at"; return; }
    at=$((at + n))
  done
  echo "ok: $scenario"
}

# stdout_is TEXT: the last scenario's stdout.
stdout_is() {
  [ "$(cat "$TEST_TMPDIR/out")" = "$1" ] || fail "stdout is not '$1'"
}

expect deadlock 2 'fatal error: all goroutines are asleep - deadlock!' '' \
  'goroutine 1 \[chan receive\]:' 'goroutine [0-9]+ \[chan send\]:'
expect deadlock_nil 2 'fatal error: all goroutines are asleep - deadlock!' '' \
  'goroutine 1 \[chan receive \(nil chan\)\]:'
expect deadlock_select 2 'fatal error: all goroutines are asleep - deadlock!' '' \
  'goroutine 1 \[select \(no cases\)\]:'
expect deadlock_locked 2 'fatal error: all goroutines are asleep - deadlock!' '' \
  'goroutine 1 \[chan receive, locked to thread\]:'
expect main_goexit 2 'fatal error: no goroutines \(main called runtime.Goexit\) - deadlock!'
stdout_is "~main's frame
the others go on"
expect panic_std 2 'panic: boom' '' 'goroutine [0-9]+ \[running\]:'
expect panic_int 2 'panic: exception of type int' '' 'goroutine 1 \[running\]:'
expect panic_closed_channel 2 'panic: send on closed channel' '' 'goroutine 1 \[running\]:'
expect null_function 2 'fatal error: go of nil func value' '' 'goroutine 1 \[running\]:'
expect throw 2 'fatal error: a broken invariant' '' 'goroutine 1 \[running\]:'
expect goexit_deep 0
stdout_is '~frame
~frame
~frame
caught, not rethrown
main goes on'
expect foreign_goexit 2 'fatal error: Goexit called from a thread that is not a goroutine'
expect foreign_throw 134
expect exit_status 7
expect ok 0
if [ "${GORT_SKIP_FAULTS:-0}" = 0 ]; then
  expect overflow 2 'runtime: goroutine stack exceeds [0-9]+-byte limit' 'fatal error: stack overflow' '' \
    'goroutine [0-9]+ \[running\]:'
  expect segv 2 'fatal error: .*' '.*signal SIGSEGV: segmentation violation.*' '' \
    'goroutine [0-9]+ \[running\]:'
fi

exit $((failed > 0))
