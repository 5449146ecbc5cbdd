// apps/respd/log.h: the append-only log of respd.
// What      records of bytes, of which each is there wholly or not at all after the process was
//           killed. Append only queues; a goroutine writes and fsyncs what has gathered meanwhile
//           in one go, and WaitDurable waits for that: many clients share one fsync.
// File      DIR/respd.log: per record its length, its CRC-32 and the CRC-32 of these two (4 bytes
//           each, little-endian), and the bytes. Each write begins with a mark, a record of its own
//           kind that holds its place in the file: what is before it was on the disk when it was
//           written. Of the write after the last mark a power cut may have kept any part. A bad
//           record with a mark before it and none behind is thus torn, as is one that the end of
//           the file cuts off: it was never acknowledged, and Open cuts it off with all that
//           follows. Any other bad record is not our doing: Open refuses. That includes logs from
//           before there were marks, which are read, and have one at their end from then on.
#ifndef GORT_APPS_RESPD_LOG_H_
#define GORT_APPS_RESPD_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gort/sync/sync.h"

namespace respd {

class Log {
 public:
  // Opens or makes the log in dir, locks it against other processes, and calls replay for each
  // record. dir, and what is wrong with it, is in the error. *torn: bytes that were cut off.
  static absl::StatusOr<std::unique_ptr<Log>> Open(
      const std::string& dir, const std::function<bool(std::string_view)>& replay, int64_t* torn);
  // Flush must have been called, if it matters.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Replaces the log by what `all` appends through its argument, atomically. Before the first
  // Append.
  absl::Status Rewrite(
      const std::function<void(const std::function<void(std::string_view)>&)>& all);
  // Before Run.
  int64_t size() const { return size_; }

  // Queues a record, and returns its place. The caller serialises.
  uint64_t Append(std::string_view record);
  // Place of the newest record.
  uint64_t appended() const { return appended_; }
  // Waits until the record and all before it are on the disk. False: the disk has failed, for good.
  bool WaitDurable(uint64_t place);
  // The writing goroutine: returns after Stop, when all is written.
  void Run();
  void Stop();
  // Why WaitDurable returned false.
  std::string Failure();

 private:
  Log(std::string path, int dir_fd, int fd) : path_(std::move(path)), dir_fd_(dir_fd), fd_(fd) {}
  absl::Status Load(const std::function<bool(std::string_view)>& replay, int64_t* torn);
  // Whether there is a mark from `at` on; or an errno value.
  int FindMark(int64_t at, int64_t end, bool* found) const;

  const std::string path_;
  const int dir_fd_;
  int fd_;
  int64_t size_ = 0;       // from Run on, its own
  uint64_t appended_ = 0;  // the callers' of Append

  gort::Mutex mu_;
  gort::Cond work_{mu_};
  gort::Cond done_{mu_};
  std::string queue_;    // guarded by mu_, as the next ones
  uint64_t queued_ = 0;  // place of the last record in queue_
  uint64_t durable_ = 0;
  bool stop_ = false;
  std::string failure_;
};

}  // namespace respd

#endif  // GORT_APPS_RESPD_LOG_H_
