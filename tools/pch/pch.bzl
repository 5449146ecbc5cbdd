"""precompiled_header: the headers that most tests include, read once for each configuration.

More than half of the time in which a test is compiled goes into reading GoogleTest and the standard library. tools/test asks for a
precompiled header by --define=gort_pch=LEVEL, the level of optimisation of tests (35 % less time with clang, 25 % with gcc); without it
every file is compiled as it stands. gcc 12 for arm64 dies of an internal error when it reads its own, and does without.
"""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "CPP_COMPILE_ACTION_NAME")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")
load("//platforms:defs.bzl", "GORT_TEST_COPTS")

def _command(ctx, toolchain, context, header, output):
    """(compiler, arguments, environment) that compile `header` with the flags of a cc_test of this configuration."""
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features + ["layering_check", "module_maps"],
    )
    is_clang = toolchain.compiler == "clang"
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        source_file = header.path,
        output_file = output.path,
        # Bazel gives these to every test, in this order. The level is .bazelrc's --per_file_copt. Whether a
        # header has changed is Bazel's to know, which may unpack one anew.
        user_compile_flags = GORT_TEST_COPTS + ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + ["-" + ctx.var["gort_pch"]] +
                             (["-Xclang", "-fno-pch-timestamp"] if is_clang else []) + ["-x", "c++-header"],
        include_directories = context.includes,
        quote_include_directories = context.quote_includes,
        system_include_directories = context.system_includes,
        preprocessor_defines = context.defines,
        use_pic = ctx.var["COMPILATION_MODE"] != "opt" and toolchain.needs_pic_for_dynamic_libraries(feature_configuration = features),
    )
    of = dict(feature_configuration = features, action_name = CPP_COMPILE_ACTION_NAME)
    return (
        cc_common.get_tool_for_action(**of),
        cc_common.get_memory_inefficient_command_line(variables = variables, **of),
        cc_common.get_environment_variables(variables = variables, **of),
    )

def _precompiled_header_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    infos = [dep[CcInfo] for dep in ctx.attr.deps]
    context = cc_common.merge_cc_infos(cc_infos = infos).compilation_context
    header = ctx.actions.declare_file(ctx.label.name + ".h")
    ctx.actions.write(header, "".join(["#include <%s>\n" % name for name in ctx.attr.includes]))

    # A compiler takes X.h.gch in the place of X.h, and refuses it unless it was made with the flags of the file that includes it.
    output = ctx.actions.declare_file(ctx.label.name + ".h.gch")
    compiler, arguments, environment = _command(ctx, toolchain, context, header, output)
    ctx.actions.run(
        mnemonic = "CppPrecompile",
        executable = compiler,
        arguments = arguments,
        env = environment,
        inputs = depset([header], transitive = [toolchain.all_files, context.headers]),
        outputs = [output],
        # clang writes down the path of the header. What gcc writes differs from run to run, so it is worth keeping.
        execution_requirements = {"local": "1", "no-cache": "1"} if toolchain.compiler == "clang" else {},
    )
    own = cc_common.create_compilation_context(headers = depset([header, output]))
    return [cc_common.merge_cc_infos(cc_infos = [CcInfo(compilation_context = own)] + infos)]

precompiled_header = rule(
    implementation = _precompiled_header_impl,
    attrs = {
        "includes": attr.string_list(mandatory = True),
        "deps": attr.label_list(providers = [CcInfo]),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    doc = "NAME.h, which includes `includes`, and what the compiler makes of it.",
)
