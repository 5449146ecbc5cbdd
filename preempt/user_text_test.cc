#include "gort/preempt/user_text.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "gort/platforms/thread.h"

namespace user_text_program {

// Code of a program, outside of namespace gort.
__attribute__((noinline)) int Work(int x) { return x * 3; }

}  // namespace user_text_program

namespace gort::rt {
namespace {

uintptr_t Address(auto* function) { return reinterpret_cast<uintptr_t>(function); }

class UserText : public ::testing::Test {
 public:
  static void SetUpTestSuite() { ASSERT_TRUE(UserTextAddProgram()); }
};

TEST_F(UserText, AnAddressIsUnknownUntilItWasResolved) {
  uintptr_t pc = Address(&user_text_program::Work) + 1;
  TextClass cls;
  EXPECT_FALSE(UserTextLookup(pc, &cls));
  EXPECT_FALSE(UserTextLookup(pc, &cls));
  EXPECT_TRUE(ResolveWanted());
  ASSERT_TRUE(UserTextLookup(pc, &cls));
  EXPECT_EQ(cls, TextClass::kUser);
  // The whole function is known now.
  ASSERT_TRUE(UserTextLookup(Address(&user_text_program::Work), &cls));
  EXPECT_EQ(cls, TextClass::kUser);
}

TEST_F(UserText, TheRuntimeIsNotUserCode) {
  TextRange range = ClassifyAddress(Address(&ThreadId));
  EXPECT_EQ(range.cls, TextClass::kRuntime);
  EXPECT_LE(range.lo, Address(&ThreadId));
  EXPECT_GT(range.hi, Address(&ThreadId));
}

TEST_F(UserText, OutsideOfRegisteredObjectsIsALibrarys) {
  int on_the_stack = 0;
  TextClass cls = TextClass::kUser;
  EXPECT_TRUE(UserTextLookup(reinterpret_cast<uintptr_t>(&on_the_stack), &cls));
  EXPECT_EQ(cls, TextClass::kLibrary);
}

TEST_F(UserText, ALibraryIsRegisteredByAnAddressInIt) {
  void* lib = dlopen("libm.so.6", RTLD_NOW);
  if (lib == nullptr) GTEST_SKIP() << "no shared libraries here";
  void* cbrt = dlsym(lib, "cbrt");
  ASSERT_NE(cbrt, nullptr);
  EXPECT_TRUE(UserTextAddLibrary(cbrt));
  EXPECT_TRUE(UserTextAddLibrary(cbrt));  // again: nothing to do
  TextClass cls;
  EXPECT_FALSE(UserTextLookup(reinterpret_cast<uintptr_t>(cbrt), &cls));
  EXPECT_TRUE(ResolveWanted());
  ASSERT_TRUE(UserTextLookup(reinterpret_cast<uintptr_t>(cbrt), &cls));
  EXPECT_EQ(cls, TextClass::kLibrary);  // a C function
  int on_the_stack = 0;
  EXPECT_FALSE(UserTextAddLibrary(&on_the_stack));
}

}  // namespace
}  // namespace gort::rt
