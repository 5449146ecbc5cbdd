"""The rules that the generated BUILD files of @com_google_absl use."""

load(":arch.bzl", "by_arch")

def absl_module(name, libraries, requires):
    """One pkg-config module: what it links, and what that needs."""
    for library in libraries:
        native.cc_import(
            name = library + "_amd64",
            static_library = "@gort_debian_absl_amd64//:lib/lib%s.a" % library,
        )
        native.cc_import(
            name = library + "_arm64",
            static_library = "@gort_debian_absl_arm64//:lib/lib%s.a" % library,
        )
    deps = []
    if libraries:
        deps = select({
            "@platforms//cpu:aarch64": [l + "_arm64" for l in libraries],
            "@platforms//cpu:x86_64": [l + "_amd64" for l in libraries],
        }, no_match_error = "gort takes libraries from Debian for x86_64 and aarch64 only")
    native.cc_library(
        name = name,
        linkopts = ["-pthread"] if libraries else [],
        visibility = ["//:__subpackages__"],
        deps = deps + requires,
    )

def absl_library(name, hdrs, module):
    """A public target under its upstream name."""
    native.cc_library(
        name = name,
        hdrs = hdrs,
        visibility = ["//visibility:public"],
        deps = [
            "//:headers",
            "//modules:" + module,
        ],
    )
