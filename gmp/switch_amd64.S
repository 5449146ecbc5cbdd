// gmp/switch_amd64.S: the context switch for the System V x86-64 ABI.
#include "gort/gmp/arch.h"
#include "gort/platforms/asm.h"

// void gort_switch(uintptr_t* save /* rdi */, uintptr_t to_sp /* rsi */)
//
//   push a SwitchFrame: rbp rbx r12 r13 r14 r15, FP control words
//   *save = rsp
//   rsp = to_sp
//   if control words there differ from ours: load them
//   pop the SwitchFrame; return to its pc
//
// Clobbers  rax rcx and every caller-saved register, by the ABI. Not saved: caller-saved and vector
//           registers (dead at a call), x87 stack (empty at a call), direction flag (clear at a call).
// Stack     on entry [rsp] = return address; on exit that of the other context is popped.
// Unwinding exact at every instruction: the frame of either context has the same shape.
GORT_FUNCTION gort_switch
  subq $(GORT_FRAME_BYTES - 8), %rsp
  .cfi_adjust_cfa_offset (GORT_FRAME_BYTES - 8)
  movq %rbp, GORT_FRAME_RBP(%rsp)
  .cfi_rel_offset %rbp, GORT_FRAME_RBP
  movq %rbx, GORT_FRAME_RBX(%rsp)
  .cfi_rel_offset %rbx, GORT_FRAME_RBX
  movq %r12, GORT_FRAME_R12(%rsp)
  .cfi_rel_offset %r12, GORT_FRAME_R12
  movq %r13, GORT_FRAME_R13(%rsp)
  .cfi_rel_offset %r13, GORT_FRAME_R13
  movq %r14, GORT_FRAME_R14(%rsp)
  .cfi_rel_offset %r14, GORT_FRAME_R14
  movq %r15, GORT_FRAME_R15(%rsp)
  .cfi_rel_offset %r15, GORT_FRAME_R15
  stmxcsr GORT_FRAME_MXCSR(%rsp)
  fnstcw GORT_FRAME_FPUCW(%rsp)
  movl GORT_FRAME_MXCSR(%rsp), %eax
  movzwl GORT_FRAME_FPUCW(%rsp), %ecx
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  // Loading a control word costs more than comparing it, and they hardly ever differ.
  cmpl GORT_FRAME_MXCSR(%rsp), %eax
  jne 1f
2:
  cmpw GORT_FRAME_FPUCW(%rsp), %cx
  jne 3f
4:
  movq GORT_FRAME_R15(%rsp), %r15
  movq GORT_FRAME_R14(%rsp), %r14
  movq GORT_FRAME_R13(%rsp), %r13
  movq GORT_FRAME_R12(%rsp), %r12
  movq GORT_FRAME_RBX(%rsp), %rbx
  movq GORT_FRAME_RBP(%rsp), %rbp
  .cfi_remember_state
  .cfi_same_value %rbp
  .cfi_same_value %rbx
  .cfi_same_value %r12
  .cfi_same_value %r13
  .cfi_same_value %r14
  .cfi_same_value %r15
  addq $(GORT_FRAME_BYTES - 8), %rsp
  .cfi_adjust_cfa_offset -(GORT_FRAME_BYTES - 8)
  ret
1:
  .cfi_restore_state
  ldmxcsr GORT_FRAME_MXCSR(%rsp)
  jmp 2b
3:
  fldcw GORT_FRAME_FPUCW(%rsp)
  jmp 4b
GORT_END gort_switch

// void gort_systemstack(void (*fn)(void*) /* rdi */, void* arg /* rsi */, uintptr_t top /* rdx */)
//
//   save rsp in rbp; rsp = top; fn(arg); rsp = rbp; return
//
// Unwinding goes from fn's frames through this one to the caller's stack.
GORT_FUNCTION gort_systemstack
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbp, 0
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  movq %rdx, %rsp
  movq %rdi, %rax
  movq %rsi, %rdi
  callq *%rax
  movq %rbp, %rsp
  .cfi_def_cfa_register %rsp
  popq %rbp
  .cfi_adjust_cfa_offset -8
  .cfi_same_value %rbp
  ret
GORT_END gort_systemstack

// Entered by gort_switch's ret with r12 = fn, r13 = arg and, at rsp, the return address that
// MakeContext put there (gort_goexit + 1).
GORT_FUNCTION gort_gostart
  movq %r13, %rdi
  xorl %ebp, %ebp
  jmpq *%r12
GORT_END gort_gostart

// void gort_begin_again(uintptr_t top /* rdi */, void (*fn)(void*) /* rsi */, void* arg /* rdx */)
GORT_FUNCTION gort_begin_again
  .cfi_undefined %rip
  movq %rdi, %rsp
  movq %rdx, %rdi
  xorl %ebp, %ebp
  jmpq *%rsi
GORT_END gort_begin_again
