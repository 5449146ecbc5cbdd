// preempt/user_text.h: is this address user code?
// What      a lookup that a signal handler can make, over what was found out before. Addresses that
//           the handler could not answer for are noted; ResolveWanted, on an ordinary stack, looks
//           their functions up in the symbol tables of the program and of the listed libraries,
//           classifies them (text_class.h) and publishes the answer for the next time.
// Why lazy  a program has tens of thousands of functions, and few of them run for ten milliseconds
//           without a call into the runtime. So start-up looks none up, and the first pre-emption of
//           a function comes one retry later.
// Table     an entry is the part of a function that lies in one page. It is appended to one of
//           kBuckets lists, which the page chooses, and is neither changed nor freed after that.
//           When the table has kMaxEntries, a function that is not in it counts as the runtime's.
// Layer     7.
// Contract  | call           | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | UserTextLookup |   x    | x  |  x   |    x    |    x    |   -   |     -     |
//           | ResolveWanted  |   x    | x  |  x   |    -    |    x    |   -   |     x     |
//           | UserTextAddLibrary  as ResolveWanted
#ifndef GORT_PREEMPT_USER_TEXT_H_
#define GORT_PREEMPT_USER_TEXT_H_

#include <cstdint>

#include "gort/preempt/text_class.h"

namespace gort::rt {

// What is known of the code at pc. False: nothing yet; it is noted for ResolveWanted unless it lies
// outside of every registered object (then *out is kLibrary and the answer is true).
bool UserTextLookup(uintptr_t pc, TextClass* out);

// Looks up and publishes what lookups noted. Cheap when there is nothing. False, without waiting,
// when another thread is in it.
bool ResolveWanted();

// Registers the main program. Once, before the first lookup. False: its file cannot be read, and
// nothing of it is ever user code.
bool UserTextAddProgram();
// Registers the shared library that `address` lies in; it must never be unloaded. False: no such
// library, or more than kMaxObjects.
inline constexpr int kMaxObjects = 16;
bool UserTextAddLibrary(const void* address);

// Looks the function at pc up and classifies it, without the table. For ResolveWanted and tests.
struct TextRange {
  uintptr_t lo = 0;
  uintptr_t hi = 0;
  TextClass cls = TextClass::kRuntime;
};
TextRange ClassifyAddress(uintptr_t pc);

}  // namespace gort::rt

#endif  // GORT_PREEMPT_USER_TEXT_H_
