#!/bin/bash
# workloads_test.sh PROGRAM: every workload at a small size prints its lines, and wrong use ends with status 2.
set -u

# shellcheck source-path=SCRIPTDIR source=../tests/support/test_lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../tests/support/test_lib.sh"

run=("${under[@]}" "$1")
failed=0

# fails TEXT...: says what was wrong.
fails() {
  echo "FAILED: $*" >&2
  failed=1
}

# expect N FIGURES...: the workload's lines at that size are those figures, with 2 Ps.
expect() {
  local workload=$1 n=$2 line
  shift 2
  mapfile -t lines < <("${run[@]}" "$workload" -procs 2 -n "$n")
  [[ ${#lines[@]} -eq $# ]] || fails "$workload: ${#lines[@]} lines: ${lines[*]}"
  for line in "${lines[@]}"; do
    [[ $line =~ ^gort\ $workload\ procs=2\ $1\ -?[0-9]+(\.[0-9][0-9]?)?\ (ns|us|ms|bytes|count)$ ]] || fails "$workload: $line"
    shift
  done
}

for workload in spawn yield pingpong spsc mpmc mutex select rwmutex timerstop; do
  expect "$workload" 2000 ns_per_op
done
expect fanin 20 ns_per_op
expect skynet 1000 total_ms
expect forkjoin 1000 ns_per_task
expect ring 2000 ns_per_hop
expect preempt 20 p50_us p99_us max_us samples
expect timers 10 overshoot_ms cpu_ms
if ! emulated; then
  expect parked 1000 rss_per_goroutine create_ms release_ms
else  # it would start itself
  [[ $("${run[@]}" parked-once -n 1000) =~ ^\[.*\]$ ]] || fails parked-once
fi
"${run[@]}" startup || fails startup
for wrong in '' 'nonsense' 'spawn -n' 'spawn -n x' 'spawn -m 3' 'spawn 3'; do
  read -r -a words <<<"$wrong"
  "${run[@]}" ${words[@]+"${words[@]}"} >/dev/null 2>&1
  [[ $? -eq 2 ]] || fails "status of: $wrong"
done
exit "$failed"
