#include "gort/chan/internal/until_done.h"

#include <cstdint>

#include "gort/chan/internal/select_go.h"
#include "gort/chan/internal/wait_queue.h"

namespace gort::rt {
namespace {

// Index 0: the operation; 1: done.
int WaitForEither(HChan* c, void* elem, bool is_send, HChan* done, bool* received) {
  SelectCase cases[2];
  uint32_t order[4];
  cases[0].c = c;
  cases[0].elem = elem;
  cases[0].is_send = is_send;
  cases[1].c = done;
  return SelectGo(cases, order, 2, /*block=*/true, received);
}

}  // namespace

bool ChanSendUntilDone(HChan* c, void* elem, HChan* done) {
  if (ChanClosed(done)) return false;
  Caller();
  if (ChanSend(c, elem, /*block=*/false)) return true;
  bool received = false;
  return WaitForEither(c, elem, /*is_send=*/true, done, &received) == 0;
}

RecvResult ChanRecvUntilDone(HChan* c, void* dst, HChan* done) {
  if (ChanClosed(done)) return RecvResult::kWouldBlock;
  Caller();
  const RecvResult now = ChanRecv(c, dst, /*block=*/false);
  if (now != RecvResult::kWouldBlock) return now;
  bool received = false;
  if (WaitForEither(c, dst, /*is_send=*/false, done, &received) == 1)
    return RecvResult::kWouldBlock;
  return received ? RecvResult::kReceived : RecvResult::kClosed;
}

}  // namespace gort::rt
