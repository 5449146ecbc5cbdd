"""For the BUILD files of the Debian repositories."""

def by_arch(target):
    """`target` ("googletest//:gtest", "gflags//:gflags") of the repositories for the CPU that is built for."""
    repo, path = target.split("//")
    return select({
        "@platforms//cpu:aarch64": ["@gort_debian_%s_arm64//%s" % (repo, path)],
        "@platforms//cpu:x86_64": ["@gort_debian_%s_amd64//%s" % (repo, path)],
    }, no_match_error = "gort takes libraries from Debian for x86_64 and aarch64 only")
