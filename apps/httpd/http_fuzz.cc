// Any bytes sent to httpd's connections, over a socket: the answers are well-formed HTTP, end with
// the connection, and are the same whether the bytes come at once or in pieces.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gort/apps/httpd/http_conn.h"
#include "gort/chan/chan.h"
#include "gort/net/net.h"
#include "gort/runtime.h"
#include "gort/tests/fuzz/fuzz.h"

namespace {

using gort::fuzz::Check;
using httpd::HttpConn;

// What fits into a socket's buffer, with its answers: the client reads only when it has written.
constexpr size_t kMostBytes = 8 << 10;

void Handle(const httpd::HttpRequest& request, httpd::HttpResponse* response) {
  Check(!request.method.empty(), "a request has a method");
  if (request.path == "/") {
    response->body = "Hello, World!";
  } else {
    response->status = 404;
    response->owned_body = "none\n";
  }
}

struct Server {
  httpd::HttpSettings settings;
  std::atomic<bool> draining{false};
  std::string address = "@gort-http-fuzz-" + std::to_string(getpid());
  gort::Listener listener;

  Server() {
    settings.handler = &Handle;
    settings.max_header_bytes = 512;
    settings.max_body_bytes = 256;
    settings.idle = absl::Seconds(30);  // nothing ends by time: a client here closes
    httpd::HttpSetMaxHeader(settings.max_header_bytes);
    absl::StatusOr<gort::Listener> l = gort::Listen("unix", address);
    Check(l.ok(), "listen", std::string(l.status().message()));
    listener = *std::move(l);
  }

  // What a client gets that sends `bytes`, `step` of them at a time, and then nothing more.
  std::string Talk(std::string_view bytes, size_t step) {
    absl::StatusOr<gort::Conn> client = gort::Dial("unix", address);
    Check(client.ok(), "dial", std::string(client.status().message()));
    absl::StatusOr<gort::Conn> accepted = listener.Accept();
    Check(accepted.ok(), "accept", std::string(accepted.status().message()));
    gort::Chan<gort::Unit> ended = gort::MakeChan<gort::Unit>();
    gort::Go([this, ended, c = *std::move(accepted)]() mutable {
      {
        HttpConn conn(std::move(c), settings, draining);
        conn.Serve();
      }
      ended.Close();
    });
    for (size_t at = 0; at < bytes.size(); at += step) {
      // The server may have had enough and be gone.
      if (!client->Write(bytes.substr(at, step)).ok()) break;
      gort::Gosched();
    }
    client->CloseWrite().IgnoreError();
    std::string got;
    char buffer[4096];
    for (;;) {
      absl::StatusOr<size_t> n = client->Read(absl::MakeSpan(buffer));
      if (!n.ok() || *n == 0) break;
      got.append(buffer, *n);
    }
    ended.Recv();
    return got;
  }
};

void CheckAnswers(std::string_view all) {
  std::string_view rest = all;
  bool closed = false;
  while (!rest.empty()) {
    Check(!closed, "nothing comes after Connection: close", all);
    Check(rest.substr(0, 9) == "HTTP/1.1 ", "an answer begins with its version", all);
    const size_t end = rest.find("\r\n\r\n");
    Check(end != rest.npos, "an answer's head has an end", all);
    const std::string head(rest.substr(0, end + 2));
    rest.remove_prefix(end + 4);
    const int status = std::atoi(head.c_str() + 9);
    if (status == 100) continue;
    Check(status == 200 || status == 404 || status == 400 || status == 413 || status == 431 ||
              status == 501,
          "status", head);
    closed = head.find("\r\nConnection: close\r\n") != head.npos;
    Check(closed || status == 200 || status == 404, "what is refused ends the connection", all);
    const size_t at = head.find("\r\nContent-Length: ");
    Check(at != head.npos, "the length is there", head);
    const auto length = static_cast<size_t>(std::atoi(head.c_str() + at + 18));
    // The answer to HEAD has no body; no body here begins like an answer.
    if (rest.empty() || rest.substr(0, 9) == "HTTP/1.1 ") continue;
    Check(rest.size() >= length, "the body is whole", all);
    rest.remove_prefix(length);
  }
}

// Without the last answer, if that is a refusal: of a head that is both too long and wrong the
// parser sees first the one or the other, depending on the pieces.
std::string BeforeRefusal(const std::string& all) {
  const size_t at = all.rfind("HTTP/1.1 ");
  if (at == all.npos) return all;
  const int status = std::atoi(all.c_str() + at + 9);
  return status == 400 || status == 431 ? all.substr(0, at) + "refused" : all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gort::Run([data, size] {
    static Server* const server = [] {
      gort::GOMAXPROCS(1);
      return new Server;
    }();
    gort::fuzz::Input input(data, std::min(size, kMostBytes));
    const size_t step = 1 + input.Byte() % 64;
    const std::string_view bytes = input.Rest();
    const std::string whole = server->Talk(bytes, bytes.size() + 1);
    CheckAnswers(whole);
    const std::string pieces = server->Talk(bytes, std::max(step, bytes.size() / 64));
    Check(BeforeRefusal(whole) == BeforeRefusal(pieces), "pieces give the same answers",
          whole + "\n--\n" + pieces);
    return 0;
  });
  return 0;
}
