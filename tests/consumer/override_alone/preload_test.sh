#!/bin/bash
# A program that knows nothing of gort takes its memory from the library in its first argument.
set -euo pipefail

library=$(realpath -- "$1")
# A sanitizer's library needs a program with one.
if readelf --symbols --wide -- "$library" | grep -q '__[at]san_init'; then exit 0; fi
got=$(LD_PRELOAD=$library bash -c 'printf "%s " "$((6 * 7))"; grep -c libgort_malloc.so /proc/self/maps')
[[ $got == '42 '[1-9]* ]] || {
  printf 'got %s\n' "$got" >&2
  exit 1
}
