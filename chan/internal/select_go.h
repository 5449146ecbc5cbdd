// chan/internal/select_go.h: select, without the types of its elements.
// Layer     7. Used by the cases of select, and by until_done.cc.    Go: select.go
#ifndef GORT_CHAN_INTERNAL_SELECT_GO_H_
#define GORT_CHAN_INTERNAL_SELECT_GO_H_

#include <cstddef>
#include <cstdint>

#include "gort/chan/internal/hchan.h"

namespace gort::rt {

// The bytes of a Sudog, whose layout users do not see.
inline constexpr size_t kSudogBytes = 88;

// One case of SelectGo. Go: scase
struct SelectCase {
  HChan* c = nullptr;    // null: never ready
  void* elem = nullptr;  // as in ChanSend or ChanRecv
  bool is_send = false;
  // SelectGo's own: where it waits.
  alignas(void*) unsigned char sudog[kSudogBytes];
};

inline constexpr int kSelectDefault = -1;

// Does one of cases[0 .. n) and returns its index; *received is false when that is a receive that
// saw the end of its channel. Not block: kSelectDefault if no case is ready. `order` is scratch
// space for 2 * n indices. Throws Panic("send on closed channel") when that is the case chosen.
// Go: selectgo
int SelectGo(SelectCase* cases, uint32_t* order, int n, bool block, bool* received);

}  // namespace gort::rt

#endif  // GORT_CHAN_INTERNAL_SELECT_GO_H_
