"""counted: a program, with all that it links, compiled with the same options in every configuration."""

_OPTION = "//command_line_option:"

def _fixed_impl(settings, attr):
    return {
        _OPTION + "compilation_mode": "opt",
        _OPTION + "copt": ["-O2", "-fomit-frame-pointer", "-fstack-clash-protection"],
    }

_fixed = transition(
    implementation = _fixed_impl,
    inputs = [],
    outputs = [_OPTION + name for name in ("compilation_mode", "copt")],
)

def _counted_impl(ctx):
    program = ctx.executable.program
    link = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = link, target_file = program, is_executable = True)
    return [DefaultInfo(executable = link, files = depset([link]), runfiles = ctx.runfiles([link, program]))]

counted = rule(
    implementation = _counted_impl,
    attrs = {
        "program": attr.label(cfg = _fixed, executable = True, mandatory = True),
        "_whitelist_function_transition": attr.label(
            default = "@bazel_tools//tools/whitelists/function_transition_whitelist",
        ),
    },
    executable = True,
    doc = "The same program as `program`, as --config=opt builds it.",
)
