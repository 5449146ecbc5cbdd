#!/bin/bash
# apps/treewc/treewc_test.sh: treewc counts what find | xargs cat | wc counts, on an odd tree.
#
# treewc_test.sh TREEWC [DIR...]: and on these directories.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../../tests/support/test_lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../tests/support/test_lib.sh"

treewc=$(realpath -- "$1")
shift
tree=$TEST_TMPDIR/tree
export LC_ALL=C
unset GOMAXPROCS
# Bazel cannot remove paths as long as those of the deep tree.
trap 'chmod -R u+rwx -- "$TEST_TMPDIR"; rm -rf -- "$tree" "$TEST_TMPDIR"/deep "$TEST_TMPDIR"/churn' EXIT

# ---- the tree ----

mkdir -p "$tree"/{empty_dir,sub/sub,odd,many}
cd -- "$tree"
printf 'one two\nthree' >no_newline
printf 'goes on\n' >next
: >empty
printf ' \n\t\v\f\r' >blank
printf 'x' >one_byte
seq 200000 >long
ln long sub/hard_link
printf 'a\0b \001 \177 \033[0m c\xff \xc3\xa9 d\xc2\xa0e \xe2\x80\x83 \xe2\x82' >odd/bytes
seq 60000 | sed 's/7/\xc3\xa9 \xe2\x98\x83/g' >odd/utf8
LC_ALL=C awk 'BEGIN { for (i = 0; i < 200000; ++i) printf "%c", int(rand() * 256) }' >odd/random
printf 'a\xe2' >odd/char_begins
printf '\x80\x83b' >odd/char_ends
printf 'newline in its name\n' >$'odd/a\nb'
printf 'tab' >$'odd/a\tb '
printf 'quote' >"odd/it's \\ \"\$HOME\" *"
printf 'dash' >odd/-rf
printf 'no UTF-8' >$'odd/\xff\xfe'
ln -s . loop
ln -s ../.. sub/sub/up
ln -s self self
ln -s nowhere dangling
ln -s long link_to_file
mkfifo fifo
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind("socket")'
# So many that find sorts them by inode; where they meet, words come together.
texts=('x' ' x' 'x ')
for ((i = 0; i < 10100; ++i)); do printf '%s' "${texts[i * 31 % 7 % 3]}" >"many/$((i * 7919 % 10100))"; done

# run STATUS ARGUMENT...: treewc's stdout in $out, stderr in $err.
run() {
  local want=$1 status=0
  shift
  out=$("${under[@]}" "$treewc" "$@" 2>"$TEST_TMPDIR/stderr") || status=$?
  err=$(<"$TEST_TMPDIR/stderr")
  expect_eq "status of treewc $*: $err" "$want" "$status"
}

# The same in treewc's form, for what can be read.
reference() {
  local lines words bytes files
  read -r lines words bytes < <(find "$@" -type f -print0 | xargs -0 cat | wc)
  files=$(find "$@" -type f -printf x | wc -c)
  printf '%d %d %d total\n%d files\n' "$lines" "$words" "$bytes" "$files"
}

# compare WHAT ARGUMENT...: in both kinds of locale. Nothing changes meanwhile, so each reference is made once.
declare -A references
compare() {
  local what=$1
  shift
  for LC_ALL in C C.UTF-8; do
    run 0 "${flags[@]}" -- "$@"
    references[$LC_ALL $*]=${references[$LC_ALL $*]:-$(reference "$@")}
    expect_eq "$what, LC_ALL=$LC_ALL, GOMAXPROCS=${GOMAXPROCS:-}, ${flags[*]}" "${references[$LC_ALL $*]}" "$out"
    expect_eq "$what: stderr" "" "$err"
  done
  LC_ALL=C
}

flags=()
compare 'the tree' "$tree"
compare 'several' sub "$tree/odd" long empty odd/ sub
for GOMAXPROCS in 1 8; do
  export GOMAXPROCS
  flags=()
  compare 'the tree' .
  flags=(--readers=1 --window=1 --chunk_kib=1)
  compare 'the tree, narrowly' sub odd long
  flags=(--readers=100 --window=2)
  compare 'the tree, few at a time' sub odd
done
unset GOMAXPROCS
flags=()
for dir; do compare "$dir" "$dir"; done

# ---- what is not followed ----

run 0 loop
expect_eq 'a link as an argument' $'0 0 0 total\n0 files' "$out"
expect_eq 'and what is said of it' "treewc: 'loop' is a symbolic link and not followed; add a / to do so" "$err"
run 0 fifo socket /dev/null
expect_eq 'no regular files' $'0 0 0 total\n0 files' "$out"

# ---- a tree deeper than descriptors and path names reach ----

python3 - "$TEST_TMPDIR/deep" <<'END'
import os, sys
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
for i in range(600):
    with open("file", "w") as f: f.write("word %d\n" % i)
    with open("zzz", "w") as f: f.write("w%d" % i)
    os.mkdir("directory_%d" % i)
    os.chdir("directory_%d" % i)
END
# cat fails on path names of more than 4095 bytes, hence -execdir.
# -execdir refuses a search path with "." in it, as Bazel sets.
want=$(PATH=/usr/bin:/bin find "$TEST_TMPDIR/deep" -type f -execdir cat {} \; | wc | awk '{ print $1, $2, $3, "total" }')
(
  ulimit -n 200
  run 0 --readers=8 "$TEST_TMPDIR/deep"
  expect_eq 'a deep tree' "$want"$'\n1200 files' "$out"
)

# ---- what cannot be read ----

# Open succeeds, read does not, whoever asks.
run 1 sub /proc/self/mem odd
expect_eq 'a file with a read error' "$(reference sub odd)" "$out"
expect_eq 'and what is said of it' \
  $'treewc: cannot read \'/proc/self/mem\': Input/output error\ntreewc: 1 could not be read' "$err"
run 1 $'no\nwhere' long
expect_eq 'a name that is not there' "$(reference long)" "$out"
expect_eq 'and what is said of it' \
  $'treewc: cannot look at \'no\\nwhere\': No such file or directory\ntreewc: 1 could not be read' "$err"

# Permissions do not stop root: it gives up the capabilities that make it so.
normal=()
if [[ $(id -u) -eq 0 ]]; then normal=(setpriv '--bounding-set=-dac_override,-dac_read_search' --); fi
emulator=("${under[@]}")
mkdir -p shut/{dir,list_only,good}
printf 'unseen' >$'shut/se\ncret'
printf 'unseen' >shut/dir/file
printf 'unseen' >shut/list_only/file
printf 'seen\n' >shut/good/file
chmod 0 $'shut/se\ncret' shut/dir
chmod 444 shut/list_only
if "${normal[@]}" true 2>/dev/null && ! "${normal[@]}" cat $'shut/se\ncret' >/dev/null 2>&1; then
  under=("${normal[@]}" "${under[@]}")
  run 1 shut
  expect_eq 'the rest is counted' $'1 1 5 total\n1 files' "$out"
  want="treewc: 3 could not be read
treewc: cannot open 'shut/list_only/file': Permission denied
treewc: cannot open 'shut/se\\ncret': Permission denied
treewc: cannot open directory 'shut/dir': Permission denied"
  # Where the kernel gives no types of entries, a directory without x does not let us ask for them.
  got=$(sort <<<"${err/look at \'shut\/list/open \'shut\/list}")
  expect_eq 'what cannot be read is named' "$want" "$got"
  under=("${emulator[@]}")
else
  echo 'no way to give up root here: that part is left out'
fi
chmod -R u+rwx shut

# Files that come and go meanwhile: they count or are complained of, and nothing worse.
mkdir "$TEST_TMPDIR/churn"
(
  until [[ -e $TEST_TMPDIR/stop ]]; do
    for i in {1..50}; do printf 'x\n' >"$TEST_TMPDIR/churn/$i"; done
    rm -f "$TEST_TMPDIR"/churn/[1-4]*
  done
) &
churn=$!
for _ in {1..30}; do
  status=0
  "${under[@]}" "$treewc" "$TEST_TMPDIR/churn" >/dev/null 2>"$TEST_TMPDIR/stderr" || status=$?
  err=$(<"$TEST_TMPDIR/stderr")
  ((status <= 1)) || die "status $status while files come and go: $err"
  wrong=$(grep -v -E ': No such file or directory$|could not be read$' <<<"$err" || true)
  expect_eq 'other complaints while files come and go' "" "$wrong"
done
touch "$TEST_TMPDIR/stop"
wait "$churn"

# ---- usage ----

for bad in '' '--readers=x .' '--readers=-1 .' '--window=0 .' '--no_such_flag .' '--readers' '--progress=perhaps .'; do
  read -r -a words <<<"$bad"
  run 2 "${words[@]}"
  expect_eq "one line for treewc $bad" 1 "$(wc -l <<<"$err")"
  expect_eq "stdout of treewc $bad" "" "$out"
done
run 0 --help
grep -q -e '--readers' <<<"$out" || die 'no help'
status=0
"${under[@]}" "$treewc" long >/dev/full 2>/dev/null || status=$?
expect_eq 'status when stdout is full' 1 "$status"
run 0 --progress=always long
grep -q $'\r' "$TEST_TMPDIR/stderr" || [[ -z $err ]] || die 'progress'
