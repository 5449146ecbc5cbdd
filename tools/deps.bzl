"""gort_dependencies(): every external repository gort needs, from Debian's packages and this tree.

Each comes under its upstream name, with upstream's target names, and only if the including workspace has not defined it: whoever
has the real sources in their WORKSPACE swaps them in unchanged.
"""

load("//third_party:debian.bzl", "debian_archive", "debian_archives", "debian_cross", "debian_host_libraries", "debian_library", "debian_tree")
load("//third_party:absl.bzl", "debian_absl")
load("//third_party:stubs.bzl", "stub_repository")

def _maybe(rule, name, **kwargs):
    if not native.existing_rule(name):
        rule(name = name, **kwargs)

def gort_dependencies():
    """Defines what is missing. Call it once from WORKSPACE, after your own definitions."""

    # Bazel asks for these four before the first build, and would download them.
    _maybe(
        debian_tree,
        name = "platforms",
        package = "bazel-platforms",
        path = "/usr/share/bazel/tools/platforms",
    )
    _maybe(
        debian_tree,
        name = "rules_java",
        package = "bazel-rules-java",
        path = "/usr/share/bazel/rules/java",
    )
    _maybe(
        stub_repository,
        name = "rules_cc",
        files = {"cc/defs.bzl": "//third_party:rules_cc_defs.bzl"},
        packages = {"cc": ""},
    )
    _maybe(
        stub_repository,
        name = "remote_coverage_tools",
        packages = {"": "filegroup(name = \"coverage_report_generator\", visibility = [\"//visibility:public\"])"},
    )

    # The libraries themselves, one repository for each and for each CPU: a build looks at those that it links and asks for no
    # Debian package beyond them.
    for arch in ["amd64", "arm64"]:
        _maybe(
            debian_archives,
            name = "gort_debian_absl_" + arch,
            arch = arch,
            packages = {"libabsl-dev": "libabsl_base.a"},
            prefixes = ["libabsl_"],
        )
        _maybe(
            debian_archives,
            name = "gort_debian_googletest_" + arch,
            arch = arch,
            libraries = {
                "gmock": "libgmock.a",
                "gtest": "libgtest.a",
                "gtest_main": "libgtest_main.a",
            },
            packages = {
                "libgmock-dev": "libgmock.a",
                "libgtest-dev": "libgtest.a",
            },
            prefixes = ["libgmock", "libgtest"],
        )
        _maybe(
            debian_archives,
            name = "gort_debian_benchmark_" + arch,
            arch = arch,
            libraries = {
                # Debian has no static libbenchmark.
                "benchmark": "libbenchmark.so.1debian",
                "benchmark_main": "libbenchmark_main.a",
            },
            packages = {"libbenchmark-dev": "libbenchmark_main.a"},
            prefixes = ["libbenchmark"],
        )
        _maybe(
            debian_archive,
            name = "gort_debian_gflags_" + arch,
            arch = arch,
            library = "gflags",
            package = "libgflags-dev",
        )
        _maybe(
            debian_archive,
            name = "gort_debian_hiredis_" + arch,
            arch = arch,
            library = "hiredis",
            package = "libhiredis-dev",
        )
        _maybe(
            debian_archive,
            name = "gort_debian_http_parser_" + arch,
            arch = arch,
            library = "http_parser",
            package = "libhttp-parser-dev",
        )
        _maybe(
            debian_archives,
            name = "gort_debian_openssl_" + arch,
            arch = arch,
            libraries = {
                "crypto": "libcrypto.a",
                "ssl": "libssl.a",
            },
            packages = {"libssl-dev": "libssl.a"},
            prefixes = ["libcrypto.a", "libssl.a"],
        )

    _maybe(debian_cross, name = "gort_debian_cross_arm64", arch = "arm64")

    _maybe(debian_absl, name = "com_google_absl")
    _maybe(
        debian_library,
        name = "com_google_googletest",
        build_file = Label("//third_party:googletest.BUILD"),
        headers = ["gmock", "gtest"],
        packages = ["libgmock-dev", "libgtest-dev"],
    )
    _maybe(
        debian_library,
        name = "com_github_google_benchmark",
        build_file = Label("//third_party:benchmark.BUILD"),
        headers = ["benchmark"],
        packages = ["libbenchmark-dev"],
    )
    _maybe(
        debian_library,
        name = "com_github_gflags_gflags",
        build_file = Label("//third_party:gflags.BUILD"),
        headers = ["gflags"],
        packages = ["libgflags-dev"],
    )

    _maybe(
        debian_library,
        name = "com_github_nodejs_http_parser",
        build_file = Label("//third_party:http_parser.BUILD"),
        headers = ["http_parser.h"],
        packages = ["libhttp-parser-dev"],
    )
    _maybe(
        debian_library,
        name = "com_github_openssl_openssl",
        build_file = Label("//third_party:openssl.BUILD"),
        headers = ["openssl"],
        packages = ["libssl-dev"],
    )
    _maybe(
        debian_library,
        name = "com_github_redis_hiredis",
        build_file = Label("//third_party:hiredis.BUILD"),
        headers = ["hiredis"],
        packages = ["libhiredis-dev"],
    )

    # What //tests/anycode runs in goroutines. A build that does not ask for it needs none of these packages.
    _maybe(
        debian_host_libraries,
        name = "gort_debian_host",
        libraries = {
            "boost": ["libboost-dev", "boost/asio.hpp"],
            "crypto": ["libssl-dev", "openssl/evp.h"],
            "curl": ["libcurl4-openssl-dev", "curl/curl.h"],
            "event": ["libevent-dev", "event2/event.h"],
            "glib": ["libglib2.0-dev", "glib-2.0/glib.h"],
            "gmp": ["libgmp-dev", "gmp.h"],
            "lmdb": ["liblmdb-dev", "lmdb.h"],
            "protobuf": ["libprotobuf-dev", "google/protobuf/message.h"],
            "python": ["libpython3.11-dev", "python3.11/Python.h"],
            "sqlite3": ["libsqlite3-dev", "sqlite3.h"],
            "tbb": ["libtbb-dev", "tbb/spin_mutex.h"],
            "uring": ["liburing-dev", "liburing.h"],
            "z": ["zlib1g-dev", "zlib.h"],
            "zmq": ["libzmq3-dev", "zmq.h"],
            "zstd": ["libzstd-dev", "zstd.h"],
        },
        includes = {"glib": ["/usr/include/glib-2.0", "/usr/lib/TRIPLET/glib-2.0/include"]},
        linkopts = {
            "crypto": ["-lcrypto"],
            "curl": ["-lcurl"],
            "event": ["-levent_pthreads", "-levent"],
            "glib": ["-lglib-2.0"],
            "gmp": ["-lgmp"],
            "lmdb": ["-llmdb"],
            # Statically, as a library of a program's own is.
            "protobuf": ["-l:libprotobuf.a"],
            "python": ["-lpython3.11"],
            "sqlite3": ["-lsqlite3"],
            "tbb": ["-ltbb"],
            "uring": ["-luring"],
            "z": ["-lz"],
            "zmq": ["-lzmq"],
            "zstd": ["-lzstd"],
        },
    )

    native.register_toolchains("@gort//platforms/toolchains:all")
