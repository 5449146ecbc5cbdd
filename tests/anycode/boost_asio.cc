// tests/anycode/boost_asio.cc: Boost.Asio, which keeps a stack of running contexts in thread-locals.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "boost/asio.hpp"
#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// A chain of handlers, each of which posts the next.
struct Chain {
  void Step() {
    Burn(1);
    if (++done < length) asio::post(context, [this] { Step(); });
  }
  asio::io_context& context;
  int length;
  int done = 0;
};

// A context for each worker: handlers, a timer, and a connected pair of sockets.
Task OneEach(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      asio::io_context context;
      Chain chain{context, 50};
      asio::post(context, [&chain] { chain.Step(); });
      asio::steady_timer timer(context, std::chrono::milliseconds(1));
      bool rang = false;
      timer.async_wait([&rang](error_code e) { rang = !e; });
      asio::local::stream_protocol::socket a(context);
      asio::local::stream_protocol::socket b(context);
      asio::local::connect_pair(a, b);
      const std::string sent(1000, static_cast<char>('a' + w.index() % 26));
      std::string got(sent.size(), '\0');
      size_t received = 0;
      asio::async_read(b, asio::buffer(got), [&received](error_code, size_t n) { received = n; });
      asio::async_write(a, asio::buffer(sent), [](error_code, size_t) {});
      context.run();
      ExpectEq(50, chain.done, "handlers that ran");
      Expect(rang, "the timer");
      Expect(received == sent.size() && got == sent, "what came through the sockets");
    }
  }};
}

// A context that all workers run; what each posts goes through one strand, and so one by one.
Task OneForAll(int) {
  struct Shared {
    asio::io_context context;
    asio::strand<asio::io_context::executor_type> strand = asio::make_strand(context);
    Guarded guarded;
    int64_t posted_by_all = 0;
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
            constexpr int kPosts = 5;
            while (w.Next()) {
              std::atomic<int> left{kPosts};
              for (int i = 0; i < kPosts; ++i) {
                asio::post(s->strand, [&] {
                  s->guarded.Visit(5);
                  left.fetch_sub(1);
                });
              }
              // Another may run the last: so wait for a moment only.
              while (left.load() != 0) {
                if (s->context.stopped()) s->context.restart();
                s->context.run_one_for(std::chrono::milliseconds(1));
              }
            }
          },
          [s](int64_t ops) { ExpectEq(ops * 5, s->guarded.entered(), "handlers that ran"); }};
}

}  // namespace

Family Asio() { return {"asio", {{"asio_one_each", OneEach}, {"asio_one_for_all", OneForAll}}}; }

}  // namespace anycode
