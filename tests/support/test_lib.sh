#!/bin/bash
# tests/support/test_lib.sh: for tests in shell: running a program of ours, and how large a test may be.

# The words to put before a program of ours: an emulator's, or none.
read -r -a under <<<"${GORT_RUN_UNDER:-}"

# emulated: programs of ours run under an emulator, which does not follow execve.
emulated() {
  [[ ${#under[@]} -gt 0 ]]
}

die() {
  printf 'FAIL: %s\n' "$*" >&2
  exit 1
}

# expect_eq WHAT WANT GOT
expect_eq() {
  [[ $2 == "$3" ]] || die "$1"$'\n'"  want: $2"$'\n'"  got:  $3"
}

# symbols PROGRAM: value and name of each, of an ELF file for any CPU.
symbols() {
  readelf --symbols --wide -- "$1" | awk '$2 ~ /^[0-9a-f]+$/ { print $2, $NF }'
}

# instrumented PROGRAM: the program is slow and large: it was built with a sanitizer, or is emulated.
instrumented() {
  emulated || [[ $(symbols "$1") =~ \ __[at]san_init ]]
}
