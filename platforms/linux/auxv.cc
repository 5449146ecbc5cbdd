#include "gort/platforms/auxv.h"

#include <sys/auxv.h>

#include <cerrno>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace gort::rt {

uintptr_t GetAuxval(AuxKey key) {
  int saved = errno;
  uintptr_t v = 0;
  switch (key) {
    case AuxKey::kPageSize:
      v = getauxval(AT_PAGESZ);
      break;
    case AuxKey::kRandom:
      v = getauxval(AT_RANDOM);
      break;
    case AuxKey::kMinSigStackSize:
      v = getauxval(AT_MINSIGSTKSZ);
      break;
    case AuxKey::kPhdr:
      v = getauxval(AT_PHDR);
      break;
    case AuxKey::kPhnum:
      v = getauxval(AT_PHNUM);
      break;
    case AuxKey::kHwcap:
      v = getauxval(AT_HWCAP);
      break;
    case AuxKey::kExecName:
      v = getauxval(AT_EXECFN);
      break;
  }
  errno = saved;
  return v;
}

}  // namespace gort::rt
