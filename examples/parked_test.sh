#!/bin/bash
# examples/parked_test.sh: very many goroutines parked at once, within limits of memory and mappings.
#
# parked_test.sh PARKED N N_WHEN_INSTRUMENTED
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../tests/support/test_lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../tests/support/test_lib.sh"

parked=$1
if instrumented "$parked"; then
  # A sanitizer and an emulator keep memory of their own: the numbers say nothing of gort.
  exec "${under[@]}" "$parked" --n="$3" --max_mib=0 --nofall
fi

out=$("$parked" --n="$2" --max_mib=5120) || die "$out"
printf '%s\n' "$out"
mappings=$(sed -n 's/.*, \([0-9]*\) mappings$/\1/p' <<<"$out")
((mappings < 65530)) || die "more mappings than a process has by default"
