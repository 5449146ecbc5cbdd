#!/bin/sh
# Verifies a model in Promela with spin, and that each of its mistakes is found.
# Usage: park_wake_spin_test.sh MODEL.pml [macro...]    macros: of an additional correct run

set -eu

model=$(realpath "$1")
shift

for tool in spin cc; do
  if ! command -v "$tool" > /dev/null; then
    echo "skipped: no $tool on this machine"
    exit 0
  fi
done

cd "${TEST_TMPDIR:-$(mktemp -d)}"

# verify ERRORS [MACRO...]: fails unless the search ends with that many errors (pan stops at one).
verify() {
  expected=$1
  shift
  flags=
  for macro in "$@"; do flags="$flags -D$macro"; done
  # shellcheck disable=SC2086  # several flags
  spin -a $flags "$model"
  # A mistake is found at once; only the search without one is worth optimising.
  cc "$([ "$expected" = 0 ] && echo -O1 || echo -O0)" -w -DSAFETY -DVECTORSZ=2048 -o pan pan.c
  ./pan -m200000 > pan.log 2>&1 || true
  if ! grep -q "errors: $expected\$" pan.log || grep -q "max search depth too small" pan.log; then
    echo "FAILED: ${*:-the model as it is}: expected $expected errors"
    cat pan.log
    exit 1
  fi
  echo "ok: ${*:-the model as it is}: $(grep -E '^pan:1|states, stored' pan.log | tr -s ' \n' ' ')"
}

if [ $# -ne 0 ]; then
  verify 0 "$@"
  exit 0
fi

verify 0
for mistake in $(grep -o 'MUT_[A-Z_]*[A-Z]' "$model" | sort -u); do
  [ "$mistake" = MUT_ ] || verify 1 "$mistake"
done
