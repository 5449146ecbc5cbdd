#include "gort/gmp/getg.h"

extern "C" {
constinit thread_local gort::rt::G* gort_tls_g = nullptr;
}
