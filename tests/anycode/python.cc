// tests/anycode/python.cc: an embedded Python, whose global lock knows the thread that holds it.
#include <python3.11/Python.h>

#include <cstdint>
#include <string>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

// What the interpreter keeps until the process ends is no leak of ours.
extern "C" const char* __lsan_default_suppressions() { return "leak:libpython3"; }

namespace anycode {
namespace {

// Starts the interpreter, once, and leaves its lock free.
void StartPython() {
  static const bool started = [] {
    Py_InitializeEx(0);
    PyRun_SimpleString(
        "import threading\n"
        "visits = 0\n"
        "lock = threading.Lock()\n"
        "local = threading.local()\n"
        "def compute(n):\n"
        "    return sum(i * i for i in range(n))\n"
        "def locked(n):\n"
        "    global visits\n"
        "    with lock:\n"
        "        before = visits\n"
        "        compute(100)\n"
        "        visits = before + 1\n"
        "    return n\n"
        "def keep(n):\n"
        "    local.value = n\n"
        "    compute(300)\n"
        "    return local.value\n"
        "def read_visits(n):\n"
        "    return visits\n");
    PyEval_SaveThread();
    return true;
  }();
  Expect(started, "Python");
}

int64_t Call(const char* name, int64_t argument) {
  const PyGILState_STATE state = PyGILState_Ensure();
  PyObject* main = PyImport_AddModule("__main__");
  PyObject* result = PyObject_CallMethod(main, name, "L", static_cast<long long>(argument));
  int64_t number = -1;
  if (result == nullptr) {
    PyErr_Print();
    Wrong("%s", name);
  } else {
    number = PyLong_AsLongLong(result);
    Py_DECREF(result);
  }
  PyGILState_Release(state);
  return number;
}

Task Compute(int) {
  StartPython();
  return {[](Worker& w) {
    while (w.Next()) {
      const int64_t n = 100 + w.index();
      ExpectEq((n - 1) * n * (2 * n - 1) / 6, Call("compute", n), "the sum of squares");
    }
  }};
}

// A lock of Python's, held while the global lock changes hands.
Task Locked(int) {
  StartPython();
  return {[](Worker& w) {
            while (w.Next()) ExpectEq(w.index(), Call("locked", w.index()), "what comes back");
          },
          [](int64_t ops) { ExpectEq(ops, Call("read_visits", 0), "visits"); }};
}

Task Local(int) {
  StartPython();
  return {[](Worker& w) {
    while (w.Next()) ExpectEq(w.index(), Call("keep", w.index()), "the thread's value");
  }};
}

// Without the global lock for a while, as before a call that blocks.
Task AllowThreads(int) {
  StartPython();
  return {[](Worker& w) {
    while (w.Next()) {
      const PyGILState_STATE state = PyGILState_Ensure();
      PyObject* before = PyLong_FromLongLong(1'000'000 + w.index());
      PyThreadState* self = PyThreadState_Get();
      Py_BEGIN_ALLOW_THREADS;
      Burn(20);
      Py_END_ALLOW_THREADS;
      Expect(PyThreadState_Get() == self, "the thread's state");
      ExpectEq(1'000'000 + w.index(), PyLong_AsLongLong(before), "the number");
      Py_DECREF(before);
      PyGILState_Release(state);
    }
  }};
}

}  // namespace

Family Python() {
  return {"python",
          {{"python_compute", Compute},
           {"python_lock", Locked},
           {"python_local", Local},
           {"python_allow_threads", AllowThreads}}};
}

}  // namespace anycode
