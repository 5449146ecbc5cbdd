#!/bin/bash
# examples/concurrency_test.sh: what the small programs about channels, locks and contexts print, for several numbers of processors.
#
# concurrency_test.sh THREAD_RING POWER_SERIES PUB_SUB WORKER_POOL
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../tests/support/test_lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../tests/support/test_lib.sh"

ring=$1
series=$2
pub_sub=$3
pool=$4
# Goroutines that still hold their channels when main returns, on stacks that a leak check does not see, are no leak.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0

# run PROCS PROGRAM ARGUMENT...: what it prints.
run() {
  local procs=$1
  shift
  GOMAXPROCS=$procs "${under[@]}" "$@"
}

hops=100000
messages=1000
if instrumented "$ring"; then
  hops=5000
  messages=50
fi

for procs in 1 2 8; do
  expect_eq "ring, GOMAXPROCS=$procs" $((hops % 503 + 1)) "$(run $procs "$ring" --hops=$hops)"
  expect_eq "ring of one" 1 "$(run $procs "$ring" --members=1 --hops=1000)"

  expect_eq exp '1 1 1/2 1/6 1/24 1/120 1/720 1/5040 1/40320 1/362880' "$(run $procs "$series" --series=exp)"
  expect_eq sin '0 1 0 -1/6 0 1/120 0 -1/5040' "$(run $procs "$series" --series=sin --n=8)"
  expect_eq cos '1 0 -1/2 0 1/24 0 -1/720 0' "$(run $procs "$series" --series=cos --n=8)"
  expect_eq tan '0 1 0 1/3 0 2/15 0 17/315 0 62/2835 0 1382/155925' "$(run $procs "$series" --series=tan --n=12)"
  expect_eq geometric '1 1 1 1 1 1' "$(run $procs "$series" --series=geometric --n=6)"
  expect_eq 'tan times cos is sin' "$(run $procs "$series" --series=sin --n=12)" \
    "$(run $procs "$series" --series=tan_times_cos --n=12)"

  expect_eq "pub/sub, GOMAXPROCS=$procs" \
    "received $((12 * messages)), sum $((12 * messages * (messages + 1) / 2)), out of order 0, left early 3" \
    "$(run $procs "$pub_sub" --messages=$messages)"

  expect_eq "pool, GOMAXPROCS=$procs" '100 jobs, sum 328350, within the rate, OK' "$(run $procs "$pool")"
done

status=0
out=$(run 2 "$pool" --fail_at=50) || status=$?
expect_eq "status of a job that fails" 3 $status
[[ $out == *' jobs, '*', within the rate, INTERNAL: job 50' ]] || die "a job that fails: $out"

status=0
out=$(run 2 "$pool" --jobs=1000000 --rate=100 --timeout_ms=100) || status=$?
expect_eq "status when the time is up" 3 $status
[[ $out == *' jobs, '*', within the rate, DEADLINE_EXCEEDED: context deadline exceeded' ]] || die "time is up: $out"

status=0
run 1 "$series" --series=nonsense 2>/dev/null || status=$?
expect_eq "status of bad usage" 2 $status
