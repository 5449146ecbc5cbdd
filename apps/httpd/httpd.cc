// apps/httpd/httpd.cc: a web server with one page, and the pages of gort/debugpages.
//
// One goroutine for each connection (http_conn.h), one that accepts, one that waits for SIGTERM
// (end_signal.h).
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gflags/gflags.h"
#include "gort/apps/common/end_signal.h"
#include "gort/apps/common/flags.h"
#include "gort/apps/httpd/http_conn.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/context/cancel_scope.h"
#include "gort/debugpages/debug_pages.h"
#include "gort/net/net.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/timer/timer.h"

DEFINE_int32(port, 0, "port to listen on at 127.0.0.1; 0: a free one, which is printed");
DEFINE_int32(max_header_bytes, 16 << 10, "longest head of a request; above it: status 431");
DEFINE_int32(max_body_bytes, 1 << 20, "longest body of a request; above it: status 413");
DEFINE_double(idle_seconds, 60, "how long a client may take for a request, or to take an answer");
DEFINE_double(shutdown_seconds, 10, "how long requests in progress may take after SIGTERM");
DEFINE_bool(debug_pages, true, "whether /debug/ is there");

namespace {

using httpd::HttpConn;
using httpd::HttpRequest;
using httpd::HttpResponse;

bool Port(const char*, int32_t v) { return v >= 0 && v <= 65535; }
bool HeaderBytes(const char*, int32_t v) { return v >= 128; }
bool NotNegative(const char*, int32_t v) { return v >= 0; }
bool Seconds(const char*, double v) { return v > 0 && v < 1e9; }
DEFINE_validator(port, &Port);
DEFINE_validator(max_header_bytes, &HeaderBytes);
DEFINE_validator(max_body_bytes, &NotNegative);
DEFINE_validator(idle_seconds, &Seconds);
DEFINE_validator(shutdown_seconds, &Seconds);

constexpr char kUsage[] =
    R"(usage: httpd [flags]
Serves HTTP/1.1 on 127.0.0.1, with keep-alive and pipelining:
    /                   Hello, World!
    /debug/             what the server does: goroutines, metrics, traces, profiles (with --debug_pages)
Prints "listening on 127.0.0.1:PORT" when it is ready. SIGTERM and SIGINT end it: it stops accepting, answers what it
has begun to read, and exits with status 0.
)";

void Set(gort::debugpages::Response from, HttpResponse* response) {
  response->status = from.status;
  response->content_type = from.content_type;
  response->file_name = from.file_name;
  response->owned_body = std::move(from.body);
}

// What is served. Its handlers run in all connections at once.
class Site {
 public:
  void Handle(const HttpRequest& request, HttpResponse* response) const {
    const bool root = request.path == "/";
    if (!root && !(FLAGS_debug_pages && debug_.Has(request.path))) {
      response->status = 404;
      response->body = "no such page\n";
    } else if (request.method != "GET" && (request.method != "HEAD" || !root)) {
      response->status = 405;
      response->allow =
          root ? "GET, HEAD" : "GET";  // a recording made to be thrown away helps nobody
      response->body = "only to be read\n";
    } else if (root) {
      response->body = "Hello, World!";
    } else {
      Set(debug_.Serve({request.path, request.query, open_.context()}), response);
    }
  }
  // Requests in progress are not to take longer than they must.
  void Close() const { open_.Cancel(); }

 private:
  const gort::debugpages::DebugPages debug_;
  const gort::CancelScope open_;
};

class Server {
 public:
  Server(gort::Listener listener, const httpd::HttpSettings& settings, const Site& site)
      : listener_(std::move(listener)), settings_(settings), site_(site) {
    running_.Add(1);  // for Run, which Shutdown waits for too
  }

  // Accepts until Shutdown. False: accepting failed. To be called once.
  bool Run() {
    const bool ok = AcceptAll();
    running_.Done();
    return ok;
  }

  // Returns when every connection has ended. Those that have not after `most` are cut.
  void Shutdown(absl::Duration most) {
    draining_.store(true);
    site_.Close();
    listener_.Close().IgnoreError();
    ForAll(&HttpConn::Drain);
    gort::Chan<gort::Unit> done = gort::MakeChan<gort::Unit>();
    gort::Go([this, done] {
      running_.Wait();
      done.Close();
    });
    gort::Select(gort::OnRecv(done, [](std::optional<gort::Unit>) {}),
                 gort::OnRecv(gort::After(most),
                              [this](std::optional<absl::Time>) { ForAll(&HttpConn::Abort); }));
    done.Recv();
  }

 private:
  bool AcceptAll() {
    bool told = false;
    for (;;) {
      absl::StatusOr<gort::Conn> conn = listener_.Accept();
      if (!conn.ok()) {
        if (draining_.load()) return true;
        // Accept has paused already. New connections wait in the kernel's queue.
        if (!absl::IsResourceExhausted(conn.status())) {
          std::fprintf(stderr, "httpd: %s\n", std::string(conn.status().message()).c_str());
          return false;
        }
        if (!told) {
          std::fprintf(stderr, "httpd: %s; waiting\n",
                       std::string(conn.status().message()).c_str());
        }
        told = true;
        continue;
      }
      told = false;
      running_.Go([this, c = *std::move(conn)]() mutable { ServeOne(std::move(c)); });
    }
  }

  void ServeOne(gort::Conn c) {
    HttpConn conn(std::move(c), settings_, draining_);
    mu_.Lock();
    conns_.insert(&conn);
    mu_.Unlock();
    conn.Serve();
    mu_.Lock();
    conns_.erase(&conn);
    mu_.Unlock();
  }

  void ForAll(void (HttpConn::*f)()) {
    mu_.Lock();
    for (HttpConn* conn : conns_) (conn->*f)();
    mu_.Unlock();
  }

  gort::Listener listener_;
  const httpd::HttpSettings& settings_;
  const Site& site_;
  std::atomic<bool> draining_{false};
  gort::WaitGroup running_;
  gort::Mutex mu_;
  std::set<HttpConn*> conns_;  // guarded by mu_
};

// As many connections as the system lets us have.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int gort_main(int argc, char** argv) {
  const std::vector<std::string> rest = apps::ParseFlags(argc, argv, kUsage, __FILE__);
  if (!rest.empty()) apps::BadUsage("what is '" + rest[0] + "'?");
  RaiseDescriptorLimit();
  httpd::HttpSettings settings;
  const Site site;
  settings.handler = [&site](const HttpRequest& request, HttpResponse* response) {
    site.Handle(request, response);
  };
  settings.max_header_bytes = static_cast<uint32_t>(FLAGS_max_header_bytes);
  settings.max_body_bytes = static_cast<uint64_t>(FLAGS_max_body_bytes);
  settings.idle = absl::Seconds(FLAGS_idle_seconds);
  httpd::HttpSetMaxHeader(settings.max_header_bytes);

  absl::StatusOr<gort::Listener> listener =
      gort::Listen("tcp", "127.0.0.1:" + std::to_string(FLAGS_port));
  if (!listener.ok()) {
    std::fprintf(stderr, "httpd: %s\n", std::string(listener.status().message()).c_str());
    return 1;
  }
  if (!apps::CatchEndSignals()) {
    std::fprintf(stderr, "httpd: cannot catch signals\n");
    return 1;
  }
  std::printf("listening on %s\n", listener->Addr().c_str());
  std::fflush(stdout);

  Server server(*std::move(listener), settings, site);
  gort::WaitGroup ended;
  ended.Go([&server] {
    if (!apps::WaitForEndSignal()) return;
    server.Shutdown(absl::Seconds(FLAGS_shutdown_seconds));
  });
  const bool ok = server.Run();
  if (!ok) raise(SIGTERM);  // requests in progress are answered all the same
  ended.Wait();
  return ok ? 0 : 1;
}
