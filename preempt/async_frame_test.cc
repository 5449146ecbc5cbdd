// The parked context: which of the kernel's frames are taken, where the copy lies, what is in it,
// what becomes another thread's, and that an interrupted instruction finds everything as it was.
#include "gort/preempt/async_frame.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/platforms/sigctx.h"
#include "gort/platforms/signal.h"
#include "gort/preempt/arch.h"

namespace gort::rt {
namespace {

// ---- a signal frame of the kernel's, to try things on ----

#if defined(__x86_64__)
constexpr int kTrapSkips = 0;  // int3 has been executed when SIGTRAP comes
#elif defined(__aarch64__)
constexpr int kTrapSkips = 4;  // brk has not
#else
#error "what does this test see on this CPU?"
#endif

void (*with_frame)(SigCtx& ctx) = nullptr;

void Handler(int, siginfo_t*, void* ucontext) {
  SigCtx ctx(ucontext);
  ctx.set_pc(ctx.pc() + kTrapSkips);
  with_frame(ctx);
}

GORT_NOINLINE void Trap() {
#if defined(__x86_64__)
  asm volatile("int3" ::: "memory");
#elif defined(__aarch64__)
  asm volatile("brk #0" ::: "memory");
#else
#error "what does this test see on this CPU?"
#endif
}

// Calls f with the frame of a signal of this thread, in the handler.
void WithFrame(void (*f)(SigCtx& ctx)) {
  with_frame = f;
  Trap();
}

// A stack to push to, filled with a pattern.
class FakeStack {
 public:
  FakeStack() : bytes_(64 << 10, kFill) {}
  uintptr_t lo() const { return reinterpret_cast<uintptr_t>(bytes_.data()); }
  uintptr_t hi() const { return AlignDown(lo() + bytes_.size(), 64) - 64; }
  // Nothing in [from, to) was written to.
  bool Untouched(uintptr_t from, uintptr_t to) const {
    for (uintptr_t at = from; at < to; ++at) {
      if (*reinterpret_cast<const unsigned char*>(at) != kFill) return false;
    }
    return true;
  }

 private:
  static constexpr unsigned char kFill = 0xa5;
  std::vector<unsigned char> bytes_;
};

class AsyncFrameTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (GORT_TSAN) GTEST_SKIP() << "handlers get another context here";
    stack_ = std::make_unique<char[]>(SigStackBytes());
    SigStackGet(&old_lo_, &old_bytes_);
    SigStackSet(stack_.get(), SigStackBytes());
    mask_ = SigCurrentMask();
    SigInstall(SIGTRAP, &Handler, nullptr);
  }
  void TearDown() override {
    if (stack_ == nullptr) return;
    SigStackSet(old_lo_, old_bytes_);
    SigRestore(mask_);
    SigSetDefault(SIGTRAP);
  }

 private:
  std::unique_ptr<char[]> stack_;
  void* old_lo_ = nullptr;
  size_t old_bytes_ = 0;
  SigSet mask_;
};

// ---- which frames are known ----

size_t BytesOf(ucontext_t* uc) { return AsyncFrameBytes(SigCtx(uc)); }

#if defined(__x86_64__)

// struct _fpx_sw_bytes of <asm/sigcontext.h>, in the last bytes of the FXSAVE area.
struct FpArea {
  char fxsave[464];
  uint32_t magic;
  uint32_t extended_bytes;
  char rest[40];
};
static_assert(sizeof(FpArea) == 512);

TEST(AsyncFrameForm, EachKindOfFrame) {
  struct Case {
    const char* what;
    bool fp;
    uint32_t magic;
    uint32_t extended_bytes;
    size_t fp_bytes;  // that the copy takes; 0: refused
  };
  const Case cases[] = {
      {"without a floating point area", false, 0, 0, 0},
      {"FXSAVE alone", true, 0, 9999, 512},
      {"XSAVE of AVX", true, 0x46505853, 836, 836},
      {"XSAVE of AVX-512", true, 0x46505853, 2700, 2700},
  };
  ucontext_t uc{};
  size_t fxsave = 0;
  for (const Case& c : cases) {
    FpArea fp{};
    fp.magic = c.magic;
    fp.extended_bytes = c.extended_bytes;
    uc.uc_mcontext.fpregs = c.fp ? reinterpret_cast<fpregset_t>(&fp) : nullptr;
    const size_t bytes = BytesOf(&uc);
    if (c.fp_bytes == 0) {
      EXPECT_EQ(bytes, 0u) << c.what;
      continue;
    }
    EXPECT_GE(bytes, arch::kRedZone + c.fp_bytes) << c.what;
    if (c.fp_bytes == 512) fxsave = bytes;
    EXPECT_EQ(bytes, fxsave - 512 + c.fp_bytes) << c.what;
  }
}

#elif defined(__aarch64__)

struct Record {
  uint32_t magic;
  uint32_t bytes;
};

// Writes records one behind the other; returns where the next would go.
char* Put(char* at, Record r) {
  memcpy(at, &r, sizeof r);
  return at + r.bytes;
}

TEST(AsyncFrameForm, EachKindOfFrame) {
  constexpr uint32_t kFpsimd = 0x46508001;
  constexpr uint32_t kFpsimdBytes = 528;
  constexpr uint32_t kExtra = 0x45585401;
  constexpr Record kEnd{0, 0};
  auto uc = std::make_unique<ucontext_t>();
  char* const reserved = reinterpret_cast<char*>(uc->uc_mcontext.__reserved);
  auto clear = [&] { memset(reserved, 0, sizeof uc->uc_mcontext.__reserved); };

  clear();
  const size_t plain = BytesOf(uc.get());
  EXPECT_GT(plain, 0u) << "no records at all";
  Put(Put(reserved, {kFpsimd, kFpsimdBytes}), kEnd);
  EXPECT_EQ(BytesOf(uc.get()), plain) << "FPSIMD";

  clear();
  Put(reserved, {kFpsimd, 4});
  EXPECT_EQ(BytesOf(uc.get()), 0u) << "a record shorter than its head";
  clear();
  Put(reserved, {kFpsimd, kFpsimdBytes + 8});
  EXPECT_EQ(BytesOf(uc.get()), 0u) << "a record of an odd size";
  clear();
  Put(reserved, {0, 16});
  EXPECT_EQ(BytesOf(uc.get()), 0u) << "a terminator with a size";
  clear();
  for (char* at = reserved; at < reserved + sizeof uc->uc_mcontext.__reserved;)
    at = Put(at, {kFpsimd, 16});
  EXPECT_EQ(BytesOf(uc.get()), 0u) << "no terminator";

  for (const bool in_place : {true, false}) {
    clear();
    char* const extra = Put(reserved, {kFpsimd, kFpsimdBytes});
    char* const end = Put(extra, {kExtra, 32});
    uint64_t data = reinterpret_cast<uintptr_t>(end) + 16 + (in_place ? 0 : 16);
    const uint32_t bytes = 1024;
    memcpy(extra + 8, &data, sizeof data);
    memcpy(extra + 16, &bytes, sizeof bytes);
    EXPECT_EQ(BytesOf(uc.get()), in_place ? plain + bytes : 0u)
        << "extra data " << (in_place ? "behind the terminator" : "elsewhere");
  }
}

#else
#error "what does this test see on this CPU?"
#endif

// ---- the copy ----

struct Pushed {
  uintptr_t sp;  // before
  size_t bytes;
  uintptr_t new_sp;
  uintptr_t new_pc;
  uintptr_t pc;  // before
  bool fp_same;
  bool fp_inside;
  bool registers_same;
  bool flags_kept;
  bool flags_cleared;
};
Pushed pushed;
FakeStack* fake = nullptr;

#if defined(__x86_64__)
constexpr greg_t kFlags = (1 << 10) | (1 << 18);  // direction, alignment check

void SetFlags(ucontext_t* uc) { uc->uc_mcontext.gregs[REG_EFL] |= kFlags; }
bool FlagsSet(const ucontext_t* uc) { return (uc->uc_mcontext.gregs[REG_EFL] & kFlags) == kFlags; }
bool FlagsClear(const ucontext_t* uc) { return (uc->uc_mcontext.gregs[REG_EFL] & kFlags) == 0; }
bool SameRegisters(const ucontext_t* a, const ucontext_t* b) {
  return memcmp(&a->uc_mcontext.gregs, &b->uc_mcontext.gregs, sizeof a->uc_mcontext.gregs) == 0;
}
const char* FpOf(const ucontext_t* uc) {
  return reinterpret_cast<const char*>(uc->uc_mcontext.fpregs);
}
size_t FpBytesOf(const ucontext_t* uc) {
  const auto* fp = reinterpret_cast<const FpArea*>(uc->uc_mcontext.fpregs);
  return fp->magic == 0x46505853 ? fp->extended_bytes : sizeof(FpArea);
}
#elif defined(__aarch64__)
constexpr uint64_t kFlags = 3 << 10;  // the branch type

void SetFlags(ucontext_t* uc) { uc->uc_mcontext.pstate |= kFlags; }
bool FlagsSet(const ucontext_t* uc) { return (uc->uc_mcontext.pstate & kFlags) == kFlags; }
bool FlagsClear(const ucontext_t* uc) { return (uc->uc_mcontext.pstate & kFlags) == 0; }
bool SameRegisters(const ucontext_t* a, const ucontext_t* b) {
  return memcmp(a->uc_mcontext.regs, b->uc_mcontext.regs, sizeof a->uc_mcontext.regs) == 0 &&
         a->uc_mcontext.sp == b->uc_mcontext.sp && a->uc_mcontext.pc == b->uc_mcontext.pc &&
         a->uc_mcontext.pstate == b->uc_mcontext.pstate;
}
const char* FpOf(const ucontext_t* uc) {
  return reinterpret_cast<const char*>(uc->uc_mcontext.__reserved);
}
size_t FpBytesOf(const ucontext_t*) { return 528; }  // the FPSIMD record is the first
#else
#error "what does this test see on this CPU?"
#endif

// Pushes the frame to the fake stack and looks at what is there; the thread itself goes on as if
// nothing had been.
void PushToFake(SigCtx& ctx) {
  alignas(16) static ucontext_t whole;
  const uintptr_t sp = ctx.sp();
  const uintptr_t pc = ctx.pc();
  SetFlags(ctx.raw());
  ctx.set_sp(fake->hi() - 8);  // not aligned, as in the middle of a function
  memcpy(static_cast<void*>(&whole), ctx.raw(),
         sizeof(mcontext_t) + offsetof(ucontext_t, uc_mcontext));
  pushed.sp = ctx.sp();
  pushed.pc = pc;
  pushed.bytes = AsyncFrameBytes(ctx);
  AsyncFramePush(ctx);
  pushed.new_sp = ctx.sp();
  pushed.new_pc = ctx.pc();
  auto* frame = reinterpret_cast<AsyncFrame*>(ctx.sp());
  const ucontext_t* copy = AsyncFrameContext(frame);
  ucontext_t expected;
  memcpy(static_cast<void*>(&expected), &whole, sizeof expected);
  pushed.registers_same = SameRegisters(copy, &expected);
  pushed.flags_kept = FlagsSet(copy);
  pushed.flags_cleared = FlagsClear(ctx.raw());
  const size_t fp_bytes = FpBytesOf(ctx.raw());
  pushed.fp_same = memcmp(FpOf(copy), FpOf(ctx.raw()), fp_bytes) == 0;
  const auto fp = reinterpret_cast<uintptr_t>(FpOf(copy));
  pushed.fp_inside = fp >= pushed.new_sp && fp + fp_bytes <= pushed.sp - arch::kRedZone;
  ctx.set_sp(sp);
  ctx.set_pc(pc);
}

TEST_F(AsyncFrameTest, TheCopyIsWholeAndBelowWhatIsInUse) {
  FakeStack stack;
  fake = &stack;
  WithFrame(&PushToFake);
  EXPECT_EQ(pushed.new_pc, reinterpret_cast<uintptr_t>(&gort_async_preempt));
  EXPECT_EQ(pushed.new_sp % 16, 0u);
  EXPECT_TRUE(pushed.registers_same);
  EXPECT_TRUE(pushed.fp_same);
  EXPECT_TRUE(pushed.fp_inside);
  // The copy has the interrupted flags, the function that waits has those of the ABI.
  EXPECT_TRUE(pushed.flags_kept);
  EXPECT_TRUE(pushed.flags_cleared);
  // AsyncFrameBytes is the truth, and the red zone is left alone.
  EXPECT_GE(pushed.new_sp, pushed.sp - pushed.bytes);
  EXPECT_TRUE(stack.Untouched(stack.lo(), pushed.sp - pushed.bytes));
  EXPECT_TRUE(stack.Untouched(pushed.sp - arch::kRedZone, stack.hi() + 64));
}

// ---- there and back ----

struct Middle {
  int calls = 0;
  SigSet mask;            // the resuming thread's, set in the middle
  void* stack = nullptr;  // the same
  bool set_thread = false;
  SigSet until_sigreturn;  // blocked from AsyncFrameRetarget on
};
Middle middle;

// Fills every register that a function may use with something else.
void Clobber() {
#if defined(__x86_64__)
  asm volatile(
      "xorl %%eax, %%eax\n\t xorl %%ecx, %%ecx\n\t xorl %%edx, %%edx\n\t xorl %%esi, %%esi\n\t"
      "xorl %%edi, %%edi\n\t xorl %%r8d, %%r8d\n\t xorl %%r9d, %%r9d\n\t xorl %%r10d, %%r10d\n\t"
      "xorl %%r11d, %%r11d\n\t pxor %%xmm0, %%xmm0\n\t pxor %%xmm15, %%xmm15\n\t fld1" ::
          : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm15", "st",
            "cc");
#elif defined(__aarch64__)
  asm volatile(
      "mov x0, xzr\n\t mov x1, xzr\n\t mov x9, xzr\n\t mov x16, xzr\n\t mov x17, xzr\n\t"
      "movi v0.16b, #0\n\t movi v31.16b, #0\n\t cmp x0, #1" ::
          : "x0", "x1", "x9", "x16", "x17", "v0", "v31", "cc");
#else
#error "what does this test see on this CPU?"
#endif
}

void InTheMiddle(AsyncFrame* frame) {
  ++middle.calls;
  if (middle.set_thread) {
    SigRestore(middle.mask);
    SigStackSet(middle.stack, middle.stack != nullptr ? SigStackBytes() : 0);
  }
  Clobber();
  AsyncFrameRetarget(frame);
  middle.until_sigreturn = SigCurrentMask();
}

// Loads registers, lies something into the red zone, is interrupted, and stores what is there then.
struct Registers {
  uint64_t general[4];
  uint64_t flags;
  uint64_t red[2];
  unsigned char vector[2][16];
};

GORT_NOINLINE void TrapWith(const Registers& in, Registers* out) {
#if defined(__x86_64__)
  asm volatile(
      "subq $256, %%rsp\n\t"
      "movq (%0), %%rax\n\t movq 8(%0), %%rcx\n\t movq 16(%0), %%r10\n\t movq 24(%0), %%r11\n\t"
      "movdqu 56(%0), %%xmm0\n\t movdqu 72(%0), %%xmm15\n\t"
      "pushq 40(%0)\n\t addq $8, %%rsp\n\t"  // -8(%rsp)
      "movq %%rax, -128(%%rsp)\n\t"
      "stc\n\t std\n\t"
      "int3\n\t"
      "movq %%rax, (%1)\n\t movq %%rcx, 8(%1)\n\t movq %%r10, 16(%1)\n\t movq %%r11, 24(%1)\n\t"
      "movdqu %%xmm0, 56(%1)\n\t movdqu %%xmm15, 72(%1)\n\t"
      "movq -8(%%rsp), %%rax\n\t movq %%rax, 40(%1)\n\t"
      "movq -128(%%rsp), %%rax\n\t movq %%rax, 48(%1)\n\t"
      "pushfq\n\t popq 32(%1)\n\t cld\n\t"
      "addq $256, %%rsp" ::"r"(&in),
      "r"(out)
      : "rax", "rcx", "r10", "r11", "xmm0", "xmm15", "cc", "memory");
#elif defined(__aarch64__)
  asm volatile(
      "ldr x9, [%0]\n\t ldr x10, [%0, #8]\n\t ldr x16, [%0, #16]\n\t ldr x17, [%0, #24]\n\t"
      "add x11, %0, #56\n\t ldr q0, [x11]\n\t ldr q31, [x11, #16]\n\t"
      "cmp xzr, xzr\n\t"
      "brk #0\n\t"
      "str x9, [%1]\n\t str x10, [%1, #8]\n\t str x16, [%1, #16]\n\t str x17, [%1, #24]\n\t"
      "mrs x9, nzcv\n\t str x9, [%1, #32]\n\t"
      "add x11, %1, #56\n\t str q0, [x11]\n\t str q31, [x11, #16]" ::"r"(&in),
      "r"(out)
      : "x9", "x10", "x11", "x16", "x17", "v0", "v31", "cc", "memory");
#else
#error "what does this test see on this CPU?"
#endif
}

void Push(SigCtx& ctx) { AsyncFramePush(ctx); }

TEST_F(AsyncFrameTest, TheInterruptedInstructionFindsEverything) {
  middle = Middle();
  Registers in{{0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444},
               0,
               {0x5555, 0},
               {}};
  memset(in.vector, 0x77, sizeof in.vector);
  Registers out{};
  with_frame = &Push;
  TrapWith(in, &out);
  EXPECT_EQ(middle.calls, 1);
  EXPECT_EQ(memcmp(in.general, out.general, sizeof in.general), 0);
  EXPECT_EQ(memcmp(in.vector, out.vector, sizeof in.vector), 0);
#if defined(__x86_64__)
  EXPECT_EQ(out.red[0], in.red[0]);
  EXPECT_EQ(out.red[1], in.general[0]);
  EXPECT_EQ(out.flags & 0x401, 0x401u);  // carry and direction
#elif defined(__aarch64__)
  EXPECT_EQ(out.flags >> 28, 0x6u);  // zero and carry
#else
#error "what does this test see on this CPU?"
#endif
}

// What belongs to the thread is the resuming thread's: as if the goroutine had moved, but on one
// thread.
TEST_F(AsyncFrameTest, MaskAndSignalStackAreTheResumingThreads) {
  for (const bool with_stack : {true, false}) {
    middle = Middle();
    auto other = std::make_unique<char[]>(SigStackBytes());
    void* before;
    size_t before_bytes;
    SigStackGet(&before, &before_bytes);
    middle.set_thread = true;
    middle.stack = with_stack ? other.get() : nullptr;
    middle.mask = SigCurrentMask();
    sigaddset(&middle.mask, SIGUSR2);
    ASSERT_EQ(sigismember(&middle.mask, SIGUSR2), 1);
    WithFrame(&Push);
    ASSERT_EQ(middle.calls, 1);
    // Interrupted in between, a goroutine could go on on a third thread, with this thread's stack in the frame.
    EXPECT_EQ(sigismember(&middle.until_sigreturn, SIGURG), 1);
    const SigSet now = SigCurrentMask();
    EXPECT_EQ(sigismember(&now, SIGUSR2), 1);
    void* lo;
    size_t bytes;
    SigStackGet(&lo, &bytes);
    EXPECT_EQ(lo, middle.stack);
    SigStackSet(before, before_bytes);
    sigset_t usr2;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    pthread_sigmask(SIG_UNBLOCK, &usr2, nullptr);
  }
}

}  // namespace
}  // namespace gort::rt

// In the place of preempt.cc's: what a pre-empted goroutine does before it goes on.
extern "C" void gort_async_preempt2(gort::rt::AsyncFrame* frame);
extern "C" void gort_async_preempt2(gort::rt::AsyncFrame* frame) { gort::rt::InTheMiddle(frame); }
