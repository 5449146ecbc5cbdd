#!/bin/bash
# examples/hello_test.sh: the way from the ELF entry to a goroutine, seen from outside.
#
# hello_test.sh HELLO
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../tests/support/test_lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../tests/support/test_lib.sh"

hello=$1

# ---- the entry point ----

machine=$(readelf --file-header -- "$hello" | sed -n 's/^ *Machine: *//p')
case $machine in
  *X86-64*) entry_name=_rt0_amd64_linux ;;
  *AArch64*) entry_name=_rt0_arm64_linux ;;
  *) die "a machine that gort does not know: $machine" ;;
esac
entry=$(readelf --file-header -- "$hello" | sed -n 's/^ *Entry point address: *0x//p')
symbol=$(symbols "$hello" | awk -v name="$entry_name" '$2 == name { print $1 }')
expect_eq "entry point and $entry_name" $((16#$symbol)) $((16#$entry))

# ---- what it prints ----

want='hello, world, from goroutine 1
hello, world, from goroutine 2
hello, world, from goroutine 3'
expect_eq "output" "$want" "$("${under[@]}" "$hello")"

# ---- the steps of start-up ----

# In this order. schedinit comes before its own steps: lines are in the order in which steps begin.
steps=(
  cpuid tls g0m0 check args osinit
  schedinit lockinit maxmcount tracebackinit linkverify stackinit mallocinit randinit mcommoninit cpuinit
  hashinit initsigmask goargs goenvs parsedebugvars gcinit lastpoll procresize
  newproc mstart sysmon
)
trace=$(GODEBUG=inittrace=1 "${under[@]}" "$hello" 2>&1 >/dev/null)
wrong=$(grep -v -E '^init [a-z0-9]+ @[0-9]+ us, [0-9]+ ns$' <<<"$trace" || true)
expect_eq "lines that are no steps" "" "$wrong"
pattern=$(printf '|%s' "${steps[@]}")
seen=$(awk '{ print $2 }' <<<"$trace" | grep -x -E "${pattern:1}")
expect_eq "steps of start-up" "$(printf '%s\n' "${steps[@]}")" "$seen"
expect_eq "steps without inittrace" "" "$("${under[@]}" "$hello" 2>&1 >/dev/null)"

# ---- in a debugger ----

if emulated; then
  echo 'no debugger for the other CPU: that part is left out'
  exit 0
fi
if ! command -v gdb >/dev/null; then
  echo 'gdb is not installed: that part is left out'
  exit 0
fi

# session COMMAND...: what gdb says. Its status says little: what is wrong is seen in the text.
session() {
  local commands=() c
  for c in "$@"; do commands+=(-ex "$c"); done
  HOME=$TEST_TMPDIR gdb -q -nx -batch -ex 'set confirm off' -ex 'set pagination off' \
    -ex 'set debuginfod enabled off' "${commands[@]}" --args "$hello" 2>&1 </dev/null || true
}

out=$(session run)
if ! grep -q 'hello, world, from goroutine 3' <<<"$out"; then
  echo 'gdb may not run programs here: that part is left out'
  exit 0
fi

# Not "exited normally": gdb may lose track of the threads while the process exits ("No such process").
ran_to_the_end() {
  grep -q 'hello, world, from goroutine 3' <<<"$1" || die "did not end:"$'\n'"$1"
  if grep -q 'received signal' <<<"$1"; then die "a signal:"$'\n'"$1"; fi
}

# Breaks at the entry, takes single steps into the code that all systems share, and goes on to main.
# shellcheck disable=SC2016  # $pc is gdb's
out=$(session "break *$entry_name" run 'info symbol $pc' 'stepi 7' 'info symbol $pc' 'tbreak main' continue \
  'tbreak gort_main' continue 'backtrace' continue)
grep -q "^$entry_name in section" <<<"$out" || die "gdb did not stop at the entry:"$'\n'"$out"
grep -q '^gort_rt0_[a-z0-9]*' <<<"$out" || die "no single steps:"$'\n'"$out"
grep -q 'Temporary breakpoint.* main ' <<<"$out" || die "did not reach main:"$'\n'"$out"
ran_to_the_end "$out"

# From inside a goroutine, the backtrace ends at gort_goexit, and nothing is wrong with it.
out=$(session 'break Greet' run 'delete' 'backtrace' 'finish' 'backtrace' continue)
last=$(grep -E '^#[0-9]+ ' <<<"$out" | tail -n 1) || die "no backtrace:"$'\n'"$out"
grep -q 'gort_goexit' <<<"$last" || die "the outermost frame is $last:"$'\n'"$out"
[[ $(grep -c 'gort_goexit' <<<"$out") -ge 2 ]] || die "not both backtraces end at gort_goexit:"$'\n'"$out"
if grep -E -i 'corrupt|previous frame|cannot access|\?\? \(\)' <<<"$out"; then
  die "a backtrace went wrong:"$'\n'"$out"
fi
ran_to_the_end "$out"
