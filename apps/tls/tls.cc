// apps/tls/tls.cc: a server and a client of HTTPS, to be talked to by others' programs.
#include <signal.h>

#include <cstdio>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/apps/tls/tls_conn.h"

DEFINE_string(cert, "", "PEM file: the certificate chain to show");
DEFINE_string(key, "", "PEM file: its key");
DEFINE_string(ca, "", "PEM file: who may sign the peer's certificate; a server then wants one");
DEFINE_bool(check_revoked, false, "obey the lists of revoked certificates in --ca");
DEFINE_string(name, "localhost", "the name that the server's certificate must have");
DEFINE_double(seconds, 30, "how long a connection may take");

namespace {

constexpr char kUsage[] = R"(usage: tls [flags] serve HOST:PORT
       tls [flags] get HOST:PORT
serve prints "listening on HOST:PORT" and answers each request of HTTP with its first line, until SIGTERM; get asks
for / and prints the answer. What goes wrong is a line on stderr.
)";

int Report(const absl::Status& s) {
  if (!s.ok()) std::fprintf(stderr, "tls: %s\n", s.ToString().c_str());
  return s.ok() ? 0 : 1;
}

// Answers each request, which is lines up to an empty one, with its first line.
absl::Status Answer(const gort::Context& ctx, gort::Conn conn, const tls::Settings& settings) {
  gort::CancelScope scope(ctx, absl::Seconds(FLAGS_seconds));
  auto peer = tls::Conn::Open(scope.context(), std::move(conn), settings, nullptr);
  if (!peer.ok()) return peer.status();
  gort::LineReader lines(peer->get());
  for (std::string request;;) {
    const auto line = lines.Next(scope.context());
    if (!line.ok() || !line->has_value()) return line.status();
    if (request.empty()) request = std::string(**line) + '\n';
    if (!(*line)->empty()) continue;
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(request.size());
    auto written = (*peer)->Write(scope.context(), head + "\r\n\r\n" + request);
    if (!written.ok()) return written.status();
    request.clear();
  }
}

absl::Status Serve(const std::string& address, const tls::Settings& settings) {
  gort::os::SignalContext end(gort::Background(), {SIGTERM, SIGINT});
  absl::StatusOr<gort::Listener> listener = gort::Listen("tcp", address);
  if (!listener.ok()) return listener.status();
  std::printf("listening on %s\n", listener->Addr().c_str());
  std::fflush(stdout);
  gort::TaskGroup connections(end.context());
  for (;;) {
    absl::StatusOr<gort::Conn> conn = listener->Accept(end.context());
    if (absl::IsResourceExhausted(conn.status())) continue;  // it has waited
    if (!conn.ok()) return end.signal() != 0 ? absl::OkStatus() : conn.status();
    connections.Go([&](const gort::Context& ctx,
                       gort::Conn c) { Report(Answer(ctx, std::move(c), settings)); },
                   *std::move(conn));
  }
}

absl::Status Get(const std::string& address, const tls::Settings& settings) {
  gort::CancelScope scope(gort::Background(), absl::Seconds(FLAGS_seconds));
  absl::StatusOr<gort::Conn> conn = gort::Dial(scope.context(), "tcp", address);
  if (!conn.ok()) return conn.status();
  auto peer = tls::Conn::Open(scope.context(), *std::move(conn), settings, FLAGS_name.c_str());
  if (!peer.ok()) return peer.status();
  absl::Status s = (*peer)->Write(scope.context(), "GET / HTTP/1.0\r\n\r\n").status();
  if (s.ok()) s = (*peer)->CloseWrite();
  for (char buf[4096]; s.ok();) {
    const auto n = (*peer)->Read(scope.context(), absl::MakeSpan(buf));
    if (!n.ok() || *n == 0) return n.status();
    std::fwrite(buf, 1, *n, stdout);
  }
  return s;
}

}  // namespace

int gort_main(int argc, char** argv) {
  const std::vector<std::string> words = apps::ParseFlags(argc, argv, kUsage, __FILE__);
  const bool serve = words.size() == 2 && words[0] == "serve";
  if (!serve && (words.size() != 2 || words[0] != "get")) apps::BadUsage("serve or get?");
  const auto settings = tls::Load({FLAGS_cert, FLAGS_key, FLAGS_ca, FLAGS_check_revoked});
  if (!settings.ok()) return Report(settings.status());
  const int status = Report((serve ? Serve : Get)(words[1], *settings));
  return std::fflush(stdout) == 0 ? status : 1;
}
