"""What a BUILD file of gort needs to know about compilers, operating systems and CPUs.

The only file with a `select()`, but for aliases of backends and third_party: everything else asks here. It names no CPU: platforms/BUILD.bazel does, once, and the names of
files do.
"""

load(":port_files.bzl", "PORT_FILES")

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
    "//platforms:is_supported": [],
    "//conditions:default": ["@platforms//:incompatible"],
})

# target_compatible_with of tests that need a shared library.
NOT_STATIC = select({
    "//platforms:is_static": ["@platforms//:incompatible"],
    "//conditions:default": [],
})

# For what a program without shared libraries does otherwise.
STATIC_COPTS = select({
    "//platforms:is_static": ["-DGORT_STATIC_PROGRAM=1"],
    "//conditions:default": [],
})

# gcc forgets what in a precompiled header was a system's: at -O1 it warns of a copy of one std::string in the inlined code of another.
_PCH_WARNINGS = {"O0": [], "O1": ["-Wno-array-bounds", "-Wno-restrict", "-Wno-stringop-overflow", "-Wno-stringop-overread"]}

def gort_pch(levels):
    """(copts, deps) of a test that is compiled at one of the optimisation `levels`, where --define=gort_pch=LEVEL says so (tools/pch/pch.bzl)."""
    copts = ["-include", "$(BINDIR)/tools/pch/test.h", "-Winvalid-pch"]
    setting = "//platforms:pch_"
    return (
        select(dict({setting + x: copts + _PCH_WARNINGS[x] for x in levels}, **{"//conditions:default": []})),
        select(dict({setting + x: ["//tools/pch:test"] for x in levels}, **{"//conditions:default": []})),
    )

def _role(file, oses, cpus):
    """The name of a file with its port left open: "gmp/arch_{cpu}.h"."""
    for cpu in cpus:
        file = file.replace("_%s." % cpu, "_{cpu}.")
    for os in oses:
        file = file.replace("/%s/" % os, "/{os}/").replace("_%s_" % os, "_{os}_").replace("_%s." % os, "_{os}.")
    return file

def _lacking(os, cpu, roles):
    """The files that other ports have and this one lacks."""
    files = sorted([role.format(os = os, cpu = cpu) for role in roles])
    return [file for file in files if file not in PORT_FILES]

def _any_of(name, settings):
    """A config_setting that matches where one of `settings` does: each step asks for one and goes on to the next."""
    for i in range(len(settings)):
        rest = settings[-1] if i + 1 == len(settings) else "%s.%d" % (name, i + 1)
        native.alias(
            name = "%s.%d" % (name, i) if i else name,
            actual = select({settings[i]: settings[i], "//conditions:default": rest}),
            visibility = ["//visibility:public"],
        )

def gort_ports(oses, cpus):
    """Defines the settings and platforms of every port; fails with the list of files if a port lacks some.

    For each port :linux_amd64 is the platform and :is_linux_amd64, :is_linux and :is_amd64 are settings. :entry_point makes
    the linker begin programs at _rt0_amd64_linux.

    The check is made here, while Bazel loads BUILD files, because a new CPU has no compiler at first and the search for one would
    fail before any rule of ours is asked. A BUILD file sees no files of other packages, so the list of them is written down
    (port_files.bzl) and held to the tree by tools/checks/porting.py.

    Args:
      oses: Go's name of each operating system, and Bazel's constraint value.
      cpus: the same for CPUs.
    """
    roles = {_role(file, oses, cpus): None for file in PORT_FILES}.keys()
    errors = []
    ports = {}
    for os in oses:
        for cpu in cpus:
            ports["%s_%s" % (os, cpu)] = (os, cpu)
            lacking = _lacking(os, cpu, roles)
            if lacking:
                errors.append("gort: %s/%s lacks (platforms/PORTING.md):\n  %s" % (os, cpu, "\n  ".join(lacking)))
    if errors:
        fail("\n" + "\n".join(errors))

    for name, constraint in dict(oses, **cpus).items():
        native.config_setting(
            name = "is_" + name,
            constraint_values = [constraint],
            visibility = ["//visibility:public"],
        )
    for port, (os, cpu) in ports.items():
        native.config_setting(
            name = "is_" + port,
            constraint_values = [cpus[cpu], oses[os]],
            visibility = ["//visibility:public"],
        )
        native.platform(
            name = port,
            constraint_values = [cpus[cpu], oses[os]],
            visibility = ["//visibility:public"],
        )
        native.cc_library(
            name = "entry_point." + port,
            linkopts = ["-Wl,-e,_rt0_%s_%s" % (cpu, os)],
        )
    _any_of("is_supported", [":is_" + port for port in ports])
    native.alias(
        name = "entry_point",
        actual = select({":is_" + port: ":entry_point." + port for port in ports}),
        visibility = ["//rt0:__pkg__"],
    )

def _choice(pattern, files):
    """What select() takes: for each of `files`, which are `pattern` with a port in the place of *, the setting of that port."""
    before, _, after = pattern.partition("*")
    return {
        "//platforms:is_" + file[len(before):len(file) - len(after)]: file
        for file in files
    }

def _of_port(name, parts):
    """The files that `name` stands for, by the setting that each is for.

    Args:
      name: "switch.h" stands for switch_<cpu>.h; without an ending it is assembly.
      parts: 1: <cpu>; 2: <os>_<cpu>.
    """
    stem, _, ending = name.partition(".")
    pattern = "%s_*.%s" % (stem, ending or "S")
    other = ["%s_%s.*" % (stem, word) for word in ("test", "benchmark", "fuzz")]
    files = [f for f in native.glob([pattern], exclude = other) if f[len(stem) + 1:].count("_") == parts - 1]
    return _choice(pattern, files)

def _no_match(pattern):
    return "gort: //%s has no %s for this platform; platforms/PORTING.md lists what one must provide" % (native.package_name(), pattern)

def _select_file(choice, pattern):
    if not choice:
        fail(_no_match(pattern))
    return select(choice, no_match_error = _no_match(pattern))

def _select_files(choice, pattern):
    return _select_file({setting: [file] for setting, file in choice.items()}, pattern)

def arch_file(name):
    """The file of `name` for the target's CPU, for an attribute that is one label: "arch.h" stands for arch_<cpu>.h."""
    return _select_file(_of_port(name, 1), name)

def os_arch_file(name):
    """The same for operating system and CPU: "arch.h" stands for arch_<os>_<cpu>.h."""
    return _select_file(_of_port(name, 2), name)

def arch_srcs(name):
    """The source of `name` for the target's CPU, as a list: "switch" stands for switch_<cpu>.S, "cpu.cc" for cpu_<cpu>.cc."""
    return _select_files(_of_port(name, 1), name)

def os_arch_srcs(name):
    """The same for operating system and CPU: "rt0" stands for rt0_<os>_<cpu>.S."""
    return _select_files(_of_port(name, 2), name)

def os_srcs(name):
    """The source of `name` for the target's operating system, as a list: "mem.cc" stands for <os>/mem.cc."""
    pattern = "*/" + name
    return _select_files(_choice(pattern, native.glob([pattern])), pattern)

# What runs a fuzzer: libFuzzer with --config=fuzz, else a main function that tries the corpus.
FUZZ_ENGINE = select({
    "//platforms:is_fuzz": [],
    "//conditions:default": ["//tests/fuzz:corpus_main"],
})

FUZZ_LINKOPTS = select({
    "//platforms:is_fuzz": ["-fsanitize=fuzzer"],
    "//conditions:default": [],
})
