# shellcheck shell=bash
# What tools/run, tools/test and tools/lint share: where the workspace is, and what has to be installed. Sourced, not run.
# shellcheck disable=SC2034  # used by those who source it

set -euo pipefail

gort_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

# Bazel keeps its output under the home directory; services often have none in their environment.
if [[ -z ${HOME:-} ]]; then
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
  export HOME
fi

# To build and run on this machine.
packages_build=(
  bazel-bootstrap bazel-platforms bazel-rules-java g++ python3
  libabsl-dev libbenchmark-dev libgflags-dev libgmock-dev libgtest-dev libhiredis-dev
  libhttp-parser-dev libssl-dev
)

# What tests/anycode runs in goroutines.
packages_anycode=(
  libboost-dev libcurl4-openssl-dev libevent-dev libglib2.0-dev libgmp-dev liblmdb-dev libprotobuf-dev libpython3.11-dev
  libsqlite3-dev libtbb-dev liburing-dev libzmq3-dev libzstd-dev protobuf-compiler zlib1g-dev
)

# What the tests of the servers talk to them with.
packages_clients=(curl openssl redis-server redis-tools wrk)

# The other tools that gort is built with.
packages_builds=(cmake make ninja-build pkg-config)

# For every configuration of tools/test. libgflags-dev, libhiredis-dev and libhttp-parser-dev for another CPU cannot stand beside this
# machine's; the build unpacks them.
packages_clang=(clang clang-format clang-tidy libclang-rt-dev llvm)
packages_arm64=(
  g++-aarch64-linux-gnu gdb-multiarch qemu-user
  libabsl-dev:arm64 libbenchmark-dev:arm64 libgmock-dev:arm64 libgtest-dev:arm64 libssl-dev:arm64
)
packages_tools=(gdb git lldb-14 python3-lldb-14 python3-prometheus-client shellcheck spin)

say() {
  printf '%s\n' "gort: $*" >&2
}

# is_installed PACKAGE[:ARCH]
is_installed() {
  local name=${1%%:*} arch
  if [[ $1 == *:* ]]; then arch=${1##*:}; else arch=$(dpkg --print-architecture); fi
  dpkg-query -W -f '${db:Status-Abbrev}${Architecture}\n' "$name" 2>/dev/null | grep -q -E "^ii *($arch|all)\$"
}

# as_root COMMAND...: directly, or by sudo if it can be had without asking a question nobody is there to answer.
as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  elif [[ -n ${CI:-} || ! -t 0 ]]; then
    sudo -n -- "$@"
  else
    sudo -- "$@"
  fi
}

can_be_root() {
  [[ $(id -u) -eq 0 ]] && return 0
  command -v sudo >/dev/null || return 1
  [[ -z ${CI:-} && -t 0 ]] || sudo -n true 2>/dev/null
}

# ensure_packages PACKAGE...: installs what is missing, and says so. Needs no rights when nothing is.
ensure_packages() {
  local missing=() foreign=() package arch
  command -v dpkg-query >/dev/null || {
    say "this machine has no dpkg; install the equivalents of: $*"
    return 1
  }
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [[ ${#missing[@]} -eq 0 ]] && return 0

  for package in "${missing[@]}"; do
    [[ $package == *:* ]] || continue
    arch=${package##*:}
    if ! { dpkg --print-architecture; dpkg --print-foreign-architectures; } | grep -q -x "$arch" &&
      [[ " ${foreign[*]:-} " != *" $arch "* ]]; then
      foreign+=("$arch")
    fi
  done

  if ! can_be_root; then
    say "packages are missing, and neither root nor sudo is at hand. Run this first:"
    for arch in ${foreign[@]+"${foreign[@]}"}; do say "  dpkg --add-architecture $arch"; done
    say "  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    return 1
  fi
  for arch in ${foreign[@]+"${foreign[@]}"}; do
    say "adding architecture $arch to dpkg"
    as_root dpkg --add-architecture "$arch"
  done
  say "installing ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 </dev/null
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y install --no-install-recommends "${missing[@]}" >&2 </dev/null
}

# The lists that `apt-get download` of a foreign package needs; images often come without.
ensure_apt_lists() {
  if [[ -n $(apt-cache show "$1" 2>/dev/null) ]]; then return 0; fi
  can_be_root || {
    say "apt knows no $1. Run this first: apt-get update"
    return 1
  }
  say "updating apt's lists for $1"
  as_root apt-get -q update >&2 </dev/null
}
