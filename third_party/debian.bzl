"""Repository rules over Debian's packages."""

_TRIPLET = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
}

# Package -> a header by which we know that it is installed; headers serve every CPU.
_HEADERS = {
    "libabsl-dev": "/usr/include/absl/base/config.h",
    "libbenchmark-dev": "/usr/include/benchmark/benchmark.h",
    "libgflags-dev": "/usr/include/gflags/gflags.h",
    "libgmock-dev": "/usr/include/gmock/gmock.h",
    "libgtest-dev": "/usr/include/gtest/gtest.h",
    "libhiredis-dev": "/usr/include/hiredis/hiredis.h",
    "libhttp-parser-dev": "/usr/include/http_parser.h",
    "libssl-dev": "/usr/include/openssl/ssl.h",
}

def host_arch(ctx):
    """Debian's name of the CPU that Bazel runs on."""
    machine = ctx.execute(["uname", "-m"]).stdout.strip()
    return {"aarch64": "arm64", "x86_64": "amd64"}.get(machine, machine)

def triplet(arch):
    return _TRIPLET[arch]

def fail_missing(what, packages, foreign = None):
    """The one error for everything that is not installed."""
    first = "sudo dpkg --add-architecture %s && sudo apt-get update && " % foreign if foreign else ""
    fail("\n\n  gort: %s. Install what is missing:\n\n    %ssudo apt-get install %s\n" %
         (what, first, " ".join(packages)))

def require_headers(ctx, packages):
    """Fails unless `packages` (of _HEADERS) are installed."""
    missing = [p for p in packages if not ctx.path(_HEADERS[p]).exists]
    if missing:
        fail_missing("@%s comes from Debian's %s" % (ctx.name, " and ".join(packages)), missing)

def _debian_tree_impl(ctx):
    if not ctx.path(ctx.attr.path).exists:
        fail_missing("@%s comes from Debian's %s" % (ctx.name, ctx.attr.package), [ctx.attr.package])
    for entry in ctx.path(ctx.attr.path).readdir():
        ctx.symlink(entry, entry.basename)

debian_tree = repository_rule(
    implementation = _debian_tree_impl,
    attrs = {
        "package": attr.string(mandatory = True, doc = "the Debian package"),
        "path": attr.string(mandatory = True, doc = "where it puts the repository"),
    },
    local = True,
    doc = "A directory that a Debian package installs, which is a repository as it is.",
)

def _debian_library_impl(ctx):
    require_headers(ctx, ctx.attr.packages)
    for name in ctx.attr.headers:
        ctx.symlink("/usr/include/" + name, "include/" + name)
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    ctx.symlink(ctx.attr.build_file, "BUILD.bazel")

debian_library = repository_rule(
    implementation = _debian_library_impl,
    attrs = {
        "build_file": attr.label(mandatory = True),
        "headers": attr.string_list(mandatory = True, doc = "directories of /usr/include"),
        "packages": attr.string_list(mandatory = True, doc = "the Debian packages they come from"),
    },
    local = True,
    doc = "The headers of a library under include/; its archives are in debian_archives, one repository a CPU.",
)

def _debian_archives_impl(ctx):
    arch = ctx.attr.arch
    directory = "/usr/lib/" + _TRIPLET[arch]
    foreign = arch if arch != host_arch(ctx) else None
    missing = [p for p, file in ctx.attr.packages.items() if not ctx.path(directory + "/" + file).exists]
    if missing:
        fail_missing(
            "@%s for linux/%s comes from Debian's %s" % (ctx.name, arch, " and ".join(missing)),
            [p + ":" + arch for p in missing],
            foreign,
        )
    for entry in ctx.path(directory).readdir():
        for prefix in ctx.attr.prefixes:
            if entry.basename.startswith(prefix):
                ctx.symlink(entry, "lib/" + entry.basename)
    build = ["package(default_visibility = [\"//visibility:public\"])", "", "exports_files(glob([\"lib/*\"]))"]
    for target, file in ctx.attr.libraries.items():
        if file.endswith(".a"):
            build.append("cc_import(name = \"%s\", static_library = \"lib/%s\")" % (target, file))
        else:
            build.append("cc_library(name = \"%s\", srcs = [\"lib/%s\"])" % (target, file))
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    ctx.file("BUILD.bazel", "\n".join(build) + "\n")

debian_archives = repository_rule(
    implementation = _debian_archives_impl,
    attrs = {
        "arch": attr.string(mandatory = True, values = _TRIPLET.keys()),
        "libraries": attr.string_dict(doc = "target -> the file that it links"),
        "packages": attr.string_dict(mandatory = True, doc = "the Debian packages -> a file by which we know that each is installed"),
        "prefixes": attr.string_list(mandatory = True, doc = "what the files begin with"),
    },
    local = True,
    doc = "The libraries of a few packages, and of one CPU, under lib/.",
)

def _debian_archive_impl(ctx):
    arch = ctx.attr.arch
    library = "lib%s.a" % ctx.attr.library
    package = ctx.attr.package + ":" + arch
    installed = ctx.path("/usr/lib/%s/%s" % (_TRIPLET[arch], library))
    if installed.exists:
        ctx.symlink(installed, library)
    elif arch == host_arch(ctx):
        fail_missing("@%s comes from Debian's %s" % (ctx.name, ctx.attr.package), [ctx.attr.package])
    else:
        # The package cannot be installed for two CPUs at once, so it is unpacked here.
        got = ctx.execute(["apt-get", "download", "-q", package])
        debs = [p for p in ctx.path(".").readdir() if p.basename.endswith(".deb")]
        if got.return_code != 0 or len(debs) != 1:
            fail(("\n\n  gort: %s for linux/%s comes from Debian's %s, and `apt-get download %s` failed:\n%s\n" +
                  "  Make the package known:\n\n    sudo dpkg --add-architecture %s && sudo apt-get update\n") %
                 (library, arch, package, package, got.stderr, arch))
        unpacked = ctx.execute(["dpkg", "-x", str(debs[0]), "deb"])
        if unpacked.return_code != 0:
            fail("dpkg -x %s: %s" % (debs[0], unpacked.stderr))
        ctx.symlink(ctx.path("deb/usr/lib/%s/%s" % (_TRIPLET[arch], library)), library)
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    ctx.file("BUILD.bazel", """\
cc_import(
    name = "%s",
    static_library = "%s",
    visibility = ["//visibility:public"],
)
""" % (ctx.attr.library, library))

debian_archive = repository_rule(
    implementation = _debian_archive_impl,
    attrs = {
        "arch": attr.string(mandatory = True, values = _TRIPLET.keys()),
        "library": attr.string(mandatory = True, doc = "gflags for libgflags.a; the target's name"),
        "package": attr.string(mandatory = True, doc = "the Debian package, which cannot be installed for two CPUs at once"),
    },
    doc = "One static library of one CPU.",
)

def _debian_cross_impl(ctx):
    arch = ctx.attr.arch
    prefix = _TRIPLET[arch].replace("x86_64", "x86-64")
    if not ctx.path("/usr/bin/%s-g++" % _TRIPLET[arch]).exists:
        fail_missing("building for linux/%s needs Debian's cross compiler" % arch, ["g++-" + prefix])
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)

    # The tools are named by absolute paths in the toolchain; nothing has to be staged.
    ctx.file("BUILD.bazel", """\
filegroup(
    name = "compiler",
    visibility = ["//visibility:public"],
)
""")

debian_cross = repository_rule(
    implementation = _debian_cross_impl,
    attrs = {"arch": attr.string(mandatory = True, values = _TRIPLET.keys())},
    local = True,
    doc = "Proof that the cross compiler for a CPU is installed.",
)

def _debian_host_libraries_impl(ctx):
    build = ["package(default_visibility = [\"//visibility:public\"])"]
    missing = []
    for name, (package, header) in ctx.attr.libraries.items():
        places = ["/usr/include/", "/usr/include/%s/" % _TRIPLET.get(host_arch(ctx), "")]
        if not [p for p in places if ctx.path(p + header).exists]:
            missing.append(package)
        includes = []
        for folder in ctx.attr.includes.get(name, []):
            includes.append("%s_%d" % (name, len(includes)))
            ctx.symlink(folder.replace("TRIPLET", _TRIPLET.get(host_arch(ctx), "")), includes[-1])
        build.append("cc_library(name = \"%s\", hdrs = glob(%s), includes = %s, linkopts = %s, target_compatible_with = [\"@platforms//cpu:%s\"])" % (
            name,
            [i + "/**/*.h" for i in includes],
            includes,
            ctx.attr.linkopts.get(name, []),
            {"amd64": "x86_64", "arm64": "aarch64"}.get(host_arch(ctx), "x86_64"),
        ))
    if missing:
        fail_missing("@%s comes from Debian" % ctx.name, missing)
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    ctx.file("BUILD.bazel", "\n\n".join(build) + "\n")

debian_host_libraries = repository_rule(
    implementation = _debian_host_libraries_impl,
    attrs = {
        "libraries": attr.string_list_dict(mandatory = True, doc = "target -> [the Debian package, a header by which we know that it is installed]"),
        "linkopts": attr.string_list_dict(doc = "target -> what links it; nothing if it is headers alone"),
        "includes": attr.string_list_dict(doc = "target -> folders, beyond /usr/include, in which its headers look for each other; TRIPLET is this CPU's"),
    },
    local = True,
    doc = "Libraries of this machine's CPU alone, as the compiler finds them: for tests that ask what becomes of other people's code.",
)
