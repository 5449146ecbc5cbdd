"""For the tests of the checks: a tree made of a few files."""

import os
import tempfile


def fill(root, files):
    """Writes these files below root: path -> text."""
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)


def run(check, files):
    """What `check` says of a workspace that holds these files: path -> text."""
    with tempfile.TemporaryDirectory() as root:
        fill(root, files)
        return check(root)
