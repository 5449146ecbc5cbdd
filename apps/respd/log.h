// apps/respd/log.h: the append-only log of respd.
// What      a sequence of records. After the process was killed, a record is there wholly or not at
//           all. Append queues a record; one goroutine writes and fsyncs all that are queued, and
//           WaitDurable waits for that: many clients share one fsync.
// File      DIR/respd.log: per record its length, its CRC-32 and the CRC-32 of these two (4 bytes
//           each, little-endian), and the bytes. Each write begins with a mark, a record of its own
//           kind that holds its place in the file. All bytes before a mark were on the disk when
//           the mark was written. Of the write after the last mark, a power cut may have kept any
//           part.
// Damage    A bad record is torn if the end of the file cuts it off, or if there is a mark before it
//           and none behind it. It was never acknowledged; Open cuts off the record and what
//           follows. Open refuses a log with any other bad record. A log without marks, from an
//           older version, is read and gets a mark at its end.
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
  // record. The error names dir and what is wrong with it. *torn: how many bytes were cut off.
  static absl::StatusOr<std::unique_ptr<Log>> Open(
      const std::string& dir, const std::function<bool(std::string_view)>& replay, int64_t* torn);
  // Records that WaitDurable has not waited for may be lost.
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
  int64_t size_ = 0;       // Run's, once it has begun
  uint64_t appended_ = 0;  // guarded by whatever the callers of Append hold

  gort::Mutex mu_;
  gort::Cond work_{mu_};
  gort::Cond done_{mu_};
  std::string queue_;    // guarded by mu_, as what follows
  uint64_t queued_ = 0;  // place of the last record in queue_
  uint64_t durable_ = 0;
  bool stop_ = false;
  std::string failure_;
};

}  // namespace respd

#endif  // GORT_APPS_RESPD_LOG_H_
