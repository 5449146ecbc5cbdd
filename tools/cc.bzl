"""gort_cc_library, gort_cc_test, gort_cc_binary, gort_cc_benchmark and gort_cc_fuzz_test: how every C++ target of gort is built.

A header `<package>/<file>.h` is included as "gort/<package>/<file>.h", here and in every workspace that uses gort, so that no
header of ours can be taken for somebody else's, nor somebody else's for ours. Bazel's own include_prefix would cost a -I flag for
each target; here each package has one folder of links, `_include`, and one flag. A link is the output of a target of its own: a
compiler in a sandbox sees the headers of its direct and indirect dependencies and no others.
"""

load(
    "//platforms:defs.bzl",
    "FUZZ_ENGINE",
    "FUZZ_LINKOPTS",
    "GORT_BENCHMARK_FEATURES",
    "GORT_COPTS",
    "GORT_TEST_COPTS",
    "SUPPORTED",
    _arch_file = "arch_file",
    _arch_files = "arch_srcs",
    _gort_pch = "gort_pch",
    _os_arch_file = "os_arch_file",
    _os_arch_files = "os_arch_srcs",
    _os_files = "os_srcs",
)

_ROOT = "_include"

def _header_link_impl(ctx):
    ctx.actions.symlink(output = ctx.outputs.link, target_file = ctx.file.header)
    return [DefaultInfo(files = depset([ctx.outputs.link]))]

_header_link = rule(
    implementation = _header_link_impl,
    attrs = {
        "header": attr.label(allow_single_file = [".h"], mandatory = True),
        "link": attr.output(mandatory = True),
    },
    doc = "One header at the path by which it is included.",
)

def _include_root_impl(ctx):
    parts = [ctx.bin_dir.path, ctx.label.workspace_root, ctx.label.package, _ROOT]
    folder = "/".join([p for p in parts if p])
    context = cc_common.create_compilation_context(includes = depset([folder]))
    return [CcInfo(compilation_context = context)]

_include_root = rule(
    implementation = _include_root_impl,
    doc = "The -I flag of a package. It brings no header with it.",
)

def _is_header(file):
    return file.endswith(".h")

def _linked(header, include_prefix, file = None):
    """The label of the link to `header`, which is made if it is not there yet; `file`: what it leads to, if it has another name."""
    if header.startswith("//"):
        package, _, file = header[2:].partition(":")
        return "//%s:%s/gort/%s/%s" % (package, _ROOT, package, file)
    link = "%s/%s/%s" % (_ROOT, include_prefix or "gort/" + native.package_name(), header)
    rule_name = "link." + link
    if not native.existing_rule(rule_name):
        _header_link(
            name = rule_name,
            header = file or header,
            link = link,
            visibility = ["//:__subpackages__"],
        )
    return link

def _include_roots(headers):
    """The targets of the -I flags for these headers: this package's, and those of packages whose headers are compiled here again."""
    if not native.existing_rule(_ROOT):
        _include_root(name = _ROOT, visibility = ["//:__subpackages__"])
    roots = [":" + _ROOT]
    for header in headers:
        if header.startswith("//"):
            root = header.partition(":")[0] + ":" + _ROOT
            if root not in roots:
                roots.append(root)
    return roots

def _layering():
    """The check of layers, in gort's own workspace.

    In others it would fail with clang and no sandbox: clang then finds the module maps of indirect dependencies too, which Bazel 4.2.3
    does not know as inputs.
    """
    return ["layering_check"] if native.repository_name() == "@" else []

def _attributes(kwargs, is_test):
    """What these rules have in common: taken out of kwargs, filled in, and returned."""
    srcs = kwargs.pop("srcs", [])
    hdrs = kwargs.pop("hdrs", [])
    include_prefix = kwargs.pop("include_prefix", None)
    sources = [s for s in srcs if not _is_header(s)]
    inner = [s for s in srcs if _is_header(s)]
    for name in kwargs.pop("arch_srcs", []):
        sources = sources + _arch_files(name)
    for name in kwargs.pop("os_arch_srcs", []):
        sources = sources + _os_arch_files(name)
    for name in kwargs.pop("os_srcs", []):
        sources = sources + _os_files(name)
    port_hdrs = [_linked(h, include_prefix, _arch_file(h)) for h in kwargs.pop("arch_hdrs", [])]
    port_hdrs += [_linked(h, include_prefix, _os_arch_file(h)) for h in kwargs.pop("os_arch_hdrs", [])]
    copts = GORT_TEST_COPTS if is_test or kwargs.get("testonly") else GORT_COPTS
    result = dict(
        srcs = sources + [_linked(h, include_prefix) for h in inner],
        copts = copts + kwargs.pop("copts", []),
        features = _layering() + kwargs.pop("features", []),
        target_compatible_with = SUPPORTED,
        deps = kwargs.pop("deps", []) + _include_roots(inner + hdrs),
        # Initial-exec TLS and hidden assembly symbols do not cross a shared library.
        linkstatic = True,
    )
    if hdrs or port_hdrs:
        result["hdrs"] = [_linked(h, include_prefix) for h in hdrs] + port_hdrs
    result.update(kwargs)
    return result

def _pch(kwargs):
    """(copts, deps) of the precompiled header, for a test of which all is compiled at the level of tests (.bazelrc)."""
    package = native.package_name()
    of_one_level = "arch_srcs" not in kwargs and "os_arch_srcs" not in kwargs and \
                   all([s.endswith(("_test.cc", ".h")) for s in kwargs["srcs"]])
    if package == "preempt" or not of_one_level:
        return [], []

    # gcc compiles those of //tests at -O2.
    return _gort_pch(["O0"] if package.startswith("tests/") else ["O0", "O1"])

def gort_cc_library(name, **kwargs):
    """A cc_library of gort.

    Args:
      name: as in cc_library.
      **kwargs: as in cc_library. In `srcs` and `hdrs` headers and sources are named as they stand in the folder, and included as
        "gort/<package>/<file>.h". What differs from port to port is a file for each: `arch_srcs = ["switch", "cpu.cc"]` adds
        switch_<cpu>.S and cpu_<cpu>.cc, `os_arch_srcs` the same with <os>_<cpu>, `os_srcs = ["mem.cc"]` <os>/mem.cc, and
        `arch_hdrs = ["arch.h"]` makes arch_<cpu>.h what "gort/<package>/arch.h" includes (`os_arch_hdrs`: arch_<os>_<cpu>.h).
        `include_prefix` takes the place of "gort/<package>"; `copts` and `features` add to gort's own.
    """
    native.cc_library(name = name, **_attributes(kwargs, False))

def gort_cc_binary(name, **kwargs):
    """A cc_binary of gort; arguments as in gort_cc_library."""
    native.cc_binary(name = name, **_attributes(kwargs, False))

def gort_cc_test(name, **kwargs):
    """A cc_test of gort; arguments as in gort_cc_library. GoogleTest's macros trip over some warnings, which are off here."""
    copts, deps = _pch(kwargs)
    attributes = _attributes(kwargs, True)
    attributes["copts"] += copts
    attributes["deps"] += deps
    native.cc_test(name = name, **attributes)

def gort_cc_benchmark(name, **kwargs):
    """A program of Google Benchmark's, of which Debian has a shared library only; arguments as in gort_cc_library."""
    features = kwargs.pop("features", []) + GORT_BENCHMARK_FEATURES
    native.cc_binary(name = name, **_attributes(dict(kwargs, features = features, testonly = True), True))

def gort_cc_fuzz_test(name, corpus, deps, **kwargs):
    """A fuzzer (tests/fuzz/README.md): a test that tries its corpus, and with --config=fuzz a program of libFuzzer.

    Args:
      name: as in cc_test.
      corpus: the folder of this package with the inputs to begin with.
      deps: as in cc_test; //tests/fuzz is added.
      **kwargs: as in gort_cc_library.
    """
    gort_cc_test(
        name = name,
        size = "small",
        args = ["-runs=0", native.package_name() + "/" + corpus],
        data = native.glob([corpus + "/*"]),
        linkopts = FUZZ_LINKOPTS,
        deps = deps + ["//tests/fuzz"] + FUZZ_ENGINE,
        **kwargs
    )
