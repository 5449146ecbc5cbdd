"""Repositories that Bazel insists on and that gort has no use for."""

def _stub_repository_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    for package, content in ctx.attr.packages.items():
        ctx.file((package + "/" if package else "") + "BUILD.bazel", content + "\n")
    for path, label in ctx.attr.files.items():
        ctx.symlink(Label(label), path)

stub_repository = repository_rule(
    implementation = _stub_repository_impl,
    attrs = {
        "files": attr.string_dict(doc = "path in the repository -> label of the file in gort"),
        "packages": attr.string_dict(doc = "package -> content of its BUILD file"),
    },
)
