"""generate.py FOLDER: makes a user's workspace whose headers have the names of gort's, and do not compile.

Every header of a shipped package stands there under its path (base/panic.h) and, on the include path, under its bare name (panic.h);
each is an #error. Made from the tree as it is, so that no new header is missed. The programs use every target of docs/public.txt, and
the packages of tests/consumer stand there too, with their tests.
"""

import glob
import os
import re
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
sys.path.insert(0, ROOT)
from tools.checks import deps, public, tree  # pylint: disable=wrong-import-position

WORKSPACE = """\
workspace(name = "collision")

local_repository(
    name = "gort",
    path = "%s",
)

load("@gort//tools:deps.bzl", "gort_dependencies")

gort_dependencies()
"""

# Names that stand before the system's on an include path break any program, with gort or without.
SYSTEM = ("/usr/include/%s", "/usr/include/*-linux-gnu/%s", "/usr/include/c++/*/%s", "/usr/lib/*/*/*/include/%s")


def headers():
    """The paths of gort's headers: "base/panic.h" and so on."""
    with open(os.path.join(ROOT, "docs", "deps.txt"), encoding="utf-8") as f:
        packages = set(deps.read_policy(f.read())[0])
    return [path for folder, path in tree.walk(ROOT) if path.endswith(".h") and folder.split("/")[0] in packages]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def copy_consumers(folder):
    """The packages of tests/consumer that are no workspaces of their own."""
    here = os.path.join(ROOT, "tests", "consumer")
    for build in glob.glob(os.path.join(here, "*", "BUILD.bazel")):
        package = os.path.dirname(build)
        if not os.path.exists(os.path.join(package, "WORKSPACE")):
            shutil.copytree(package, os.path.join(folder, os.path.basename(package)))


def main(folder):
    taken = "#error \"%s of the user's workspace was taken for gort's\"\n"
    names = headers()
    bare = sorted({os.path.basename(n) for n in names} - {"gort.h"})
    bare = [n for n in bare if not any(glob.glob(place % n) for place in SYSTEM)]
    for name in names:
        write(os.path.join(folder, name), taken % name)
    for name in bare:
        write(os.path.join(folder, "bare", name), taken % name)

    with open(os.path.join(ROOT, public.LIST), encoding="utf-8") as f:
        targets, _, errors = public.read_list(f.read())
    assert targets and not errors, errors
    build = ["cc_library(name = 'mine', hdrs = glob(['**/*.h']))"]
    programs = {"program": [], "program_rt0": []}
    for target, included in targets.items():
        if target.endswith(".so"):
            continue
        uses = "use_" + re.sub(r"\W+", "_", target).strip("_")
        programs["program_rt0" if target == "//rt0:main" else "program"].append(uses)
        write(os.path.join(folder, uses + ".cc"), "".join('#include "%s"\n' % h for h in included))
        build.append("cc_library(name = '%s', testonly = True, srcs = ['%s.cc'], copts = ['-Ibare'], deps = [':mine', '@gort%s'])" %
                     (uses, uses, target))
    for program, uses in programs.items():
        main_function = "gort_main(int, char**)" if program == "program_rt0" else "main()"
        write(os.path.join(folder, program + ".cc"), "int %s { return 0; }\n" % main_function)
        build.append("cc_binary(name = '%s', testonly = True, srcs = ['%s.cc'], deps = %r)" %
                     (program, program, [":" + u for u in uses]))
    write(os.path.join(folder, "BUILD.bazel"), "\n".join(build) + "\n")
    write(os.path.join(folder, "WORKSPACE"), WORKSPACE % ROOT)
    copy_consumers(folder)
    write(os.path.join(folder, ".bazelrc"), "import %s\n" % os.path.join(ROOT, "gort.bazelrc"))
    print("%d headers, %d of them bare too; %d targets" % (len(names), len(bare), len(targets)))


if __name__ == "__main__":
    main(sys.argv[1])
