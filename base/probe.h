// base/probe.h: places that tracers can attach to (USDT): perf, bpftrace, gdb.
// What      GORT_PROBE(name, a, b) is one nop, and a note in the file that says where it is and where its
//           two arguments lie, 8 bytes each. Provider "gort". Nobody attached: the nop is the whole cost,
//           because gcc names an argument in memory where it is, and does not load it.
// Form      the note of SystemTap's probes, version 3 (.note.stapsdt), written here so that builds need no
//           package. Arguments are integers or pointers.
// Layer     1. A macro; any stack, any context.
#ifndef GORT_BASE_PROBE_H_
#define GORT_BASE_PROBE_H_

#ifdef __clang__
#define GORT_PROBE_ARGUMENT "nr"  // offered memory, clang copies the value to the stack first
#else
#define GORT_PROBE_ARGUMENT "nor"
#endif

// clang-format off
#define GORT_PROBE(name, a, b)                                        \
  asm volatile(                                                       \
      "990: nop\n"                                                    \
      ".pushsection .note.stapsdt, \"?\", %%note\n"                   \
      ".balign 4\n"                                                   \
      ".4byte 992f-991f, 994f-993f, 3\n"                              \
      "991: .asciz \"stapsdt\"\n"                                     \
      "992: .balign 4\n"                                              \
      "993: .8byte 990b, _.stapsdt.base, 0\n"                         \
      ".asciz \"gort\"\n"                                             \
      ".asciz \"" #name "\"\n"                                        \
      ".asciz \"8@%0 8@%1\"\n"                                        \
      "994: .balign 4\n"                                              \
      ".popsection\n"                                                 \
      /* What a loader that moves addresses is measured by. */        \
      ".ifndef _.stapsdt.base\n"                                      \
      ".pushsection .stapsdt.base, \"aG\", %%progbits, .stapsdt.base, comdat\n" \
      ".weak _.stapsdt.base\n"                                        \
      ".hidden _.stapsdt.base\n"                                      \
      "_.stapsdt.base: .space 1\n"                                    \
      ".size _.stapsdt.base, 1\n"                                     \
      ".popsection\n"                                                 \
      ".endif\n"                                                      \
      : : GORT_PROBE_ARGUMENT((a)), GORT_PROBE_ARGUMENT((b)))
// clang-format on

#endif  // GORT_BASE_PROBE_H_
