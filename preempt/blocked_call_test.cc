// Which interrupted contexts are a blocking system call, and what becomes of them. The table has a
// row for each way to be one, and for each way to miss it by one condition; below it the same with
// real calls and real signals.
#include "gort/preempt/blocked_call.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/sigctx.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"

namespace gort::rt {
namespace {

// What differs between the CPUs: the code around a call, and which register is which.
#if defined(__x86_64__)
using Code = std::vector<unsigned char>;
constexpr size_t kInsnBytes = 2;
constexpr bool kEndedCallsKnowTheirNumber = true;

Code Syscall() { return {0x0f, 0x05}; }
Code NotASyscall() { return {0x90, 0x90}; }
// mov $number, %eax; syscall
Code NumberedSyscall(uint32_t number) {
  Code code = {0xb8, 0, 0, 0, 0, 0x0f, 0x05};
  memcpy(&code[1], &number, sizeof number);
  return code;
}
// Something else was loaded last: mov $number, %edi; syscall
Code UnnumberedSyscall(uint32_t number) {
  Code code = NumberedSyscall(number);
  code[0] = 0xbf;
  return code;
}

uint64_t Number(const ucontext_t& uc) {
  return static_cast<uint64_t>(uc.uc_mcontext.gregs[REG_RAX]);
}
void SetNumber(ucontext_t* uc, long v) { uc->uc_mcontext.gregs[REG_RAX] = v; }
void SetResult(ucontext_t* uc, long v) { uc->uc_mcontext.gregs[REG_RAX] = v; }
#elif defined(__aarch64__)
using Code = std::vector<unsigned char>;
constexpr size_t kInsnBytes = 4;
constexpr bool kEndedCallsKnowTheirNumber = false;

Code Syscall() { return {0x01, 0x00, 0x00, 0xd4}; }
Code NotASyscall() { return {0x1f, 0x20, 0x03, 0xd5}; }

void SetNumber(ucontext_t* uc, long v) { uc->uc_mcontext.regs[8] = static_cast<uint64_t>(v); }
int64_t Result(const ucontext_t& uc) { return static_cast<int64_t>(uc.uc_mcontext.regs[0]); }
void SetResult(ucontext_t* uc, long v) { uc->uc_mcontext.regs[0] = static_cast<uint64_t>(v); }
void SetArg(ucontext_t* uc, int i, uint64_t v) { uc->uc_mcontext.regs[i] = v; }
#else
#error "what does this test see on this CPU?"
#endif

using State = BlockedCall::State;

uintptr_t Address(const void* p) { return reinterpret_cast<uintptr_t>(p); }
uintptr_t At(const Code& code, size_t offset) {
  return reinterpret_cast<uintptr_t>(code.data()) + offset;
}

// ---- the instruction to come is a system call ----

TEST(BlockedCall, AboutToMakeOne) {
  const Code code = Syscall();
  for (const long call : {SYS_read, SYS_futex, SYS_getpid, SYS_close, SYS_rt_sigsuspend}) {
    ucontext_t uc{};
    SigCtx ctx(&uc);
    ctx.set_pc(At(code, 0));
    SetNumber(&uc, call);
    EXPECT_EQ(BlockedCallOf(ctx).state, State::kNext) << call;
  }
}

TEST(BlockedCall, AnotherInstructionIsNone) {
  const Code code = NotASyscall();
  Code before = NotASyscall();
  before.insert(before.end(), code.begin(), code.end());
  ucontext_t uc{};
  SigCtx ctx(&uc);
  ctx.set_pc(At(before, kInsnBytes));
  SetNumber(&uc, SYS_read);
  EXPECT_EQ(BlockedCallOf(ctx).state, State::kNone);
  SetResult(&uc, -EINTR);
  EXPECT_EQ(BlockedCallOf(ctx).state, State::kNone);
}

// With memory protection keys, or on arm64, code may be mapped so that it can be executed and not
// read. (Here it can be neither; the handler sees the same.)
TEST(BlockedCall, CodeThatCannotBeReadIsNone) {
  void* page = MemReserve(PageSize(), PageSize());
  ASSERT_NE(page, nullptr);
  if (!MemUnreadable(page)) GTEST_SKIP() << "the system does not tell";
  for (const long result : {long{SYS_read}, long{-EINTR}}) {
    ucontext_t uc{};
    SigCtx ctx(&uc);
    ctx.set_pc(Address(page) + PageSize() / 2);
    SetNumber(&uc, result);
    EXPECT_EQ(BlockedCallOf(ctx).state, State::kNone);
  }
  MemUnmap(page, PageSize());
}

// ---- a system call was ended by the signal ----

#if defined(__x86_64__)

TEST(BlockedCall, EndedByASignal) {
  struct Case {
    const char* what;
    Code code;
    long result;
    long number;  // -1: not recognised
  };
  const Case cases[] = {
      {"poll", NumberedSyscall(SYS_poll), -EINTR, SYS_poll},
      {"a sleep", NumberedSyscall(SYS_clock_nanosleep), -EINTR, SYS_clock_nanosleep},
      {"semop", NumberedSyscall(SYS_semop), -EINTR, SYS_semop},
      {"a call that has had its effect", NumberedSyscall(SYS_close), -EINTR, -1},
      {"a call that waits for signals", NumberedSyscall(SYS_rt_sigsuspend), -EINTR, -1},
      {"a call that the kernel makes again by itself", NumberedSyscall(SYS_wait4), -EINTR, -1},
      {"success", NumberedSyscall(SYS_poll), 1, -1},
      {"nothing ready", NumberedSyscall(SYS_poll), 0, -1},
      {"another error", NumberedSyscall(SYS_poll), -EAGAIN, -1},
      {"an argument is loaded behind the number",
       {0xb8, 70, 0, 0, 0, 0x8b, 0x7c, 0x24, 0x08, 0x0f, 0x05},  // mov 8(%rsp), %edi
       -EINTR,
       SYS_msgrcv},
      {"likewise, of 8 bytes",
       {0xb8, 70, 0, 0, 0, 0x4c, 0x8b, 0x44, 0x24, 0x08, 0x0f, 0x05},  // mov 8(%rsp), %r8
       -EINTR,
       SYS_msgrcv},
      {"rax is loaded behind the number",
       {0xb8, 70, 0, 0, 0, 0x8b, 0x44, 0x24, 0x08, 0x0f, 0x05},  // mov 8(%rsp), %eax
       -EINTR,
       -1},
      {"the number is in a register",
       {0x44, 0x89, 0xf8, 0x0f, 0x05},  // mov %r15d, %eax
       -EINTR,
       SYS_io_uring_enter},
      {"likewise, in one of the lower half",
       {0x90, 0x89, 0xe8, 0x0f, 0x05},  // mov %ebp, %eax
       -EINTR,
       SYS_semop},
      {"the register holds what is no number",
       {0x90, 0x89, 0xd8, 0x0f, 0x05},  // mov %ebx, %eax
       -EINTR,
       -1},
      {"the register is one that the call has overwritten",
       {0x90, 0x89, 0xc8, 0x0f, 0x05},  // mov %ecx, %eax
       -EINTR,
       -1},
      {"the number is zeroed",
       {0x90, 0x31, 0xc0, 0x0f, 0x05},  // xor %eax, %eax
       -EINTR,
       SYS_read},
      {"another register is zeroed",
       {0x45, 0x31, 0xc0, 0x0f, 0x05},  // xor %r8d, %r8d
       -EINTR,
       -1},
      {"the number is not in the code", UnnumberedSyscall(SYS_poll), -EINTR, -1},
  };
  for (const Case& c : cases) {
    Code code(16, 0x90);  // what lies before a page's first bytes is not looked at
    code.insert(code.end(), c.code.begin(), c.code.end());
    const size_t end = code.size();
    code.insert(code.end(), {0x90, 0x90});  // pc is behind the call
    ucontext_t uc{};
    SigCtx ctx(&uc);
    ctx.set_pc(At(code, end));
    SetResult(&uc, c.result);
    uc.uc_mcontext.gregs[REG_R15] = SYS_io_uring_enter;
    uc.uc_mcontext.gregs[REG_RBP] = SYS_semop;
    uc.uc_mcontext.gregs[REG_RBX] = 1'000'000;
    uc.uc_mcontext.gregs[REG_RCX] = SYS_semop;
    const BlockedCall call = BlockedCallOf(ctx);
    ASSERT_EQ(call.state, c.number >= 0 ? State::kEnded : State::kNone) << c.what;
    if (c.number < 0) continue;
    BlockedCallRewind(ctx, call);
    EXPECT_EQ(ctx.pc(), At(code, end - kInsnBytes)) << c.what;
    EXPECT_EQ(Number(uc), static_cast<uint64_t>(c.number)) << c.what;
    EXPECT_EQ(BlockedCallOf(ctx).state, State::kNext) << c.what;
  }
}

// A context behind `call` of Numbered code, with result, and rsp inside a stack of its own.
struct Behind {
  Behind(uint32_t call, long result) : code(16, 0x90) {
    const Code numbered = NumberedSyscall(call);
    code.insert(code.end(), numbered.begin(), numbered.end());
    code.insert(code.end(), {0x90, 0x90});
    end = At(code, code.size() - 2);
    ctx.set_pc(end);
    ctx.set_sp(Address(stack + 1000));
    SetResult(&uc, result);
    Reg(REG_RCX) = static_cast<greg_t>(end);
    Reg(REG_RDI) = -1;
    Reg(REG_RSI) = 1000;
    Reg(REG_RDX) = 10;
  }
  greg_t& Reg(int i) { return uc.uc_mcontext.gregs[i]; }

  Code code;
  uintptr_t end = 0;
  uint64_t stack[1001] = {};
  ucontext_t uc{};
  SigCtx ctx{&uc};
};

TEST(BlockedCall, CutShortByASignal) {
  struct Case {
    const char* what;
    uint32_t call;
    long result;
    long flags;
    uint64_t moved;  // 0: not recognised
  };
  const Case cases[] = {
      {"write", SYS_write, 4, 0, 4},
      {"all is written", SYS_write, 10, 0, 0},
      {"send", SYS_sendto, 9, 0, 9},
      {"recv of all", SYS_recvfrom, 3, MSG_WAITALL, 3},
      {"recv of what there is", SYS_recvfrom, 3, 0, 0},
      {"a look at what there is", SYS_recvfrom, 3, MSG_WAITALL | MSG_PEEK, 0},
      {"read of what is no device", SYS_read, 3, 0, 0},
      {"a call that moves no bytes", SYS_poll, 3, 0, 0},
  };
  for (const Case& c : cases) {
    Behind b(c.call, c.result);
    b.Reg(REG_R10) = c.flags;
    const BlockedCall call = BlockedCallOf(b.ctx);
    EXPECT_EQ(call.state, c.moved != 0 ? State::kEnded : State::kNone) << c.what;
    EXPECT_EQ(call.moved, c.moved) << c.what;
  }
  // Reached by a jump: what the kernel leaves in rcx is not there.
  Behind b(SYS_write, 4);
  b.Reg(REG_RCX) = 0;
  EXPECT_EQ(BlockedCallOf(b.ctx).state, State::kNone);
}

TEST(BlockedCall, TheRestIsMadeAndMayBeCutShortAgain) {
  Behind b(SYS_write, 4);
  BlockedCallRewind(b.ctx, BlockedCallOf(b.ctx));
  const uintptr_t below = b.ctx.sp();
  EXPECT_LE(below, Address(b.stack + 1000) - 128) << "in the red zone";
  EXPECT_EQ(b.ctx.pc(), Address(&gort_rest_of_call_end) - kInsnBytes);
  EXPECT_EQ(BlockedCallOf(b.ctx).state, State::kNext);
  EXPECT_EQ(b.Reg(REG_RSI), 1004);
  EXPECT_EQ(b.Reg(REG_RDX), 6);
  for (const long result : {long{-EINTR}, 5L}) {
    b.ctx.set_pc(Address(&gort_rest_of_call_end));
    b.Reg(REG_RCX) = static_cast<greg_t>(b.ctx.pc());
    SetResult(&b.uc, result);
    BlockedCallRewind(b.ctx, BlockedCallOf(b.ctx));
    EXPECT_EQ(b.ctx.sp(), below);
    EXPECT_EQ(Number(b.uc), uint64_t{SYS_write});
  }
  EXPECT_EQ(b.Reg(REG_RSI), 1009);
  EXPECT_EQ(b.Reg(REG_RDX), 1);
}

TEST(BlockedCall, PiecesThatAreLeft) {
  char bytes[30];
  iovec pieces[] = {{bytes, 5}, {bytes + 5, 0}, {bytes + 5, 5}, {bytes + 10, 20}};
  Behind b(SYS_writev, 7);
  b.Reg(REG_RSI) = static_cast<greg_t>(Address(pieces));
  b.Reg(REG_RDX) = 4;
  const auto left = [&b] { return reinterpret_cast<const iovec*>(b.Reg(REG_RSI)); };
  BlockedCallRewind(b.ctx, BlockedCallOf(b.ctx));
  EXPECT_EQ(b.Reg(REG_RDX), 2);
  EXPECT_EQ(left()[0].iov_base, bytes + 7);
  EXPECT_EQ(left()[0].iov_len, 3u);
  EXPECT_EQ(left()[1].iov_len, 20u);
  // And again, in the middle of the second of these.
  b.ctx.set_pc(Address(&gort_rest_of_call_end));
  b.Reg(REG_RCX) = static_cast<greg_t>(b.ctx.pc());
  SetResult(&b.uc, 4);
  BlockedCallRewind(b.ctx, BlockedCallOf(b.ctx));
  EXPECT_EQ(b.Reg(REG_RDX), 1);
  EXPECT_EQ(left()[0].iov_base, bytes + 11);
  EXPECT_EQ(left()[0].iov_len, 19u);
  EXPECT_EQ(pieces[2].iov_len, 5u) << "the program's own have changed";
}

#elif defined(__aarch64__)

TEST(BlockedCall, EndedByASignal) {
  struct Case {
    const char* what;
    long number;  // x8
    long result;  // x0
    uint64_t x1;  // clock_nanosleep's flags
    bool known;
  };
  const Case cases[] = {
      {"a sleep for a time", SYS_clock_nanosleep, -EINTR, 0, true},
      {"a sleep until a time", SYS_clock_nanosleep, -EINTR, TIMER_ABSTIME, false},
      {"a sleep that is over", SYS_clock_nanosleep, 0, 0, false},
      {"a sleep that failed", SYS_clock_nanosleep, -EINVAL, 0, false},
      {"a call whose first argument is gone", SYS_ppoll, -EINTR, 0, false},
  };
  for (const Case& c : cases) {
    Code code = Syscall();
    const Code next = NotASyscall();
    code.insert(code.end(), next.begin(), next.end());
    ucontext_t uc{};
    SigCtx ctx(&uc);
    ctx.set_pc(At(code, kInsnBytes));
    SetNumber(&uc, c.number);
    SetResult(&uc, c.result);
    SetArg(&uc, 1, c.x1);
    const BlockedCall call = BlockedCallOf(ctx);
    ASSERT_EQ(call.state, c.known ? State::kEnded : State::kNone) << c.what;
    if (!c.known) continue;
    BlockedCallRewind(ctx, call);
    EXPECT_EQ(ctx.pc(), At(code, 0)) << c.what;
    EXPECT_EQ(Result(uc), CLOCK_MONOTONIC) << c.what;  // x0 is the first argument again
    EXPECT_EQ(BlockedCallOf(ctx).state, State::kNext) << c.what;
  }
}

#else
#error "what does this test see on this CPU?"
#endif

// ---- real calls ----

std::atomic<bool> rewinds{true};
std::atomic<int> signals{0};
std::atomic<int> recognised{0};

void Handler(int, siginfo_t*, void* ucontext) {
  SigCtx ctx(ucontext);
  const BlockedCall call = rewinds ? BlockedCallOf(ctx) : BlockedCall{};
  if (call.state == State::kEnded) BlockedCallRewind(ctx, call);
  if (call.state != State::kNone) recognised.fetch_add(1);
  signals.fetch_add(1);
}

// A call in a thread of its own, which gets signals.
class InThread {
 public:
  explicit InThread(std::function<int()> call)
      : thread_([this, call = std::move(call)] {
          tid_ = ThreadId();
          result_ = call();
          done_ = true;
        }) {
    rewinds = true;
    recognised = 0;
    while (tid_ == 0) ThreadYield();
  }
  // Sends signals until n of them have found the thread in its call. False: the call has ended.
  bool Interrupt(int n) {
    while (recognised < n && !done_) {
      const int before = signals;
      ThreadKill(tid_, SIGUSR1);
      while (signals == before && !done_) ThreadYield();
    }
    return !done_;
  }
  // What the call returns.
  int Join() {
    thread_.join();
    return result_;
  }

 private:
  std::atomic<int> tid_{0};
  std::atomic<bool> done_{false};
  int result_ = -1;
  std::thread thread_;
};

TEST(BlockedCall, RealOnesGoOnAsIfNothingHadHappened) {
  if (GORT_TSAN) GTEST_SKIP() << "signals come late here, and with another context";
  SigInstall(SIGUSR1, &Handler, nullptr);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  {  // the kernel prepares it to be made again
    char c = 0;
    InThread call([&] { return static_cast<int>(read(fds[0], &c, 1)); });
    EXPECT_TRUE(call.Interrupt(2));
    ASSERT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(call.Join(), 1);
    EXPECT_EQ(c, 'x');
  }
  {  // the kernel ends it
    InThread call([&] {
      pollfd p{fds[0], POLLIN, 0};
      return poll(&p, 1, -1) >= 0 ? 1 : -errno;
    });
    EXPECT_EQ(call.Interrupt(2), kEndedCallsKnowTheirNumber);
    ASSERT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(call.Join(), kEndedCallsKnowTheirNumber ? 1 : -EINTR);
  }
  if (kEndedCallsKnowTheirNumber) {  // cut short, several times
    std::vector<char> out(1 << 20);
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i * i >> 8);
    std::vector<char> in(out.size());
    char c;
    ASSERT_EQ(read(fds[0], &c, 1), 1);
    InThread call([&] { return static_cast<int>(write(fds[1], out.data(), out.size())); });
    size_t got = 0;
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(call.Interrupt(i + 1));
      got += static_cast<size_t>(read(fds[0], &in[got], 65536));
    }
    while (got < in.size()) got += static_cast<size_t>(read(fds[0], &in[got], in.size() - got));
    EXPECT_EQ(call.Join(), 1 << 20);
    EXPECT_EQ(in, out);
    ASSERT_EQ(write(fds[1], "x", 1), 1);
  }
  {  // of syscall(2): kept on every CPU
    char c;
    ASSERT_EQ(read(fds[0], &c, 1), 1);
    InThread call([&] {
      pollfd p{fds[0], POLLIN, 0};
      return static_cast<int>(
          gort_repeatable_call(SYS_ppoll, static_cast<long>(Address(&p)), 1, 0, 0, 8, 0));
    });
    EXPECT_TRUE(call.Interrupt(2));
    ASSERT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(call.Join(), 1);
  }
  {  // a sleep, known on every CPU; the last signal is let through, to end it
    InThread call([] {
      const timespec ts{3600, 0};
      return nanosleep(&ts, nullptr) == 0 ? 1 : -errno;
    });
    EXPECT_TRUE(call.Interrupt(2));
    rewinds = false;
    EXPECT_FALSE(call.Interrupt(3));
    EXPECT_EQ(call.Join(), -EINTR);
  }
  close(fds[0]);
  close(fds[1]);
  SigSetDefault(SIGUSR1);
}

}  // namespace
}  // namespace gort::rt
