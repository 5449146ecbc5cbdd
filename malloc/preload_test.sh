#!/bin/bash
# malloc/preload_test.sh LIBRARY: programs that know nothing of gort do their work with its allocator: an interpreter, a compiler, which starts
# others, and a server that forks.

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../tests/support/test_lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../tests/support/test_lib.sh"

library=$PWD/$1
# A sanitizer's library needs a program with one.
if instrumented "$library"; then exit 0; fi
scratch=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill -- "$server"; rm -rf -- "$scratch"' EXIT

preloaded() {
  LD_PRELOAD=$library "$@"
}

python='
import json, re, threading
assert "libgort_malloc.so" in open("/proc/self/maps").read()
sizes = []
def work():
    table = {i: str(i) * (i % 50) for i in range(30000)}
    sizes.append(len(json.dumps(table)) + len(re.findall("1+", "".join(table.values()))))
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(len(sizes), len(set(sizes)))
'
expect_eq python3 '4 1' "$(preloaded python3 -c "$python")"

cat >"$scratch/program.cc" <<'END'
#include <cstdio>
#include <map>
#include <string>
int main() {
  std::map<std::string, int> words;
  for (int i = 0; i < 1000; ++i) ++words[std::to_string(i % 7)];
  std::printf("%zu\n", words.size());
}
END
preloaded g++ -O1 "$scratch/program.cc" -o "$scratch/program"
expect_eq 'what g++ made' 7 "$("$scratch/program")"

if ! command -v redis-server >/dev/null; then exit 0; fi
client() {
  redis-cli -s "$scratch/socket" "$@"
}
# await WANT COMMAND...: until it says so; the test's own limit is the deadline.
await() {
  local want=$1
  shift
  until [[ $("$@" 2>/dev/null | tr -d '\r') == "$want" ]]; do sleep 0.05; done
}
saved() {
  client info persistence | grep -E '^(rdb_bgsave_in_progress|rdb_last_bgsave_status|rdb_saves):' | tr -d '\r' | tr '\n' ' '
}
LD_PRELOAD=$library redis-server --port 0 --unixsocket "$scratch/socket" --dir "$scratch" --save '' --daemonize no >"$scratch/log" 2>&1 &
server=$!
await PONG client ping
redis-benchmark -s "$scratch/socket" -q -n 20000 -r 5000 -d 700 -t set,get,lpush,hset,zadd >/dev/null
expect_eq 'who serves redis-server' 1 "$(($(grep -c libgort_malloc.so "/proc/$server/maps") > 0))"
client bgsave >/dev/null
await 'rdb_bgsave_in_progress:0 rdb_last_bgsave_status:ok rdb_saves:1 ' saved
client flushall >/dev/null
client shutdown nosave >/dev/null 2>&1 || true
wait "$server" || die "redis-server ended with status $?: $(tail -n 5 -- "$scratch/log")"
server=
