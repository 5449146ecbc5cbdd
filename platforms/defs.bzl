"""What a BUILD file of gort needs to know about compilers, operating systems and CPUs.

The only file with a `select()`: everything else asks here.
"""

_NO_MATCH = "gort has no port to this platform yet; platforms/README.md lists what one must provide"

# For every library and binary. Warnings become errors in .bazelrc, for builds of this workspace alone.
GORT_COPTS = [
    "-std=c++20",
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wcast-align",
    "-Wcast-qual",
    "-Wformat=2",
    "-Wmissing-declarations",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-Wpointer-arith",
    "-Wundef",
    # struct here and class there matters to one compiler that gort does not build with.
    "-Wno-mismatched-tags",
    "-Wno-sign-compare",
    "-Wno-unused-parameter",
    # The current M and G are read on every scheduler path.
    "-ftls-model=initial-exec",
    # Tracebacks unwind from any instruction.
    "-fasynchronous-unwind-tables",
]

# For tests and benchmarks: GoogleTest's macros trip over a few of the above.
GORT_TEST_COPTS = GORT_COPTS + [
    "-Wno-missing-declarations",
    "-Wno-shadow",
]

# Benchmarks link Google Benchmark, of which Debian has a shared library only.
GORT_BENCHMARK_FEATURES = ["-fully_static_link"]

# target_compatible_with of everything that is not portable by itself.
SUPPORTED = select({
    "//platforms:is_linux_amd64": [],
    "//platforms:is_linux_arm64": [],
    "//conditions:default": ["@platforms//:incompatible"],
})

def arch_srcs(name):
    """The assembly source of `name` for the target's CPU: name_amd64.S or name_arm64.S."""
    return select({
        "//platforms:is_linux_amd64": [name + "_amd64.S"],
        "//platforms:is_linux_arm64": [name + "_arm64.S"],
    }, no_match_error = _NO_MATCH)

def os_srcs(name):
    """The source of `name` for the target's operating system: name_linux.cc."""
    return select({
        "//platforms:is_linux_amd64": [name + "_linux.cc"],
        "//platforms:is_linux_arm64": [name + "_linux.cc"],
    }, no_match_error = _NO_MATCH)

def os_arch_srcs(name):
    """The assembly source of `name` for both: name_linux_amd64.S or name_linux_arm64.S."""
    return select({
        "//platforms:is_linux_amd64": [name + "_linux_amd64.S"],
        "//platforms:is_linux_arm64": [name + "_linux_arm64.S"],
    }, no_match_error = _NO_MATCH)

# The entry point of programs that link //rt0:main.
RT0_LINKOPTS = select({
    "//platforms:is_linux_amd64": ["-Wl,-e,_rt0_amd64_linux"],
    "//platforms:is_linux_arm64": ["-Wl,-e,_rt0_arm64_linux"],
}, no_match_error = _NO_MATCH)

# What runs a fuzzer: libFuzzer with --config=fuzz, else a main function that tries the corpus.
FUZZ_ENGINE = select({
    "//platforms:is_fuzz": [],
    "//conditions:default": ["//tests/fuzz:corpus_main"],
})

FUZZ_LINKOPTS = select({
    "//platforms:is_fuzz": ["-fsanitize=fuzzer"],
    "//conditions:default": [],
})
