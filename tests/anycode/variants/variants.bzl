"""built_with: a program, with all that it links, built with other options."""

_COPT = "//command_line_option:copt"
_LINKOPT = "//command_line_option:linkopt"

def _added_impl(settings, attr):
    return {
        _COPT: settings[_COPT] + attr.copts,
        _LINKOPT: settings[_LINKOPT] + attr.linkopts,
    }

_added = transition(
    implementation = _added_impl,
    inputs = [_COPT, _LINKOPT],
    outputs = [_COPT, _LINKOPT],
)

def _built_with_impl(ctx):
    program = ctx.executable.program
    link = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = link, target_file = program, is_executable = True)
    return [DefaultInfo(executable = link, files = depset([link]), runfiles = ctx.runfiles([link, program]))]

built_with = rule(
    implementation = _built_with_impl,
    attrs = {
        "copts": attr.string_list(doc = "added to the compiler's options"),
        "linkopts": attr.string_list(doc = "added to the linker's"),
        "program": attr.label(cfg = _added, executable = True, mandatory = True),
        "_whitelist_function_transition": attr.label(
            default = "@bazel_tools//tools/whitelists/function_transition_whitelist",
        ),
    },
    executable = True,
    doc = "The same program as `program`.",
)
