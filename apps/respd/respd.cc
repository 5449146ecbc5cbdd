// apps/respd/respd.cc: a small server of the Redis protocol, with a log that survives kill -9.
//
// Each connection has a goroutine. It carries out the commands that have come, under one lock, waits
// until every change made so far, by this client or another, is on the disk (log.h), and then
// answers. So no answer speaks of what a crash could undo, and clients that write at the same time
// share an fsync.
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gflags/gflags.h"
#include "gort/apps/common/end_signal.h"
#include "gort/apps/common/flags.h"
#include "gort/apps/respd/commands.h"
#include "gort/apps/respd/log.h"
#include "gort/apps/respd/resp_parse.h"
#include "gort/apps/respd/store.h"
#include "gort/net/net.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"

DEFINE_int32(port, 0, "port to listen on at 127.0.0.1; 0: a free one, which is printed");
DEFINE_string(dir, ".", "directory of the log, respd.log");

namespace {

using respd::Commands;
using respd::Log;
using respd::RespParser;
using respd::Store;

bool Port(const char*, int32_t v) { return v >= 0 && v <= 65535; }
DEFINE_validator(port, &Port);

constexpr char kUsage[] =
    R"(usage: respd [flags]
A server of the Redis protocol on 127.0.0.1: PING, ECHO, SET (EX, PX, NX, XX), GET, DEL, EXISTS, INCR, EXPIRE, TTL,
SCAN, DBSIZE, QUIT; pipelining and inline commands. What it has answered to is on the disk. New keys have at most 16 KiB,
patterns 256 bytes.
Prints "listening on 127.0.0.1:PORT" when it is ready. SIGTERM and SIGINT end it.
)";

// Answers gathered before they are written, bytes.
constexpr size_t kFlushBytes = 64 << 10;
constexpr size_t kReadBytes = 16 << 10;
// A connection with more commands gives up the lock after so long.
constexpr int64_t kLockMs = 5;
// A client that takes none of its answers for so long is disconnected.
constexpr absl::Duration kWriteTime = absl::Seconds(60);
// The log is written anew when it is longer than this and than twice what is in it.
constexpr int64_t kRewriteBytes = 1 << 20;
// So much of it with each turn of the lock.
constexpr int64_t kDumpBytes = 64 << 10;
// Expired keys that are forgotten with each turn, and with each of its commands: more than a command
// adds.
constexpr int kSweepAtOnce = 20;
constexpr int kSweepForEach = 2;

int64_t NowMs() { return absl::ToUnixMillis(absl::Now()); }

std::string Text(const absl::Status& s) { return std::string(s.message()); }

class Server {
 public:
  Server(gort::Listener listener, Store* store, Log* log)
      : listener_(std::move(listener)), store_(store), log_(log), commands_(store, log) {}

  // Accepts until Stop; false: it failed.
  bool Run() {
    gort::WaitGroup running;
    bool ok = true;
    mu_.Lock();
    RewriteIfLong();
    mu_.Unlock();
    for (;;) {
      absl::StatusOr<gort::Conn> conn = listener_.Accept();
      if (conn.ok()) {
        running.Go([this, c = *std::move(conn)]() mutable { ServeOne(std::move(c)); });
        continue;
      }
      if (stopping_.load()) break;
      if (absl::IsResourceExhausted(conn.status())) continue;  // Accept has paused
      std::fprintf(stderr, "respd: %s\n", Text(conn.status()).c_str());
      ok = false;
      break;
    }
    CloseAll();
    running.Wait();
    rewriting_.Wait();
    return ok;
  }

  void Stop() {
    stopping_.store(true);
    listener_.Close().IgnoreError();
  }

 private:
  void ServeOne(gort::Conn conn) {
    conns_mu_.Lock();
    const bool late = all_closed_;
    if (!late) conns_.insert(&conn);
    conns_mu_.Unlock();
    if (late) return;
    Serve(&conn);
    conns_mu_.Lock();
    conns_.erase(&conn);
    conns_mu_.Unlock();
  }

  // Loses nothing: a command that was not answered was not promised.
  void CloseAll() {
    conns_mu_.Lock();
    all_closed_ = true;
    for (gort::Conn* conn : conns_) conn->Close().IgnoreError();
    conns_mu_.Unlock();
  }

  void Serve(gort::Conn* conn) {
    RespParser parser;
    std::vector<char> buffer(kReadBytes);
    std::string out;
    for (bool more = true; more;) {
      absl::StatusOr<size_t> n = conn->Read(absl::MakeSpan(buffer));
      if (!n.ok() || *n == 0) return;
      parser.Feed(std::string_view(buffer.data(), *n));
      for (bool all = false; more && !all;) {
        const uint64_t place = ExecuteSome(&parser, &out, &more, &all);
        if (out.empty()) continue;
        if (!log_->WaitDurable(place)) Die();
        if (!conn->SetWriteDeadline(absl::Now() + kWriteTime).ok() || !conn->Write(out).ok()) {
          return;
        }
        out.clear();
      }
      if (out.capacity() > kFlushBytes) out.shrink_to_fit();
    }
    // What the client still sends is read and thrown away, for a while. To close a socket with
    // unread data would reset the connection, perhaps before the client has read why.
    if (!conn->CloseWrite().ok()) return;
    conn->SetReadDeadline(absl::Now() + absl::Seconds(1)).IgnoreError();
    for (int reads = 0; reads < 64; ++reads) {
      absl::StatusOr<size_t> n = conn->Read(absl::MakeSpan(buffer));
      if (!n.ok() || *n == 0) return;
    }
  }

  // Carries commands out until there are no more (*all), the connection is to end (!*more), the
  // answers have become long, or other clients have waited. Returns the place in the log on which
  // the answers depend.
  uint64_t ExecuteSome(RespParser* parser, std::string* out, bool* more, bool* all) {
    std::vector<std::string_view> args;
    // Parsed outside of the lock, because the first command may be long. The commands behind it
    // came with one read.
    RespParser::Result result = parser->Next(&args);
    if (result == RespParser::Result::kMore) {
      *all = true;
      return 0;
    }
    const int64_t now = NowMs();
    int sweep = kSweepAtOnce;
    mu_.Lock();
    for (;;) {
      sweep += kSweepForEach;
      if (result == RespParser::Result::kError) {
        respd::RespError(parser->error(), out);
        *more = false;
      } else {
        *more = commands_.Execute(args, now, out);
      }
      if (!*more || out->size() >= kFlushBytes || NowMs() - now >= kLockMs) break;
      result = parser->Next(&args);
      if (result == RespParser::Result::kMore) {
        *all = true;
        break;
      }
    }
    store_->Sweep(now, sweep);
    RewriteIfLong();
    const uint64_t place = log_->appended();
    mu_.Unlock();
    return place;
  }

  void RewriteIfLong() {  // requires mu_
    const int64_t most = std::max({kRewriteBytes, 2 * store_->bytes(), rewrite_again_});
    if (rewrites_ || log_->size() <= most || !log_->read_only().empty()) return;
    rewrites_ = true;
    rewriting_.Go([this] {
      const absl::Status s = Rewrite();
      if (!s.ok()) std::fprintf(stderr, "respd: %s\n", Text(s).c_str());
      mu_.Lock();
      rewrites_ = false;
      // What has failed is not tried again and again.
      rewrite_again_ = s.ok() ? 0 : 2 * log_->size();
      mu_.Unlock();
    });
  }

  // Clients go on meanwhile: what they change is in the new log too (log.h).
  absl::Status Rewrite() {
    mu_.Lock();
    absl::Status s = log_->BeginRewrite();
    mu_.Unlock();
    if (!s.ok()) return s;
    uint64_t cursor = 0;
    do {
      mu_.Lock();
      cursor = store_->Dump(cursor, NowMs(), kDumpBytes,
                            [this](std::string_view record) { log_->Rewrite(record); });
      mu_.Unlock();
      s = log_->FlushRewrite(cursor == 0);
    } while (s.ok() && cursor != 0);
    if (s.ok()) return log_->FinishRewrite();
    log_->AbandonRewrite();
    return s;
  }

  // Ends the process: a server that cannot write its log can promise nothing.
  [[noreturn]] void Die() {
    std::fprintf(stderr, "respd: %s\n", log_->Failure().c_str());
    std::_Exit(1);
  }

  gort::Listener listener_;
  std::atomic<bool> stopping_{false};
  gort::Mutex mu_;  // guards *store_, commands_, and appending to *log_
  Store* const store_;
  Log* const log_;
  Commands commands_;
  gort::WaitGroup rewriting_;
  bool rewrites_ = false;      // guarded by mu_
  int64_t rewrite_again_ = 0;  // the same; not before the log has this size
  gort::Mutex conns_mu_;
  std::set<gort::Conn*> conns_;  // guarded by conns_mu_
  bool all_closed_ = false;      // the same
};

int Complain(const std::string& what) {
  std::fprintf(stderr, "respd: %s\n", what.c_str());
  return 1;
}

}  // namespace

int gort_main(int argc, char** argv) {
  const std::vector<std::string> rest = apps::ParseFlags(argc, argv, kUsage, __FILE__);
  if (!rest.empty()) apps::BadUsage("what is '" + rest[0] + "'?");
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }

  Store store;
  int64_t torn = 0;
  absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(
      FLAGS_dir, [&](std::string_view record) { return store.Replay(record); }, &torn);
  if (!log.ok()) return Complain(Text(log.status()));
  if (!(*log)->read_only().empty()) {
    std::fprintf(stderr, "respd: %s; serving reads only\n", (*log)->read_only().c_str());
  } else if (torn > 0) {
    std::fprintf(stderr, "respd: cut off %lld bytes of a record that was not finished\n",
                 static_cast<long long>(torn));
  }

  absl::StatusOr<gort::Listener> listener =
      gort::Listen("tcp", "127.0.0.1:" + std::to_string(FLAGS_port));
  if (!listener.ok()) return Complain(Text(listener.status()));
  if (!apps::CatchEndSignals()) return Complain("cannot catch signals");
  std::printf("listening on %s\n", listener->Addr().c_str());
  std::fflush(stdout);

  gort::WaitGroup writing;
  writing.Go([&] { (*log)->Run(); });
  Server server(*std::move(listener), &store, log->get());
  gort::WaitGroup stopping;
  stopping.Go([&server] {
    if (apps::WaitForEndSignal()) server.Stop();
  });
  const bool ok = server.Run();
  if (!ok) raise(SIGTERM);  // server must not go before who waits for the signal
  stopping.Wait();
  (*log)->Stop();
  writing.Wait();
  return ok ? 0 : 1;
}
