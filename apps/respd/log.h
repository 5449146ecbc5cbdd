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

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gort/apps/respd/disk.h"
#include "gort/sync/sync.h"

namespace respd {

class Log {
 public:
  // Opens or makes the log in dir, locks it against other processes, and calls replay for each
  // record. The error names dir and what is wrong with it. *torn: how many bytes were cut off. A log
  // that is there, and cannot be written, is opened for reading: read_only(). disk must outlive the
  // object.
  static absl::StatusOr<std::unique_ptr<Log>> Open(
      const std::string& dir, const std::function<bool(std::string_view)>& replay, int64_t* torn,
      Disk* disk = Disk::Real());
  // Records that WaitDurable has not waited for may be lost.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Bytes of the file.
  int64_t size() const { return size_.load(std::memory_order_relaxed); }
  // Why nothing can be appended; empty: it can. Const after Open.
  const std::string& read_only() const { return read_only_; }

  // Queues a record, and returns its place. The caller serialises. Not when read_only().
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

  // ---- a shorter log in this one's place, while it is in use ----
  // Between Begin and Finish the new log gets whatever is appended, and what Rewrite adds: records
  // that say how things are at that moment. The caller serialises Begin and Rewrite with Append; the
  // others may be called beside it, by the goroutine that began.

  absl::Status BeginRewrite();
  void Rewrite(std::string_view record);
  // Writes what has been gathered, if it is much or `all` is true.
  absl::Status FlushRewrite(bool all);
  // Run puts the new log, with all that was appended, in the old one's place. After an error the old
  // one stays. Needs Run.
  absl::Status FinishRewrite();
  // The old log stays.
  void AbandonRewrite();

 private:
  enum class Handover : uint8_t { kNone, kWanted, kDone };

  Log(std::string path, int dir_fd, int fd, Disk* disk)
      : path_(std::move(path)), dir_fd_(dir_fd), fd_(fd), disk_(disk) {}
  absl::Status Load(const std::function<bool(std::string_view)>& replay, int64_t* torn);
  absl::Status Replay(const std::function<bool(std::string_view)>& replay, int64_t end,
                      int64_t* good, bool* ends_with_mark);
  int MakeWritable(int64_t good, bool cut, bool ends_with_mark);
  // Whether there is a mark from `at` on; or an errno value.
  int FindMark(int64_t at, int64_t end, bool* found) const;
  int WriteQueued(std::string* writing);
  int TakeOver(const std::string& tail, bool* replaced);
  void EndRewrite();

  const std::string path_;
  const int dir_fd_;
  int fd_;  // Run's, once it has begun
  Disk* const disk_;
  std::string read_only_;
  std::atomic<int64_t> size_{0};  // written by Run, once it has begun
  uint64_t appended_ = 0;         // guarded by whatever the callers of Append hold

  gort::Mutex mu_;
  gort::Cond work_{mu_};
  gort::Cond done_{mu_};
  std::string queue_;    // guarded by mu_, as what follows
  uint64_t queued_ = 0;  // place of the last record in queue_
  uint64_t durable_ = 0;
  bool stop_ = false;
  std::string failure_;
  bool rewriting_ = false;
  std::string tail_;  // of the new log: not yet written to it
  Handover handover_ = Handover::kNone;
  int handover_error_ = 0;

  int new_fd_ = -1;       // of the goroutine that rewrites, and Run's while handover_ is kWanted
  int64_t new_size_ = 0;  // the same
};

}  // namespace respd

#endif  // GORT_APPS_RESPD_LOG_H_
