#!/bin/bash
# examples/sum_test.sh: skynet's sum and the sieve's primes, for several numbers of processors.
#
# sum_test.sh SKYNET LEAVES LEAVES_WHEN_INSTRUMENTED PRIME_SIEVE
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../tests/support/test_lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../tests/support/test_lib.sh"

skynet=$1
leaves=$2
sieve=$4
if instrumented "$skynet"; then leaves=$3; fi

# Goroutines may still hold channels when main returns (the sieve's always do, skynet's last one while it ends), on stacks
# that a leak check does not see.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0

for procs in 1 2 8 64; do
  sum=$(GOMAXPROCS=$procs "${under[@]}" "$skynet" --leaves="$leaves")
  expect_eq "skynet of $leaves leaves, GOMAXPROCS=$procs" $((leaves * (leaves - 1) / 2)) "$sum"
done

primes=$("${under[@]}" "$sieve" --n=100)
want=$(seq 2 541 | factor | awk 'NF == 2 { print $2 }')
expect_eq "the first hundred primes" "$want" "$primes"

status=0
"${under[@]}" "$skynet" --leaves=7 2>/dev/null || status=$?
expect_eq "status of bad usage" 2 "$status"
