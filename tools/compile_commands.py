"""compile_commands.py OUTPUT: writes a compile_commands.json for everything Bazel would compile with --config=clang.

For clang-tidy and editors. Paths through bazel-out and external are made absolute, for neither is below the workspace by those
names; what concerns modules and outputs is left out. Generated sources and headers are there after a build with that configuration.
"""

import json
import os
import subprocess
import sys

_WITH_VALUE = ("-MF", "-o", "-frandom-seed")
_DROPPED = ("-MD", "-Wprivate-header", "-Werror")


def bazel(*arguments):
    return subprocess.run(["bazel", *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=None if arguments[0] == "aquery" else subprocess.DEVNULL, text=True).stdout


def clean(arguments, output_base, output_path):
    """The arguments without outputs and modules, paths made absolute."""
    result = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in _WITH_VALUE:
            skip = True
        elif argument in _DROPPED or argument.startswith(("-fmodule", "-frandom-seed=")):
            pass
        elif argument.startswith("external/"):
            result.append(os.path.join(output_base, argument))
        elif argument.startswith("bazel-out/"):
            result.append(os.path.join(output_path, argument[len("bazel-out/"):]))
        else:
            result.append(argument)
    return result


def main():
    output_base = bazel("info", "output_base").strip()
    output_path = bazel("info", "output_path").strip()
    workspace = bazel("info", "workspace").strip()
    query = bazel("aquery", "--config=clang", "--noshow_progress", "--ui_event_filters=-info", "--output=jsonproto",
                  "mnemonic(\"CppCompile\", //...)")
    commands = {}
    for action in json.loads(query).get("actions", []):
        arguments = action["arguments"]
        source = arguments[arguments.index("-c") + 1]
        if source.startswith(("external/", "bazel-out/")) or source.endswith(".S"):
            continue
        # A library's file may be compiled twice, as position-independent code and not: once will do.
        commands[source] = {"directory": workspace, "file": source, "arguments": clean(arguments, output_base, output_path)}
    with open(sys.argv[1], "w") as f:
        json.dump(list(commands.values()), f, indent=1)


if __name__ == "__main__":
    main()
