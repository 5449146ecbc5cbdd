// The workloads of channels: pingpong, spsc, mpmc, select, fanin, ring.
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "gort/bench/workload.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/runtime.h"

namespace gort::bench {

// n round trips over two unbuffered channels.
Values PingPong(int64_t n) {
  return NsPer(n, [n] {
    const Chan<int64_t> ping = MakeChan<int64_t>();
    const Chan<int64_t> pong = MakeChan<int64_t>();
    Go([ping, pong] {
      for (int64_t v : ping) pong.Send(v);
    });
    for (int64_t i = 0; i < n; ++i) {
      ping.Send(i);
      Check(pong.Recv() == i);
    }
    ping.Close();
  });
}

// n integers from one producer to one consumer.
Values Spsc(int64_t n) {
  return NsPer(n, [n] {
    const Chan<int64_t> c = MakeChan<int64_t>(128);
    Go([c, n] {
      for (int64_t i = 0; i < n; ++i) c.Send(i);
      c.Close();
    });
    int64_t want = 0;
    for (int64_t v : c) {
      Check(v == want);
      ++want;
    }
    Check(want == n);
  });
}

// n integers in total from 4 producers to 4 consumers.
Values Mpmc(int64_t n) {
  const int64_t each = (n + 3) / 4;
  return NsPer(4 * each, [each] {
    const Chan<int64_t> c = MakeChan<int64_t>(128);
    std::atomic<int64_t> received{0};
    Group consumers;
    consumers.Start(4, [c, &received](int64_t) {
      int64_t count = 0;
      while (c.Recv()) ++count;
      received.fetch_add(count, std::memory_order_relaxed);  // read after Wait
    });
    Group producers;
    producers.Start(4, [c, each](int64_t) {
      for (int64_t i = 0; i < each; ++i) c.Send(i);
    });
    producers.Wait();
    c.Close();
    consumers.Wait();
    Check(received.load(std::memory_order_relaxed) == 4 * each);  // pairs with: the consumers' end
  });
}

// n receives in total by a select over 4 unbuffered channels.
Values Selects(int64_t n) {
  const int64_t each = (n + 3) / 4;
  Group senders;
  return NsPer(4 * each, [each, &senders] {
    Chan<int64_t> c[4];
    for (Chan<int64_t>& ch : c) ch = MakeChan<int64_t>();
    senders.Start(4, [c, each](int64_t s) {
      for (int64_t i = 0; i < each; ++i) c[s].Send(i);
    });
    int64_t count[4] = {};
    for (int64_t i = 0; i < 4 * each; ++i) {
      Select(OnRecv(c[0], [&](std::optional<int64_t>) { ++count[0]; }),
             OnRecv(c[1], [&](std::optional<int64_t>) { ++count[1]; }),
             OnRecv(c[2], [&](std::optional<int64_t>) { ++count[2]; }),
             OnRecv(c[3], [&](std::optional<int64_t>) { ++count[3]; }));
    }
    for (int64_t k : count) Check(k == each);
  });
}

// n goroutines each send 100 integers on one unbuffered channel; for each integer, with the
// spawning inside the timed part.
Values FanIn(int64_t n) {
  Group senders;
  return NsPer(100 * n, [n, &senders] {
    const Chan<int64_t> c = MakeChan<int64_t>();
    senders.Start(n, [c](int64_t) {
      for (int64_t i = 0; i < 100; ++i) c.Send(i);
    });
    int64_t sum = 0;
    for (int64_t i = 0; i < 100 * n; ++i) sum += *c.Recv();
    Check(sum == 4950 * n);
  });
}

// 1000 goroutines in a ring of unbuffered channels pass one token on, n times; for each hop.
Values Ring(int64_t n) {
  constexpr int64_t kLength = 1000;
  std::vector<Chan<int64_t>> links(kLength);
  for (Chan<int64_t>& link : links) link = MakeChan<int64_t>();
  const Chan<Unit> done = MakeChan<Unit>();
  Group ring;
  WaitGroup started;
  started.Add(kLength);
  ring.Start(kLength, [&links, &done, &started](int64_t i) {
    const Chan<int64_t>& next = links[static_cast<size_t>((i + 1) % kLength)];
    started.Done();
    for (const int64_t hops_left : links[static_cast<size_t>(i)]) {
      if (hops_left == 0) {
        done.Send(Unit{});
      } else {
        next.Send(hops_left - 1);
      }
    }
  });
  started.Wait();
  Values value = NsPer(n, [&links, &done, n] {
    links[0].Send(n);
    done.Recv();
  });
  for (const Chan<int64_t>& link : links) link.Close();
  ring.Wait();
  return value;
}

}  // namespace gort::bench
