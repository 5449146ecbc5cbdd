#include "gort/traceback/debug_fields.h"

#include <cstddef>

#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sudog.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/wait_reason.h"
#include "gort/traceback/arch.h"

using gort::rt::DebugField;
using gort::rt::G;
using gort::rt::M;
using gort::rt::SwitchFrame;

#define G_FIELD(field) \
  { "G." #field, offsetof(G, field), nullptr }
#define FRAME_REGISTER(name, field) {"reg." name, offsetof(SwitchFrame, field), nullptr},

extern "C" {
// In the object file with the section .debug_gdb_scripts.
extern const char gort_gdb_script;

const DebugField gort_debug_fields[] = {
    {"G.sizeof", sizeof(G), nullptr},
    {"G.sched.sp", offsetof(G, sched.sp), nullptr},
    G_FIELD(m),
    G_FIELD(atomicstatus),
    {"G.stack.lo", offsetof(G, stack.lo), nullptr},
    {"G.stack.hi", offsetof(G, stack.hi), nullptr},
    G_FIELD(entry),
    G_FIELD(goid),
    G_FIELD(gopc),
    G_FIELD(parent_goid),
    G_FIELD(waitsince),
    G_FIELD(waitreason),
    G_FIELD(system),
    G_FIELD(foreign),
    G_FIELD(lockedm),
    G_FIELD(signal_context),
    G_FIELD(name),
    G_FIELD(alllink),
    {"M.tid", offsetof(M, tid), nullptr},
    {"Sudog.next", offsetof(gort::rt::Sudog, next), nullptr},
    {"allgs", 0, &gort::rt::allgs},
    {"coarse_now", 0, &gort::rt::sched.coarse_now},
    {"gort_gostart", 0, reinterpret_cast<const void*>(&gort_gostart)},
    {"frame.bytes", sizeof(SwitchFrame), nullptr},
    GORT_DEBUG_REGISTERS(FRAME_REGISTER){"reasons",
                                         static_cast<uint64_t>(gort::rt::WaitReason::kCount),
                                         gort::rt::wait_reason_texts},
    {"script", 0, &gort_gdb_script},
    {nullptr, 0, nullptr},
};
}

namespace gort::rt {

void KeepDebugFields() { asm volatile("" : : "r"(gort_debug_fields)); }

}  // namespace gort::rt
