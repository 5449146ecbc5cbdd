"""What the checks share: the files of a workspace."""

import os


def walk(root):
    """(folder, path) of every file of the workspace at root that Bazel sees."""
    ignored = set()
    try:
        with open(os.path.join(root, ".bazelignore")) as f:
            ignored = {line.strip() for line in f if line.strip()}
    except FileNotFoundError:
        pass
    for folder, subfolders, files in os.walk(root):
        package = os.path.relpath(folder, root)
        package = "" if package == "." else package
        subfolders[:] = sorted(
            s for s in subfolders
            if not s.startswith((".", "bazel-")) and os.path.join(package, s) not in ignored)
        for name in sorted(files):
            yield package, os.path.join(package, name)
