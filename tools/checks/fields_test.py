"""The check of fields finds what it is there to find, and leaves alone what is alive."""

import unittest

from tools.checks import fields
from tools.checks.testing import run

DEPS = {"docs/deps.txt": "gmp:\nproc: gmp\n"}


def wrap(text):
    return "namespace gort::rt {\n%s\n}  // namespace gort::rt\n" % text


class FieldsTest(unittest.TestCase):

    def check(self, header, source, path="proc/a.cc"):
        return run(fields.check, {**DEPS, "gmp/g.h": wrap(header), path: wrap(source)})

    def assert_dead(self, what, header, source):
        errors = self.check(header, source)
        self.assertEqual(len(errors), 1, errors)
        self.assertIn("gmp/g.h: " + what, errors[0])

    def assert_alive(self, header, source):
        self.assertEqual(self.check(header, source), [])

    def test_set_and_read(self):
        self.assert_alive("struct G {\n  int a = 0;\n};", "void F(G* gp) {\n  gp->a = 1;\n  Use(gp->a);\n}")
        self.assert_alive("struct G {\n  int a = 10;\n};", "int F(G* gp) {\n  return gp->a;\n}")

    def test_never_used(self):
        self.assert_dead("G::b is never used", "struct G {\n  int a, b;\n};", "int F(G* gp) {\n  gp->a = 1;\n  return gp->a;\n}")
        self.assert_dead("G::a is never used", "struct G {\n  int a;\n};", "// gp->a = gp->a;\nconst char* text = \"gp->a\";")

    def test_never_read(self):
        for source in ("gp->a = 1;", "gp->a += 2;", "++gp->a;", "gp->a++;", "if (x) gp->a = y;", "allp[i]->a = 2;", "return G{7};", "G x{.a = 7};",
                       "GORT_CHECK(x);\n  gp->a = 2;"):
            self.assert_dead("G::a is set and never read", "struct G {\n  int a = 0;\n};", "G* F(G* gp) {\n  %s\n}" % source)
        for source in ("gp->a.store(1, relaxed);", "gp->a.fetch_add(1);"):
            self.assert_dead("G::a is set and never read", "struct G {\n  std::atomic<int> a{0};\n};", "void F(G* gp) {\n  %s\n}" % source)

    def test_never_set(self):
        for source in ("return gp->a;", "if (GORT_UNLIKELY(gp->a)) return;", "p << \"a=\" << gp->a << 1;", "gp->a = 0;\n  return gp->a;", "*gp->a = 1;"):
            self.assert_dead("G::a is read and never set", "struct G {\n  int a = 0;\n};", "int F(G* gp) {\n  %s\n}" % source)
        self.assert_dead("G::a is read and never set to anything but", "struct G {\n  std::atomic<int> a{0};\n};",
                         "void F(G* gp) {\n  gp->a.store(0);\n  gp->a.load();\n}")
        self.assert_dead("Found::wake is read and never set", "struct Found {\n  G* gp;\n  bool wake;\n};",
                         "void F(G* gp) {\n  Found f = Found{gp, false};\n  Use(f.gp, f.wake);\n}")

    def test_both_at_once(self):
        for source in ("return gp->a++;", "if (--gp->a == 0) F();", "Use(&gp->a);", "int& r = gp->a;", "std::swap(gp->a, x);", "x = gp->a = 1;"):
            self.assert_alive("struct G {\n  int a = 0;\n};", "void F(G* gp) {\n  %s\n}" % source)
        for source in ("return gp->a.exchange(1);", "while (gp->a.fetch_add(1) < 7) {}", "gp->a.compare_exchange_strong(x, 1);"):
            self.assert_alive("struct G {\n  std::atomic<int> a{0};\n};", "void F(G* gp) {\n  %s\n}" % source)

    def test_fields_of_one_name(self):
        header = "struct G {\n  int id = 0;\n};\nstruct M {\n  int id = 0;\n  G* curg = nullptr;\n};"
        self.assert_dead("G::id is set and never read", header,
                         "void F(G* gp, M* mp) {\n  gp->id = 1;\n  mp->id = 2;\n  mp->curg = gp;\n  Use(mp->id, mp->curg);\n}")
        self.assert_dead("M::id is set and never read", header,
                         "void F(G* gp, M* mp) {\n  mp->curg->id = 1;\n  mp->id = 2;\n  mp->curg = gp;\n  Use(mp->curg->id);\n}")

    def test_functions_of_the_struct(self):
        self.assert_alive("struct G {\n  explicit G(int n) : a(n) {}\n  int Get() const { return a; }\n  int a;\n};", "")
        self.assert_dead("G::a is set and never read", "struct G {\n  explicit G(int n) : a(n) {}\n  int a;\n};", "")

    def test_seam(self):
        self.assert_alive("struct G {\n  int a = 0;  // const. Seam: profiles\n};", "")
        self.assert_alive("struct G {\n  // Seam: the tracer\n  // reads it.\n  int a = 0;\n};", "void F(G* gp) {\n  gp->a = 1;\n}")
        self.assert_dead("G::b is never used", "struct G {\n  int a = 0;  // Seam: profiles\n  int b = 0;\n};", "")
        self.assert_dead("G::a is never used", "struct G {\n  int a = 0;  // Seam:\n};", "")

    def test_seam_that_is_used(self):
        self.assert_dead("G::a is set and read; its \"Seam:\"", "struct G {\n  int a = 0;  // Seam: profiles\n};",
                         "void F(G* gp) {\n  gp->a = 1;\n  Use(gp->a);\n}")

    def test_use_by_a_test_does_not_count(self):
        self.assertEqual(len(self.check("struct G {\n  int a = 0;\n};", "G g{1};\nint x = g.a;", "proc/a_test.cc")), 1)

    def test_layouts(self):
        self.assert_alive("struct Frame {\n  int magic;\n  int unused;\n};", "int F(void* p) {\n  return reinterpret_cast<const Frame*>(p)->magic;\n}")

    def test_structs_for_users(self):
        files = {**DEPS, "gmp/options.h": "namespace gort {\nstruct Options {\n  int a = 0;\n};\n}\n", "gmp/a.cc": "int F(const Options& o) { return o.a; }"}
        self.assertEqual(run(fields.check, files), [])
        del files["gmp/a.cc"]
        self.assertEqual(len(run(fields.check, files)), 1)


if __name__ == "__main__":
    unittest.main()
