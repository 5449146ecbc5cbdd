"""A user's own Abseil, which here is Debian's under another name and with a package of the user's in it."""

load("@gort//third_party:absl.bzl", "debian_absl")

def _own_absl_files_impl(ctx):
    for entry in ctx.path(Label("@consumer_debian_absl//:BUILD.bazel")).dirname.readdir():
        ctx.symlink(entry, entry.basename)
    ctx.file("consumer/own.h", "#define CONSUMER_OWN_ABSL 1\n")
    ctx.file("consumer/BUILD.bazel", """\
cc_library(
    name = "own",
    hdrs = ["own.h"],
    visibility = ["//visibility:public"],
)
""")

_own_absl_files = repository_rule(
    implementation = _own_absl_files_impl,
    local = True,
)

def own_absl(name):
    debian_absl(name = "consumer_debian_absl")
    _own_absl_files(name = name)
