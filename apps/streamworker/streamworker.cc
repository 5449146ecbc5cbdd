// apps/streamworker/streamworker.cc: goroutines that work off a Redis stream.
//
// hiredis is made for one thread for each connection, and here each goroutine has a connection and
// makes plain blocking calls. A call that waits keeps a thread and no processor (redis_client.h), so
// a thousand waiting goroutines leave GOMAXPROCS=1 free for those that have work.
//
// No entry is lost: a worker stores the result before it acknowledges the entry, and when a process
// dies, others claim the entries that it has not acknowledged. A job may be done twice; therefore
// the result depends on the entry alone and is stored under the entry's id.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gflags/gflags.h"
#include "gort/apps/common/end_signal.h"
#include "gort/apps/common/flags.h"
#include "gort/apps/streamworker/redis_client.h"
#include "gort/apps/streamworker/redis_group.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/timer/sleep.h"

DEFINE_string(redis, "127.0.0.1:6379", "the server: host:port, or the path of a unix socket");
DEFINE_string(stream, "jobs", "stream to work off; made if it is not there");
DEFINE_string(group, "workers", "consumer group, made if it is not there");
DEFINE_string(consumer, "", "name of this process within the group; empty: host-pid");
DEFINE_string(results, "", "hash for the results; empty: the stream's name with ':results'");
DEFINE_int32(workers, 16, "goroutines, each with a connection of its own");
DEFINE_int32(count, 10, "entries that a goroutine fetches at once");
DEFINE_int32(claim_idle_ms, 30'000,
             "entries that somebody fetched so long ago and did not acknowledge are taken over; "
             "longer than --count jobs take");
DEFINE_bool(until_empty, false, "end when nothing is left, neither new nor unacknowledged");
DEFINE_int32(work_ms, 0, "how much longer than it needs to a job takes");
DEFINE_double(patience_seconds, 10, "for a server that does not answer, or is gone");

namespace {

using streamworker::RedisClient;
using streamworker::StreamEntry;
using streamworker::StreamGroup;

bool Workers(const char*, int32_t v) { return v >= 1 && v <= 5000; }
bool Count(const char*, int32_t v) { return v >= 1 && v <= 10'000; }
bool ClaimIdle(const char*, int32_t v) { return v >= 1; }
bool NotNegative(const char*, int32_t v) { return v >= 0; }
bool Seconds(const char*, double v) { return v >= 0.1 && v < 1e6; }
bool Address(const char*, const std::string& v) { return RedisClient::CheckAddress(v).ok(); }
bool Name(const char*, const std::string& v) { return !v.empty(); }
DEFINE_validator(workers, &Workers);
DEFINE_validator(count, &Count);
DEFINE_validator(claim_idle_ms, &ClaimIdle);
DEFINE_validator(work_ms, &NotNegative);
DEFINE_validator(patience_seconds, &Seconds);
DEFINE_validator(redis, &Address);
DEFINE_validator(stream, &Name);
DEFINE_validator(group, &Name);

constexpr char kUsage[] =
    R"(usage: streamworker [flags]
Works off a consumer group of a Redis stream, for example after
    redis-cli XADD jobs '*' text 'some words to count'
The job: count the words in an entry's field "text" and store the number in a hash under the entry's id. Run as many of
these processes as you like, and kill them: what one leaves behind the others take over. SIGTERM and SIGINT end it when
it has done what it has fetched.
)";

// hiredis calls getaddrinfo, which needs more stack than goroutines usually have.
constexpr size_t kStackBytes = 1 << 20;
// The longest and shortest time after which a worker looks for a signal, the end, or work.
constexpr absl::Duration kLongestWait = absl::Seconds(1);
constexpr absl::Duration kShortestWait = absl::Milliseconds(20);

int64_t CountWords(const std::string& text) {
  int64_t words = 0;
  bool in_word = false;
  for (char c : text) {
    const bool space = c == ' ' || (c >= '\t' && c <= '\r');
    if (!space && !in_word) ++words;
    in_word = !space;
  }
  return words;
}

std::string DoJob(const StreamEntry& entry) {
  gort::Sleep(absl::Milliseconds(FLAGS_work_ms));
  for (const auto& [name, value] : entry.fields) {
    if (name == "text") return std::to_string(CountWords(value));
  }
  return "no text";  // acknowledged as well: another try would end the same way
}

class Pool {
 public:
  Pool(StreamGroup group, std::string results)
      : group_(std::move(group)),
        results_(std::move(results)),
        idle_(absl::Milliseconds(FLAGS_claim_idle_ms)),
        wait_(std::clamp(idle_ / 2, kShortestWait,
                         FLAGS_until_empty ? 5 * kShortestWait : kLongestWait)),
        patience_(absl::Seconds(FLAGS_patience_seconds)) {}

  // Finds out whether the server is there and can do what we need.
  absl::Status Prepare() const {
    absl::StatusOr<RedisClient> client = Dial();
    if (!client.ok()) return client.status();
    if (absl::Status s = group_.Create(&*client); !s.ok()) return About(group_.stream, s);
    // Fails if `results_` is no hash. Otherwise each job would be done and its result refused.
    absl::StatusOr<RedisClient::Reply> length = client->Call({"HLEN", results_});
    return length.ok() ? absl::OkStatus() : About(results_, length.status());
  }

  // Returns when all workers have ended: after Stop, with nothing left to do, or with an error.
  absl::Status Run() {
    gort::WaitGroup running;
    running.Add(FLAGS_workers);
    for (int i = 0; i < FLAGS_workers; ++i) {
      gort::Go(gort::GoOptions{kStackBytes, "worker"}, [this, &running] {
        Work();
        running.Done();
      });
    }
    running.Wait();
    return error_;
  }

  void Stop() { stopping_.store(true); }

  int64_t processed() const { return processed_.load(); }
  int64_t claimed() const { return claimed_.load(); }

 private:
  static absl::Status About(const std::string& key, const absl::Status& s) {
    if (!absl::IsFailedPrecondition(s)) return s;
    return absl::FailedPreconditionError("key '" + key + "': " + std::string(s.message()));
  }

  absl::StatusOr<RedisClient> Dial() const {
    // Longer than we ask the server to wait.
    return RedisClient::Dial(FLAGS_redis, wait_ + patience_);
  }

  // Connects again for as long as patience lasts. The entries fetched over a connection that broke
  // still belong to this consumer, and are claimed like those of others.
  void Work() {
    absl::Time connected = absl::Now();
    while (!stopping_.load()) {
      absl::StatusOr<RedisClient> client = Dial();
      absl::Status s = client.status();
      if (s.ok()) {
        s = WorkOver(&*client);
        connected = absl::Now();
      }
      if (s.ok()) return;
      if (!absl::IsUnavailable(s) || absl::Now() - connected > patience_) return Fail(s);
      gort::Sleep(kShortestWait);
    }
  }

  void Fail(const absl::Status& s) {
    error_mu_.Lock();
    if (error_.ok()) error_ = s;
    error_mu_.Unlock();
    Stop();
  }

  // Works until Stop or until nothing is left (ok), or until the connection fails.
  absl::Status WorkOver(RedisClient* client) {
    while (!stopping_.load()) {
      const bool claim = TimeToClaim();
      absl::StatusOr<std::vector<StreamEntry>> entries =
          claim ? group_.Claim(client, FLAGS_count, idle_)
                : group_.ReadNew(client, FLAGS_count, wait_);
      if (!entries.ok()) return About(group_.stream, entries.status());
      if (claim && !entries->empty()) next_claim_.store(0);  // there may be more
      for (const StreamEntry& entry : *entries) {
        absl::StatusOr<RedisClient::Reply> stored =
            client->Call({"HSET", results_, entry.id, DoJob(entry)});
        if (!stored.ok()) return About(results_, stored.status());
        if (absl::Status s = group_.Acknowledge(client, entry.id); !s.ok()) return s;
        processed_.fetch_add(1);
        if (claim) claimed_.fetch_add(1);
      }
      if (!FLAGS_until_empty || claim || !entries->empty()) continue;
      absl::StatusOr<int64_t> pending = group_.Pending(client);
      if (!pending.ok()) return pending.status();
      if (*pending == 0) return absl::OkStatus();
    }
    return absl::OkStatus();
  }

  // True for one goroutine in each `wait_`.
  bool TimeToClaim() {
    const int64_t now = absl::ToUnixNanos(absl::Now());
    int64_t next = next_claim_.load();
    return now >= next &&
           next_claim_.compare_exchange_strong(next, now + absl::ToInt64Nanoseconds(wait_));
  }

  const StreamGroup group_;
  const std::string results_;
  const absl::Duration idle_;
  const absl::Duration wait_;
  const absl::Duration patience_;
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> next_claim_{0};
  std::atomic<int64_t> processed_{0};
  std::atomic<int64_t> claimed_{0};
  gort::Mutex error_mu_;
  absl::Status error_;  // guarded by error_mu_ while the goroutines run
};

std::string DefaultConsumer() {
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  return std::string(host) + "-" + std::to_string(getpid());
}

int Complain(const absl::Status& s) {
  std::fprintf(stderr, "streamworker: %s\n", std::string(s.message()).c_str());
  return 1;
}

}  // namespace

int gort_main(int argc, char** argv) {
  const std::vector<std::string> rest = apps::ParseFlags(argc, argv, kUsage, __FILE__);
  if (!rest.empty()) apps::BadUsage("what is '" + rest[0] + "'?");
  signal(SIGPIPE, SIG_IGN);  // hiredis may write to a connection that is gone
  if (!apps::CatchEndSignals()) {
    return Complain(absl::InternalError("cannot catch signals"));
  }
  const std::string consumer = FLAGS_consumer.empty() ? DefaultConsumer() : FLAGS_consumer;
  Pool pool(StreamGroup{FLAGS_stream, FLAGS_group, consumer},
            FLAGS_results.empty() ? FLAGS_stream + ":results" : FLAGS_results);
  if (absl::Status s = pool.Prepare(); !s.ok()) return Complain(s);
  std::printf("%s: %d goroutines work on '%s'\n", consumer.c_str(), FLAGS_workers,
              FLAGS_stream.c_str());
  std::fflush(stdout);
  gort::Go([&pool] {
    if (apps::WaitForEndSignal()) pool.Stop();
  });
  const absl::Status s = pool.Run();
  std::printf("processed %lld entries, %lld of them claimed\n",
              static_cast<long long>(pool.processed()), static_cast<long long>(pool.claimed()));
  return s.ok() ? 0 : Complain(s);
}
