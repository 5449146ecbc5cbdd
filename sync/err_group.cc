#include "gort/sync/err_group.h"

namespace gort {

ErrGroup::ErrGroup(const Context& parent) : g_(std::make_shared<rt::Group>(parent)) {}

absl::Status ErrGroup::Wait() const {
  g_->Join();
  struct Over {
    rt::Group* g;
    ~Over() { g->Cancel(absl::OkStatus()); }
  } over{g_.get()};
  return g_->Failure();
}

}  // namespace gort
