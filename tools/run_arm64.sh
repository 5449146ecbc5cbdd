#!/bin/bash
# --run_under for linux-arm64: programs for arm64 run under qemu, everything else (Python and shell tests) as it is.
#
# A test that starts a program of ours as a child has to put $GORT_RUN_UNDER before it: qemu-user does not follow execve.
set -eu

# e_machine of the ELF header, little-endian: 183 is EM_AARCH64.
machine=$(od -A n -t u1 -N 20 -- "$1" | tr -s ' \n' ' ')
case $machine in
  ' 127 69 76 70 '*' 183 0'*) exec /usr/bin/qemu-aarch64 "$@" ;;
  *) exec "$@" ;;
esac
