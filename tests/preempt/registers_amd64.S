// tests/preempt/registers_amd64.S: see registers.h.
#include "gort/platforms/asm.h"

// void Spin(State* state /* rdi */, uint64_t spins /* rsi */)
.macro SPIN name:req, vector:req
GORT_FUNCTION \name
  .irp r, rbx, rbp, r12, r13, r14, r15
  pushq %\r
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %\r, 0
  .endr
  subq $24, %rsp
  .cfi_adjust_cfa_offset 24
  stmxcsr (%rsp)
  fnstcw 8(%rsp)
  movq %rsi, -8(%rsp)
  movq %rdi, -16(%rsp)
  // x87: three values on its stack.
  fldcw 132(%rdi)
  fldt 200(%rdi)
  fldt 216(%rdi)
  fldt 232(%rdi)
  ldmxcsr 128(%rdi)
  \vector load
  movq 8(%rdi), %rbx
  movq 16(%rdi), %rcx
  movq 24(%rdi), %rdx
  movq 32(%rdi), %rsi
  movq 48(%rdi), %rbp
  movq 56(%rdi), %r8
  movq 64(%rdi), %r9
  movq 72(%rdi), %r10
  movq 80(%rdi), %r11
  movq 88(%rdi), %r12
  movq 96(%rdi), %r13
  movq 104(%rdi), %r14
  movq 112(%rdi), %r15
  movq 0(%rdi), %rax
  movq 40(%rdi), %rdi
  stc
  std
1:
  decq -8(%rsp)  // leaves the carry alone
  jnz 1b
  movq %rax, -24(%rsp)
  pushfq
  .cfi_adjust_cfa_offset 8
  movq -8(%rsp), %rax
  popq 120(%rax)
  .cfi_adjust_cfa_offset -8
  cld
  movq %rbx, 8(%rax)
  movq -24(%rsp), %rbx
  movq %rbx, 0(%rax)
  movq %rcx, 16(%rax)
  movq %rdx, 24(%rax)
  movq %rsi, 32(%rax)
  movq %rdi, 40(%rax)
  movq %rbp, 48(%rax)
  movq %r8, 56(%rax)
  movq %r9, 64(%rax)
  movq %r10, 72(%rax)
  movq %r11, 80(%rax)
  movq %r12, 88(%rax)
  movq %r13, 96(%rax)
  movq %r14, 104(%rax)
  movq %r15, 112(%rax)
  movq %rax, %rdi
  \vector store
  stmxcsr 128(%rdi)
  fnstcw 132(%rdi)
  fstpt 232(%rdi)
  fstpt 216(%rdi)
  fstpt 200(%rdi)
  ldmxcsr (%rsp)
  fldcw 8(%rsp)
  addq $24, %rsp
  .cfi_adjust_cfa_offset -24
  .irp r, r15, r14, r13, r12, rbp, rbx
  popq %\r
  .cfi_adjust_cfa_offset -8
  .cfi_same_value %\r
  .endr
  ret
GORT_END \name
.endm

.macro SSE what
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  .ifc \what, load
  movups (256 + 64 * \n)(%rdi), %xmm\n
  .else
  movups %xmm\n, (256 + 64 * \n)(%rdi)
  .endif
  .endr
.endm

.macro AVX what
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  .ifc \what, load
  vmovups (256 + 64 * \n)(%rdi), %ymm\n
  .else
  vmovups %ymm\n, (256 + 64 * \n)(%rdi)
  .endif
  .endr
  .ifc \what, store
  vzeroupper
  .endif
.endm

.macro AVX512 what
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  .ifc \what, load
  vmovups (256 + 64 * \n)(%rdi), %zmm\n
  .else
  vmovups %zmm\n, (256 + 64 * \n)(%rdi)
  .endif
  .endr
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7
  .ifc \what, load
  kmovq (136 + 8 * \n)(%rdi), %k\n
  .else
  kmovq %k\n, (136 + 8 * \n)(%rdi)
  .endif
  .endr
  .ifc \what, store
  vzeroupper
  .endif
.endm

SPIN _ZN9registers7SpinSseEPNS_5StateEm, SSE
SPIN _ZN9registers7SpinAvxEPNS_5StateEm, AVX
SPIN _ZN9registers10SpinAvx512EPNS_5StateEm, AVX512
GORT_END_OF_FILE
