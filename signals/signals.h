#ifndef X1
#define X1
#include "gmp/m.h"
namespace gort::rt {
inline void MInitSignalStack(M*) {}
inline void MDropSignalStack(M*) {}
inline void InstallSignals() {}
}
#endif
