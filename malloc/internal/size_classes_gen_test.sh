#!/bin/sh
# size_classes_gen_test.sh GENERATOR HEADER SOURCE: the table is what the generator writes.
# (A py_test would want a program called "python", which Debian does not have.)
exec python3 "$1" --check "$2" "$3"
