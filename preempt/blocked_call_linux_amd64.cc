// preempt/blocked_call_linux_amd64.cc: system calls in the registers of x86-64.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gort/base/attributes.h"
#include "gort/platforms/mem.h"
#include "gort/preempt/blocked_call.h"

namespace gort::rt {
namespace {

constexpr size_t kInsnBytes = 2;         // syscall: 0f 05
constexpr unsigned char kMovEax = 0xb8;  // mov $number, %eax
constexpr size_t kMovBytes = 5;
constexpr size_t kLongestLoad = 5;
constexpr uintptr_t kPageBytes = 4096;
// The kernel's numbers are small; what else a register holds is hardly so.
constexpr uint64_t kMostNumbers = 1000;

// Reads the second byte only behind the first: an instruction of one byte may end the mapping.
bool IsSyscall(uintptr_t pc) {
  const auto* code = reinterpret_cast<const unsigned char*>(pc);
  return code[0] == 0x0f && code[1] == 0x05;
}

greg_t& Reg(ucontext_t* uc, int i) { return uc->uc_mcontext.gregs[i]; }

// Whether the thread is about to make a call. Code that may be executed and not read makes none that
// is seen.
bool AtCall(const SigCtx& ctx) {
  const uint64_t number = static_cast<uint64_t>(Reg(ctx.raw(), REG_RAX));
  return number < kMostNumbers && !MemUnreadable(reinterpret_cast<const void*>(ctx.pc())) &&
         IsSyscall(ctx.pc());
}

// Whether the n bytes before `end` are one instruction that loads a register other than rax from the
// stack, or nothing. A compiler may put one between the number and the call.
bool IsLoad(const unsigned char* end, size_t n) {
  if (n == 0) return true;
  const unsigned char* at = end - n;
  bool upper = false;  // r8 to r15
  if ((*at & 0xf0) == 0x40) {
    upper = (*at & 0x04) != 0;
    ++at;
  }
  // mov disp8(%rsp), reg or mov (%rsp), reg
  const bool disp8 = end - at == 4 && (at[1] & 0xc7) == 0x44;
  const bool no_disp = end - at == 3 && (at[1] & 0xc7) == 0x04;
  return (disp8 || no_disp) && at[0] == 0x8b && at[2] == 0x24 && (upper || (at[1] & 0x38) != 0);
}

// The register from which the instruction before `end`, mov %reg, %eax, copies the number; -1: none,
// or one that the call has overwritten. Compilers keep a number there over a loop.
int NumberRegister(const unsigned char* end) {
  static constexpr int kRegisters[] = {-1,      -1,      REG_RDX, REG_RBX, -1,      REG_RBP,
                                       REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, -1,
                                       REG_R12, REG_R13, REG_R14, REG_R15};
  constexpr unsigned char kMovToRm = 0x89;
  if (end[-2] != kMovToRm || (end[-1] & 0xc7) != 0xc0) return -1;
  const bool upper = end[-3] == 0x44;  // r8 to r15
  return kRegisters[((end[-1] >> 3) & 7) + (upper ? 8 : 0)];
}

// Whether the instruction before `end` is xor %eax, %eax, behind none that ends like a prefix of it:
// with 0x45 it zeroes r8.
bool ZeroesEax(const unsigned char* end) {
  return end[-2] == 0x31 && end[-1] == 0xc0 && (end[-3] & 0xf0) != 0x40;
}

// The number in an instruction before the call that pc is behind, or in the register that it names; -1:
// no call, or not known.
int64_t NumberInCode(const SigCtx& ctx) {
  const uintptr_t pc = ctx.pc();
  // What lies before the first instruction of a page may be no memory.
  if (pc % kPageBytes < kInsnBytes + kLongestLoad + kMovBytes) return -1;
  if (MemUnreadable(reinterpret_cast<const void*>(pc))) return -1;
  if (!IsSyscall(pc - kInsnBytes)) return -1;
  const auto* end = reinterpret_cast<const unsigned char*>(pc - kInsnBytes);
  for (size_t n = 0; n <= kLongestLoad; ++n) {
    if (!IsLoad(end, n)) continue;
    if (ZeroesEax(end - n)) return 0;
    const unsigned char* mov = end - n - kMovBytes;
    if (*mov != kMovEax) continue;
    uint32_t number;
    memcpy(&number, mov + 1, sizeof number);
    return number;
  }
  const int from = NumberRegister(end);
  if (from < 0) return -1;
  const auto number = static_cast<uint64_t>(Reg(ctx.raw(), from));
  return number < kMostNumbers ? static_cast<int64_t>(number) : -1;
}

// A call with more pieces left than these stays cut short.
constexpr size_t kMostPieces = 16;

// What gort_rest_of_call finds at rsp: repeatable_call_linux_amd64.S knows the offsets. Below the red
// zone of the code that made the call.
struct RestFrame {
  uint64_t done;                // bytes moved before
  uint64_t rdi, rsi, rdx, r10;  // the call's arguments as they were
  uint64_t number;
  uint64_t pc;  // behind the call
  uint64_t unused;
  // Of a call with pieces: those that are left.
  iovec pieces[kMostPieces];
  msghdr message;
  uint64_t unused_too;
};
constexpr size_t kRedZone = 128;
static_assert(sizeof(RestFrame) + kRedZone == 512);

bool InRest(const SigCtx& ctx) {
  return ctx.pc() == reinterpret_cast<uintptr_t>(&gort_rest_of_call_end);
}
RestFrame* RestFrameAt(uintptr_t sp) { return reinterpret_cast<RestFrame*>(sp); }

// The number of the call that has just returned; -1: none, or not known.
GORT_NO_ASAN int64_t Returned(const SigCtx& ctx) {
  if (ctx.pc() == reinterpret_cast<uintptr_t>(&gort_repeatable_call_end)) {
    return Reg(ctx.raw(), REG_RBX);
  }
  if (InRest(ctx)) return static_cast<int64_t>(RestFrameAt(ctx.sp())->number);
  return NumberInCode(ctx);
}

// Where a call's buffer and its size are: in registers, or in pieces.
struct Moved {
  enum class How { kNot, kBuffer, kPieces, kMessage };
  How how = How::kNot;
  int buffer = -1;  // its register, -1: none
  int size = -1;    // likewise: of its bytes, or the number of pieces
};

// Whether fd is one of the devices that never wait: zero, full, random, urandom.
bool NeverWaits(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0 || !S_ISCHR(st.st_mode) || major(st.st_rdev) != 1) return false;
  const unsigned device = minor(st.st_rdev);
  return device == 5 || (device >= 7 && device <= 9);
}

// Whether a call to receive returns only when it has all.
bool WaitsForAll(greg_t flags) { return (flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL; }

// Of a call that would have gone on until all was moved, if no signal had come.
Moved MovesAll(int64_t number, ucontext_t* uc) {
  constexpr Moved kBuffer = {Moved::How::kBuffer, REG_RSI, REG_RDX};
  constexpr Moved kMessage = {Moved::How::kMessage, REG_RSI, -1};
  switch (number) {
    case SYS_write:
    case SYS_sendto:
      return kBuffer;
    case SYS_recvfrom:
      return WaitsForAll(Reg(uc, REG_R10)) ? kBuffer : Moved{};
    case SYS_read:
      return NeverWaits(static_cast<int>(Reg(uc, REG_RDI))) ? kBuffer : Moved{};
    case SYS_getrandom:
      return {Moved::How::kBuffer, REG_RDI, REG_RSI};
    case SYS_sendfile:  // it has advanced the offset
      return {Moved::How::kBuffer, -1, REG_R10};
    case SYS_writev:
      return {Moved::How::kPieces, REG_RSI, REG_RDX};
    case SYS_sendmsg:
      return kMessage;
    case SYS_recvmsg:
      return WaitsForAll(Reg(uc, REG_RDX)) ? kMessage : Moved{};
    default:
      return {};
  }
}

struct Pieces {
  const iovec* first = nullptr;
  size_t count = 0;
};

GORT_NO_ASAN Pieces PiecesOf(const Moved& moved, ucontext_t* uc) {
  const greg_t at = Reg(uc, moved.buffer);
  if (moved.how == Moved::How::kPieces) {
    return {reinterpret_cast<const iovec*>(at), static_cast<size_t>(Reg(uc, moved.size))};
  }
  const auto* message = reinterpret_cast<const msghdr*>(at);
  return {message->msg_iov, message->msg_iovlen};
}

// How many pieces are left when n bytes have been moved.
GORT_NO_ASAN size_t PiecesLeft(Pieces p, uint64_t n) {
  while (p.count != 0 && n >= p.first->iov_len) {
    n -= p.first->iov_len;
    ++p.first;
    --p.count;
  }
  return p.count;
}

// The pieces that are left, in `to`, where they may have been before.
GORT_NO_ASAN void CutPieces(Pieces p, uint64_t n, iovec* to) {
  const size_t left = PiecesLeft(p, n);
  const iovec* from = p.first + (p.count - left);
  for (const iovec* moved = p.first; moved != from; ++moved) n -= moved->iov_len;
  for (size_t i = 0; i < left; ++i, n = 0) {
    to[i] = {static_cast<char*>(from[i].iov_base) + n, from[i].iov_len - n};
  }
}

bool SomeIsLeft(const Moved& moved, ucontext_t* uc, greg_t done) {
  if (moved.how == Moved::How::kNot) return false;
  if (moved.how == Moved::How::kBuffer) return done < Reg(uc, moved.size);
  const size_t left = PiecesLeft(PiecesOf(moved, uc), static_cast<uint64_t>(done));
  return left != 0 && left <= kMostPieces;
}

// What registers alone tell, at any instruction of the program's: the kernel leaves pc in rcx, so where it is
// not there another path than a call has led here.
bool MayBeCutShort(const SigCtx& ctx, greg_t result) {
  return result > 0 && Reg(ctx.raw(), REG_RCX) == static_cast<greg_t>(ctx.pc());
}

// Whether a call that may have been cut short has returned result, part of what it was to move.
bool CutShort(const SigCtx& ctx, int64_t number, greg_t result) {
  ucontext_t* uc = ctx.raw();
  return SomeIsLeft(MovesAll(number, uc), uc, result) &&
         !MemUnreadable(reinterpret_cast<const void*>(ctx.sp() - kRedZone - sizeof(RestFrame)));
}

// The frame for the rest of the call: a new one, if this is the first time.
GORT_NO_ASAN RestFrame* RestFrameOf(SigCtx& ctx, uint64_t number) {
  if (InRest(ctx)) return RestFrameAt(ctx.sp());
  ucontext_t* uc = ctx.raw();
  RestFrame* f = RestFrameAt(ctx.sp() - kRedZone - sizeof(RestFrame));
  f->done = 0;
  f->rdi = static_cast<uint64_t>(Reg(uc, REG_RDI));
  f->rsi = static_cast<uint64_t>(Reg(uc, REG_RSI));
  f->rdx = static_cast<uint64_t>(Reg(uc, REG_RDX));
  f->r10 = static_cast<uint64_t>(Reg(uc, REG_R10));
  f->number = number;
  f->pc = ctx.pc();
  Reg(uc, REG_RSP) = static_cast<greg_t>(reinterpret_cast<uintptr_t>(f));
  ctx.set_pc(reinterpret_cast<uintptr_t>(&gort_rest_of_call_end));
  return f;
}

// What was sent with the first bytes is not sent again.
GORT_NO_ASAN void CutMessage(const msghdr& message, size_t left, RestFrame* f) {
  f->message = message;
  f->message.msg_iov = f->pieces;
  f->message.msg_iovlen = left;
  f->message.msg_control = nullptr;
  f->message.msg_controllen = 0;
}

// Takes the registers to the call for what is left when n bytes have been moved.
GORT_NO_ASAN void Advance(const Moved& moved, ucontext_t* uc, uint64_t n, RestFrame* f) {
  if (moved.how == Moved::How::kBuffer) {
    if (moved.buffer >= 0) Reg(uc, moved.buffer) += static_cast<greg_t>(n);
    Reg(uc, moved.size) -= static_cast<greg_t>(n);
    return;
  }
  const Pieces pieces = PiecesOf(moved, uc);
  const size_t left = PiecesLeft(pieces, n);
  CutPieces(pieces, n, f->pieces);
  greg_t& at = Reg(uc, moved.buffer);
  if (moved.how == Moved::How::kPieces) {
    at = reinterpret_cast<greg_t>(f->pieces);
    Reg(uc, moved.size) = static_cast<greg_t>(left);
  } else {
    CutMessage(*reinterpret_cast<const msghdr*>(at), left, f);
    at = reinterpret_cast<greg_t>(&f->message);
  }
}

// Takes ctx to the call for what is left, and counts what has been moved.
GORT_NO_ASAN void MoveTheRest(SigCtx& ctx, const BlockedCall& call) {
  ucontext_t* uc = ctx.raw();
  const Moved moved = MovesAll(static_cast<int64_t>(call.overwritten), uc);
  RestFrame* f = RestFrameOf(ctx, call.overwritten);
  f->done += call.moved;
  Advance(moved, uc, call.moved, f);
}

}  // namespace

BlockedCall BlockedCallOf(const SigCtx& ctx) {
  if (AtCall(ctx)) return {BlockedCall::State::kNext};
  const greg_t result = Reg(ctx.raw(), REG_RAX);
  if (result != -EINTR && !MayBeCutShort(ctx, result)) return {};
  const int64_t number = Returned(ctx);
  if (number < 0) return {};
  const auto overwritten = static_cast<uint64_t>(number);
  if (result == -EINTR) {
    if (!MayRepeat(overwritten)) return {};
    return {BlockedCall::State::kEnded, overwritten};
  }
  if (!CutShort(ctx, number, result)) return {};
  return {BlockedCall::State::kEnded, overwritten, static_cast<uint64_t>(result)};
}

void BlockedCallRewind(SigCtx& ctx, const BlockedCall& call) {
  if (call.moved != 0) MoveTheRest(ctx, call);
  Reg(ctx.raw(), REG_RAX) = static_cast<greg_t>(call.overwritten);
  ctx.set_pc(ctx.pc() - kInsnBytes);
}

}  // namespace gort::rt
