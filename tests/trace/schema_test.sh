#!/bin/bash
# The files are what perfetto.proto says: protoc knows every field, and the texts are in them.
# Arguments: the program, the schema.
set -euo pipefail
. tests/support/test_lib.sh

program=$1 schema=$2
file=$TEST_TMPDIR/everything.trace
GODEBUG=trace="$file" "${under[@]}" "$program" everything
text=$TEST_TMPDIR/everything.txt
protoc --decode=gort.Trace -I "$(dirname "$schema")" "$(basename "$schema")" <"$file" >"$text"
# protoc prints a field that the schema does not have by its number.
if grep -nE '^ *[0-9]+[:{ ]' "$text"; then
  echo "a field that the schema does not have"
  exit 1
fi
for want in 'name: "receiver"' 'name: "closed"' 'name: "the whole"' 'TYPE_COUNTER' 'terminating_flow_ids' 'str: "chan send"'; do
  grep -q -- "$want" "$text" || { echo "missing: $want"; exit 1; }
done
