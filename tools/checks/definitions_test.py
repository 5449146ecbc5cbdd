"""The check of definitions finds two of one name."""

import unittest

from tools.checks import definitions
from tools.checks.testing import run

TREE = {
    "docs/deps.txt": "gmp:\nleak: gmp\nprofile: leak\n",
    "leak/maps.h": "namespace gort::rt {\nstruct Mapping {\n  struct Inner {};\n};\n}  // namespace gort::rt\n",
    "profile/code.h": "namespace gort::rt {\nclass Code {\n  struct Inner {};\n};\nvoid F(struct Mapping* m);\nstruct Mapping;\n}\n",
    "profile/code.cc": "namespace gort::rt {\nnamespace {\nstruct Mapping {};\n}\n}\nnamespace gort {\nstruct Mapping {};\n}\n",
    "gmp/arch_amd64.h": "namespace gort::rt {\nstruct Frame {};\n}\n",
    "gmp/arch_arm64.h": "namespace gort::rt {\nstruct Frame {};\n}\n",
}


class DefinitionsTest(unittest.TestCase):

    def check(self, **changed):
        return run(definitions.check, {**TREE, **changed})

    def test_is_content(self):
        self.assertEqual(self.check(), [])

    def test_two_of_one_name(self):
        found = self.check(**{"profile/code.h": "namespace gort {\nnamespace rt {\nstruct alignas(64) Mapping final : Code {\n};\n}\n}\n"})
        self.assertEqual(found, ["gort::rt::Mapping is defined in leak/maps.h and profile/code.h"])


if __name__ == "__main__":
    unittest.main()
