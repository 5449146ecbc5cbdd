#include "gort/preempt/text_class.h"

#include <gtest/gtest.h>

namespace gort::rt {
namespace {

constexpr SymbolFacts kDynamic{};
constexpr SymbolFacts kStatic{.strict = true};
constexpr SymbolFacts kWeak{.weak = true};
constexpr SymbolFacts kStaticWeak{.strict = true, .weak = true};
constexpr SymbolFacts kStaticMarked{.strict = true, .marked = true};

TextClass C(const char* name, const SymbolFacts& facts = kStatic) {
  return ClassifySymbol(name, facts);
}

TEST(TextClass, FunctionsOfTheProgramAreUser) {
  EXPECT_EQ(C("main"), TextClass::kUser);
  EXPECT_EQ(C("gort_main"), TextClass::kUser);
  EXPECT_EQ(C("_Z3foov"), TextClass::kUser);
  EXPECT_EQ(C("_ZL3foov"), TextClass::kUser);
  EXPECT_EQ(C("_ZN3app4WorkEi"), TextClass::kUser);
  EXPECT_EQ(C("_ZNK3app1X3getEv"), TextClass::kUser);
  EXPECT_EQ(C("_ZN3app4WorkEi.part.0"), TextClass::kUser);
  EXPECT_EQ(C("_ZZ4mainENKUlvE_clEv"), TextClass::kUser);
  EXPECT_EQ(C("_ZThn16_N3app1X1fEv"), TextClass::kUser);
  EXPECT_EQ(C("_ZlsRSoRK3Foo"), TextClass::kUser);
}

TEST(TextClass, TheRuntimeIsNot) {
  for (const SymbolFacts& facts : {kDynamic, kStatic, kWeak, kStaticWeak}) {
    EXPECT_EQ(C("_ZN4gort2rt6GoParkEPFbPNS0_1GEPvES3_NS0_10WaitReasonE", facts),
              TextClass::kRuntime);
    EXPECT_EQ(C("_ZN4gort5Mutex4LockEv", facts), TextClass::kRuntime);
    // A type of the C library in a signature is nobody's type.
    EXPECT_EQ(C("_ZN4gort2rt12_GLOBAL__N_17HandlerEiP9siginfo_tPv", facts), TextClass::kRuntime);
    EXPECT_EQ(C("gort_async_preempt2", facts), TextClass::kRuntime);
    EXPECT_EQ(C("_ZZN4gort2rt8NewProcEvENKUlvE_clEv", facts), TextClass::kRuntime);
  }
}

TEST(TextClass, AllocatorsAreNot) {
  for (const char* name : {"malloc", "free", "aligned_alloc", "_Znwm", "_ZdlPv",
                           "_ZnamSt11align_val_t", "je_malloc", "mi_malloc_small"}) {
    EXPECT_EQ(C(name, kDynamic), TextClass::kRuntime) << name;
  }
  EXPECT_EQ(C("_ZN8tcmalloc10do_mallocEm", kDynamic), TextClass::kLibrary);
}

TEST(TextClass, LibrariesAreNot) {
  EXPECT_EQ(C("printf"), TextClass::kLibrary);
  EXPECT_EQ(C("__cxa_throw"), TextClass::kLibrary);
  EXPECT_EQ(C("_Unwind_RaiseException"), TextClass::kLibrary);
  EXPECT_EQ(C("_ZSt9terminatev"), TextClass::kLibrary);
  EXPECT_EQ(C("_ZN10__cxxabiv112__unexpectedEPFvvE"), TextClass::kLibrary);
  EXPECT_EQ(C("_ZNSs6appendEPKc"), TextClass::kLibrary);
  EXPECT_EQ(C("_ZN4absl5Mutex4LockEv"), TextClass::kLibrary);
  EXPECT_EQ(C("__asan_report_load8"), TextClass::kLibrary);
}

TEST(TextClass, ThreadLocalWrappersAndTablesAreUnknown) {
  EXPECT_EQ(C("_ZTW3foo"), TextClass::kRuntime);
  EXPECT_EQ(C("_ZTH3foo"), TextClass::kRuntime);
  EXPECT_EQ(C("_ZGV3foo"), TextClass::kRuntime);
  EXPECT_EQ(C("_Z"), TextClass::kRuntime);
  EXPECT_EQ(C("_ZN"), TextClass::kRuntime);
  EXPECT_EQ(C("_Z99foo"), TextClass::kRuntime);
}

TEST(TextClass, TemplatesBelongToWhoseTypesTheyName) {
  // std::sort's loop with the program's comparator; std::function's with its lambda.
  EXPECT_EQ(C("_ZSt16__introsort_loopIPi3CmpEvT_S2_T0_", kStaticWeak), TextClass::kUser);
  EXPECT_EQ(C("_ZNSt17_Function_handlerIFvvEZ4mainEUlvE_E9_M_invokeERKSt9_Any_data", kStaticWeak),
            TextClass::kUser);
  EXPECT_EQ(C("_ZN4gort2rt7ClosureIZ4mainEUlvE_JEE3RunEPv"), TextClass::kUser);
  EXPECT_EQ(C("_ZNSt6vectorI3FooSaIS0_EE9push_backERKS0_", kStaticWeak), TextClass::kUser);
  // The runtime's own lambda.
  EXPECT_EQ(C("_ZN4gort2rt13OnSystemStackIZNS0_4NewMEPFvvEPNS0_1PElEUlvE_EEvOT_"),
            TextClass::kRuntime);
  // Of types that are anybody's: the C++ library's copy cannot be told from the program's.
  EXPECT_EQ(C("_ZNSt6vectorIiSaIiEE9push_backERKi", kStaticWeak), TextClass::kLibrary);
  EXPECT_EQ(C("_ZNSt6vectorIiSaIiEE9push_backERKi", kWeak), TextClass::kUser);
  EXPECT_EQ(
      C("_ZNSt15basic_streambufIcSt11char_traitsIcEE7seekoffESt4fposI11__mbstate_tE", kStaticWeak),
      TextClass::kLibrary);
}

TEST(TextClass, CarriersMayLieBelow) {
  EXPECT_EQ(C("_ZN4gort2rt12_GLOBAL__N_17GoStartEPv"), TextClass::kCarrier);
  EXPECT_EQ(C("_ZN4gort2rt7ClosureIPFvvEJEE3RunEPv"), TextClass::kCarrier);
  EXPECT_EQ(C("_ZN4gort2rt12_GLOBAL__N_113MainGoroutineEv"), TextClass::kCarrier);
  EXPECT_EQ(C("_ZN4gort7testing5YieldEv"), TextClass::kCarrier);
  EXPECT_EQ(C("_ZSt13__invoke_implIvPFvvEJEET_St14__invoke_otherOT0_DpOT1_", kStaticWeak),
            TextClass::kCarrier);
}

TEST(TextClass, UnnamedNamespacesNeedTheMarkWhereLibrariesAreLinkedStatically) {
  EXPECT_EQ(C("_ZN12_GLOBAL__N_14poolE", kStatic), TextClass::kLibrary);
  EXPECT_EQ(C("_ZN12_GLOBAL__N_14WorkEv", kStaticMarked), TextClass::kUser);
  EXPECT_EQ(C("_ZN12_GLOBAL__N_14WorkEv", kDynamic), TextClass::kUser);
  EXPECT_EQ(C("work_in_c", kStaticMarked), TextClass::kUser);
}

}  // namespace
}  // namespace gort::rt
