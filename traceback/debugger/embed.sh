#!/bin/sh
# embed.sh FILE...: an assembly file whose section .debug_gdb_scripts has the files, one after the other, as one script for gdb.
set -eu
cat <<'EOF'
// Made by traceback/debugger/embed.sh.
.section .debug_gdb_scripts, "MS", %progbits, 1
.byte 4
.ascii "gort\n"
EOF
cat -- "$@" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/.ascii "/' -e 's/$/\\n"/'
cat <<'EOF'
.byte 0
.section .rodata
.globl gort_gdb_script
.hidden gort_gdb_script
gort_gdb_script:
.byte 0
.section .note.GNU-stack, "", %progbits
EOF
