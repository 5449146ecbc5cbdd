#include "gort/gmp/sched.h"

namespace gort::rt {

constinit Sched sched;
constinit M m0;
constinit G g0;
constinit std::atomic<G*> allgs{nullptr};
constinit std::atomic<int64_t> allglen{0};
constinit std::atomic<M*> allm{nullptr};
constinit std::atomic<P*> allp[kMaxProcs] = {};
constinit std::atomic<int32_t> gomaxprocs{0};
constinit int32_t ncpu = 0;

}  // namespace gort::rt
