"""For the BUILD files of the Debian repositories."""

def by_arch(target):
    """`target` ("archives//:gtest", "gflags//:gflags") of the repositories for the CPU that is built for."""
    repo, path = target.split("//")
    infix = "" if repo == "archives" else repo + "_"
    return select({
        "@platforms//cpu:aarch64": ["@gort_debian_%sarm64//%s" % (infix, path)],
        "@platforms//cpu:x86_64": ["@gort_debian_%samd64//%s" % (infix, path)],
    }, no_match_error = "gort takes libraries from Debian for x86_64 and aarch64 only")
