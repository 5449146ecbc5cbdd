"""@com_google_absl from Debian's libabsl-dev.

Public targets carry the headers that upstream gives them, so that a missing dependency is found here as it would be with the real
sources. What each links, and in which order, is read from the package's pkg-config files.
"""

load(":debian.bzl", "fail_missing", "host_arch", "require_headers", "triplet")

# package -> target -> its headers in absl/<package>/. A target is Debian's pkg-config module absl_<target> unless _MODULES says otherwise.
_TARGETS = {
    "algorithm": {
        "algorithm": ["algorithm.h"],
        "container": ["container.h"],
    },
    "base": {
        "base": ["call_once.h", "casts.h"],
        "config": ["config.h", "options.h", "policy_checks.h"],
        "core_headers": ["attributes.h", "const_init.h", "macros.h", "optimization.h", "port.h", "thread_annotations.h"],
        "dynamic_annotations": ["dynamic_annotations.h"],
        "log_severity": ["log_severity.h"],
    },
    "cleanup": {"cleanup": ["cleanup.h"]},
    "container": {
        "btree": ["btree_map.h", "btree_set.h"],
        "fixed_array": ["fixed_array.h"],
        "flat_hash_map": ["flat_hash_map.h"],
        "flat_hash_set": ["flat_hash_set.h"],
        "inlined_vector": ["inlined_vector.h"],
        "node_hash_map": ["node_hash_map.h"],
        "node_hash_set": ["node_hash_set.h"],
    },
    "debugging": {
        "failure_signal_handler": ["failure_signal_handler.h"],
        "leak_check": ["leak_check.h"],
        "stacktrace": ["stacktrace.h"],
        "symbolize": ["symbolize.h"],
    },
    "functional": {
        "any_invocable": ["any_invocable.h"],
        "bind_front": ["bind_front.h"],
        "function_ref": ["function_ref.h"],
    },
    "hash": {"hash": ["hash.h"]},
    "memory": {"memory": ["memory.h"]},
    "meta": {"type_traits": ["type_traits.h"]},
    "numeric": {
        "bits": ["bits.h"],
        "int128": ["int128.h"],
    },
    "random": {
        "bit_gen_ref": ["bit_gen_ref.h"],
        "distributions": [
            "bernoulli_distribution.h",
            "beta_distribution.h",
            "discrete_distribution.h",
            "distributions.h",
            "exponential_distribution.h",
            "gaussian_distribution.h",
            "log_uniform_int_distribution.h",
            "poisson_distribution.h",
            "uniform_int_distribution.h",
            "uniform_real_distribution.h",
            "zipf_distribution.h",
        ],
        "random": ["random.h"],
        "seed_gen_exception": ["seed_gen_exception.h"],
        "seed_sequences": ["seed_sequences.h"],
    },
    "status": {
        "status": ["status.h", "status_payload_printer.h"],
        "statusor": ["statusor.h"],
    },
    "strings": {
        "cord": ["cord.h", "cord_buffer.h"],
        "str_format": ["str_format.h"],
        "strings": [
            "ascii.h",
            "charconv.h",
            "escaping.h",
            "match.h",
            "numbers.h",
            "str_cat.h",
            "str_join.h",
            "str_replace.h",
            "str_split.h",
            "string_view.h",
            "strip.h",
            "substitute.h",
        ],
    },
    "synchronization": {
        "synchronization": ["barrier.h", "blocking_counter.h", "mutex.h", "notification.h"],
    },
    "time": {"time": ["civil_time.h", "clock.h", "time.h"]},
    "types": {
        "any": ["any.h", "bad_any_cast.h"],
        "bad_optional_access": ["bad_optional_access.h"],
        "bad_variant_access": ["bad_variant_access.h"],
        "compare": ["compare.h"],
        "optional": ["optional.h"],
        "span": ["span.h"],
        "variant": ["variant.h"],
    },
    "utility": {"utility": ["utility.h"]},
}

_MODULES = {
    "algorithm:container": "absl_algorithm_container",
    "random:bit_gen_ref": "absl_random_bit_gen_ref",
    "random:distributions": "absl_random_distributions",
    "random:random": "absl_random_random",
    "random:seed_gen_exception": "absl_random_seed_gen_exception",
    "random:seed_sequences": "absl_random_seed_sequences",
}

_PUBLIC = """\
load("@gort//third_party:absl_rules.bzl", "absl_library")

licenses(["notice"])
"""

def _read_module(text):
    """(names of required modules, names of libraries) of a pkg-config file."""
    requires = []
    libraries = []
    for line in text.split("\n"):
        if line.startswith("Requires:"):
            for item in line[len("Requires:"):].split(","):
                if item.strip():
                    requires.append(item.split("=")[0].strip())
        elif line.startswith("Libs:"):
            libraries += [w[2:] for w in line.split(" ") if w.startswith("-labsl_")]
    return requires, libraries

def _debian_absl_impl(ctx):
    pkgconfig = ctx.path("/usr/lib/%s/pkgconfig" % triplet(host_arch(ctx)))
    require_headers(ctx, ["libabsl-dev"])
    if not pkgconfig.get_child("absl_base.pc").exists:
        fail_missing("@com_google_absl is installed for another CPU only", ["libabsl-dev:" + host_arch(ctx)])

    lines = ["load(\"@gort//third_party:absl_rules.bzl\", \"absl_module\")", ""]
    for path in pkgconfig.readdir():
        if path.basename.startswith("absl_") and path.basename.endswith(".pc"):
            requires, libraries = _read_module(ctx.read(path))
            lines.append("absl_module(name = %r, libraries = %r, requires = %r)" %
                         (path.basename[:-3], libraries, requires))
    ctx.file("modules/BUILD.bazel", "\n".join(lines) + "\n")

    for package, targets in _TARGETS.items():
        lines = []
        for target, headers in targets.items():
            module = _MODULES.get(package + ":" + target, "absl_" + target)
            if not pkgconfig.get_child(module + ".pc").exists:
                continue
            lines.append("absl_library(name = %r, hdrs = %r, module = %r)" %
                         (target, ["//:include/absl/%s/%s" % (package, h) for h in headers], module))
        ctx.file("absl/%s/BUILD.bazel" % package, _PUBLIC + "\n" + "\n".join(lines) + "\n")

    # Copies: a link would be the same file to clang as the one in /usr/include, which every target may include, and so would
    # escape layering_check.
    ctx.execute(["mkdir", "include"])
    copied = ctx.execute(["cp", "-R", "/usr/include/absl", "include"])
    if copied.return_code != 0:
        fail("cp: " + copied.stderr)
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    ctx.file("BUILD.bazel", """\
licenses(["notice"])

exports_files(glob(["include/absl/**"]))

cc_library(
    name = "headers",
    hdrs = glob(["include/absl/**/*.h", "include/absl/**/*.inc"]),
    includes = ["include"],
    visibility = ["//:__subpackages__"],
)
""")

debian_absl = repository_rule(
    implementation = _debian_absl_impl,
    local = True,
    doc = "Abseil, as Debian packages it.",
)
