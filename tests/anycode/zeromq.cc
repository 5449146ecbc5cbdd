// tests/anycode/zeromq.cc: sockets of ZeroMQ, each of which belongs to one thread at a time.
#include <zmq.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/patterns.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

void* TheContext() {
  static void* context = [] {
    void* made = zmq_ctx_new();
    zmq_ctx_set(made, ZMQ_MAX_SOCKETS, 2000);
    return made;
  }();
  return context;
}

// A pair over one of its transports: kTcp or inside of the process.
template <bool kTcp>
class Court {
 public:
  Court() {
    static std::atomic<int> number{0};
    const std::string name = kTcp ? "tcp://127.0.0.1:*" : "inproc://" + std::to_string(number++);
    for (void*& s : sockets_) s = zmq_socket(TheContext(), ZMQ_PAIR);
    ExpectCall(0, zmq_bind(sockets_[0], name.c_str()), "zmq_bind");
    char bound[200];
    size_t size = sizeof(bound);
    ExpectCall(0, zmq_getsockopt(sockets_[0], ZMQ_LAST_ENDPOINT, bound, &size), "zmq_getsockopt");
    ExpectCall(0, zmq_connect(sockets_[1], bound), "zmq_connect");
  }
  ~Court() {
    for (void* s : sockets_) {
      const int linger = 0;
      zmq_setsockopt(s, ZMQ_LINGER, &linger, sizeof(linger));
      zmq_close(s);
    }
  }
  void Post(int side, int64_t v) {
    ExpectCall(8, zmq_send(sockets_[1 - side], &v, sizeof(v), 0), "zmq_send");
  }
  int64_t Wait(int side) {
    int64_t v = -1;
    ExpectCall(8, zmq_recv(sockets_[side], &v, sizeof(v), 0), "zmq_recv");
    return v;
  }

 private:
  void* sockets_[2];
};

// Each asks a server of the row's, through a router and a dealer.
Task Requests(int) {
  struct Server {
    Server() {
      router = zmq_socket(TheContext(), ZMQ_ROUTER);
      ExpectCall(0, zmq_bind(router, "inproc://requests"), "zmq_bind");
      dealer = zmq_socket(TheContext(), ZMQ_DEALER);
      ExpectCall(0, zmq_bind(dealer, "inproc://workers"), "zmq_bind");
    }
    void* router;
    void* dealer;
  };
  static auto* server = new Server;
  zmq_threadstart([](void*) { zmq_proxy(server->router, server->dealer, nullptr); }, nullptr);
  for (int i = 0; i < 2; ++i) {
    zmq_threadstart(
        [](void*) {
          void* socket = zmq_socket(TheContext(), ZMQ_REP);
          zmq_connect(socket, "inproc://workers");
          int64_t v = 0;
          while (zmq_recv(socket, &v, sizeof(v), 0) == sizeof(v)) {
            ++v;
            zmq_send(socket, &v, sizeof(v), 0);
          }
          zmq_close(socket);
        },
        nullptr);
  }
  return {[](Worker& w) {
    void* socket = zmq_socket(TheContext(), ZMQ_REQ);
    ExpectCall(0, zmq_connect(socket, "inproc://requests"), "zmq_connect");
    for (int64_t v = w.index(); w.Next(); v += 100) {
      ExpectCall(8, zmq_send(socket, &v, sizeof(v), 0), "zmq_send");
      int64_t answer = 0;
      ExpectCall(8, zmq_recv(socket, &answer, sizeof(answer), 0), "zmq_recv");
      ExpectEq(v + 1, answer, "the answer");
    }
    zmq_close(socket);
  }};
}

}  // namespace

Family Zeromq() {
  return {"zeromq",
          {{"zmq_inproc", PingPong<Court<false>>},
           {"zmq_tcp", PingPong<Court<true>>},
           {"zmq_requests", Requests}}};
}

}  // namespace anycode
