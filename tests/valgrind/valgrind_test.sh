#!/bin/bash
# tests/valgrind/valgrind_test.sh: a program ends as it does without valgrind, and no error of memory is reported.
#
# valgrind_test.sh GOROUTINES
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../support/test_lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/test_lib.sh"

program=$1

if emulated || instrumented "$program"; then
  echo 'valgrind does not go together with an emulator or a sanitizer: left out'
  exit 0
fi
if ! command -v valgrind >/dev/null; then
  echo 'valgrind is not installed: left out'
  exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
errors=$scratch/errors
# Debian 12's valgrind gives up on the debug information that clang writes.
strip --strip-debug -o "$scratch/program" -- "$program"
for settings in '' preemptrate=2000; do
  status=0
  output=$(GODEBUG=$settings valgrind --quiet --error-exitcode=9 "$scratch/program" 2>"$errors") || status=$?
  if ((status != 0)); then head -60 -- "$errors"; fi
  expect_eq "status with GODEBUG=$settings" 0 "$status"
  expect_eq "output with GODEBUG=$settings" 570 "$output"
  expect_eq "messages" '' "$(grep -v 'client switching stacks\|to suppress, use\|will not be shown' -- "$errors" || true)"
done
