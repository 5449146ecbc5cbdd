// gort/os/os.h: the operating system: signals, child processes, files.
// Layer     12. Public: #include "gort/os/os.h".
#ifndef GORT_OS_OS_H_
#define GORT_OS_OS_H_

#include "gort/os/command.h"
#include "gort/os/file.h"
#include "gort/os/signal.h"

#endif  // GORT_OS_OS_H_
