// What of the log is there after the power was cut, whatever it was doing: everything that was
// acknowledged.
#include "gort/apps/respd/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gort/apps/respd/disk.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gtest/gtest.h"

namespace respd {
namespace {

// A disk whose power goes with its n-th call, which is not carried out, nor is any later one. What
// was not synced is lost then, or `kept` parts of four of it.
class PowerDisk : public Disk {
 public:
  PowerDisk(std::string dir, int n, int kept) : dir_(std::move(dir)), left_(n), kept_(kept) {}

  int Append(int fd, std::string_view data) override {
    if (!Powered()) return EIO;
    files_.emplace(Inode(fd), SizeOf(fd));  // what was there before is durable
    return Disk::Append(fd, data);
  }
  int Sync(int fd) override {
    if (!Powered()) return EIO;
    files_[Inode(fd)] = SizeOf(fd);
    return 0;
  }
  int Truncate(int fd, int64_t size) override { return Powered() ? Disk::Truncate(fd, size) : EIO; }
  int Reserve(int, int64_t, int64_t) override { return Powered() ? 0 : EIO; }
  int Rename(int dir_fd, const char* from, const char* to) override {
    if (!Powered()) return EIO;
    EXPECT_EQ(linkat(dir_fd, to, dir_fd, "before", 0), 0);
    to_ = to;
    return Disk::Rename(dir_fd, from, to);
  }
  int SyncDir(int dir_fd) override {
    if (!Powered()) return EIO;
    unlinkat(dir_fd, "before", 0);
    to_.clear();
    return 0;
  }

  bool cut() const { return left_ < 0; }
  // The files as they are when the power comes back; their users are gone.
  void Restore() {
    if (!to_.empty()) {
      EXPECT_EQ(rename((dir_ + "/before").c_str(), (dir_ + '/' + to_).c_str()), 0);
    }
    for (const char* name : {"/respd.log", "/respd.log.new"}) {
      struct stat st;
      if (stat((dir_ + name).c_str(), &st) != 0 || files_.count(st.st_ino) == 0) continue;
      const int64_t synced = files_[st.st_ino];
      EXPECT_EQ(truncate((dir_ + name).c_str(), synced + (st.st_size - synced) * kept_ / 4), 0);
    }
  }

 private:
  bool Powered() {
    if (left_ >= 0) --left_;
    return left_ >= 0;
  }
  static ino_t Inode(int fd) { return Stat(fd).st_ino; }
  static int64_t SizeOf(int fd) { return Stat(fd).st_size; }
  static struct stat Stat(int fd) {
    struct stat st;
    EXPECT_EQ(fstat(fd, &st), 0);
    return st;
  }

  const std::string dir_;
  int left_;  // calls; below 0: no power
  const int kept_;
  std::map<ino_t, int64_t> files_;  // how much of each is durable
  std::string to_;                  // a name whose change is not durable yet
};

class LogTest : public ::testing::Test {
 protected:
  LogTest() { EXPECT_NE(mkdtemp(dir_), nullptr); }
  ~LogTest() override {
    Clear();
    rmdir(dir_);
  }
  void Clear() {
    for (const char* name : {"/respd.log", "/respd.log.new", "/before"}) {
      unlink((dir_ + std::string(name)).c_str());
    }
  }
  std::unique_ptr<Log> Open(std::set<std::string>* records, Disk* disk = Disk::Real()) {
    int64_t torn = 0;
    absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(
        dir_,
        [&](std::string_view record) {
          records->emplace(record);
          return true;
        },
        &torn, disk);
    if (log.ok()) return *std::move(log);
    ADD_FAILURE() << log.status();
    return nullptr;
  }
  static void InGort(const std::function<void()>& body) {
    gort::Run([&body] {
      body();
      return 0;
    });
  }

  // The log's own goroutine beside `body`.
  static void Running(Log* log, const std::function<void()>& body) {
    gort::WaitGroup running;
    running.Go([log] { log->Run(); });
    body();
    log->Stop();
    running.Wait();
  }

  char dir_[32] = "/tmp/gort_log_testXXXXXX";
};

// Writes, and a rewrite of the log with writes before, during and after it.
void Use(Log* log, std::set<std::string>* acknowledged) {
  std::set<std::string> appended;
  const auto append = [&](const std::string& record) {
    const uint64_t place = log->Append(record);
    appended.insert(record);
    if (log->WaitDurable(place)) *acknowledged = appended;
  };
  for (int i = 0; i < 3; ++i) append("before " + std::to_string(i));
  if (log->BeginRewrite().ok()) {
    append("while it is written anew");
    for (const std::string& record : appended) log->Rewrite(record);
    if (log->FlushRewrite(true).ok()) {
      append("before it takes the other's place");
      log->FinishRewrite().IgnoreError();
    } else {
      log->AbandonRewrite();
    }
  }
  for (int i = 0; i < 3; ++i) append("after " + std::to_string(i));
}

TEST_F(LogTest, WhatWasAcknowledgedSurvivesAPowerCutAtAnyCall) {
  InGort([this] {
    bool cut = true;
    for (int n = 0; cut; ++n) {
      for (const int kept : {0, 1, 3, 4}) {
        Clear();
        PowerDisk disk(dir_, n, kept);
        std::set<std::string> acknowledged, found;
        {
          std::unique_ptr<Log> log = Open(&found, &disk);
          ASSERT_NE(log, nullptr);
          if (log->read_only().empty()) Running(log.get(), [&] { Use(log.get(), &acknowledged); });
        }
        disk.Restore();
        cut = disk.cut();
        ASSERT_EQ(acknowledged.size() == 8, !cut) << n;
        ASSERT_NE(Open(&found), nullptr) << "cut at call " << n << ", " << kept << " of 4 kept";
        for (const std::string& record : acknowledged) {
          EXPECT_EQ(found.count(record), 1u)
              << record << ", cut at call " << n << ", " << kept << " of 4 kept";
        }
      }
    }
  });
}

TEST_F(LogTest, ARewrittenLogHoldsWhatWasPutAndAppended) {
  InGort([this] {
    std::set<std::string> found;
    {
      std::unique_ptr<Log> log = Open(&found);
      Running(log.get(), [&] {
        EXPECT_TRUE(log->WaitDurable(log->Append("old")));
        // One that is given up leaves the old one.
        ASSERT_TRUE(log->BeginRewrite().ok());
        EXPECT_TRUE(log->WaitDurable(log->Append("meanwhile")));
        log->AbandonRewrite();
        ASSERT_TRUE(log->BeginRewrite().ok());
        log->Append("in the queue");
        log->Rewrite("put");
        EXPECT_TRUE(log->FinishRewrite().ok());
        EXPECT_TRUE(log->WaitDurable(log->appended()));
        EXPECT_TRUE(log->WaitDurable(log->Append("new")));
        struct stat st;
        ASSERT_EQ(stat((dir_ + std::string("/respd.log")).c_str(), &st), 0);
        EXPECT_EQ(log->size(), st.st_size);
      });
    }
    Open(&found);
    EXPECT_EQ(found, (std::set<std::string>{"in the queue", "put", "new"}));
    EXPECT_NE(access((dir_ + std::string("/respd.log.new")).c_str(), F_OK), 0);
  });
}

// A disk that fails from some time on.
class FullDisk : public Disk {
 public:
  int Append(int fd, std::string_view data) override {
    return full ? ENOSPC : Disk::Append(fd, data);
  }
  int Reserve(int, int64_t, int64_t) override { return full ? ENOSPC : 0; }
  int SyncDir(int dir_fd) override { return bad_dir ? EIO : Disk::SyncDir(dir_fd); }
  bool full = false;
  bool bad_dir = false;
};

// Nobody knows which of the two logs the next start will find.
TEST_F(LogTest, NothingIsAcknowledgedAfterAnUncertainRename) {
  InGort([this] {
    FullDisk disk;
    std::set<std::string> found;
    std::unique_ptr<Log> log = Open(&found, &disk);
    Running(log.get(), [&] {
      EXPECT_TRUE(log->WaitDurable(log->Append("kept")));
      ASSERT_TRUE(log->BeginRewrite().ok());
      log->Rewrite("kept");
      const uint64_t place = log->Append("meanwhile");
      disk.bad_dir = true;
      EXPECT_FALSE(log->FinishRewrite().ok());
      EXPECT_FALSE(log->WaitDurable(place));
      EXPECT_FALSE(log->WaitDurable(log->Append("later")));
    });
    log = nullptr;
    Open(&found);
    EXPECT_EQ(found.count("kept"), 1u);
  });
}

TEST_F(LogTest, AFullDiskLeavesTheLogReadable) {
  InGort([this] {
    FullDisk disk;
    std::set<std::string> found;
    {
      std::unique_ptr<Log> log = Open(&found, &disk);
      Running(log.get(), [&] {
        EXPECT_TRUE(log->WaitDurable(log->Append("kept")));
        disk.full = true;
        ASSERT_TRUE(log->BeginRewrite().ok());
        log->Rewrite("kept");
        EXPECT_EQ(log->FlushRewrite(true).message(),
                  "cannot write " + std::string(dir_) + "/respd.log.new: No space left on device");
        log->AbandonRewrite();
        EXPECT_FALSE(log->WaitDurable(log->Append("lost")));
        EXPECT_EQ(log->Failure(),
                  "cannot write " + std::string(dir_) + "/respd.log: No space left on device");
      });
    }
    std::unique_ptr<Log> log = Open(&found, &disk);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(found, (std::set<std::string>{"kept"}));
    EXPECT_EQ(log->read_only(),
              "cannot write " + std::string(dir_) + "/respd.log: No space left on device");
    EXPECT_TRUE(log->WaitDurable(log->appended()));
    log = nullptr;
    disk.full = false;
    EXPECT_EQ(Open(&found, &disk)->read_only(), "");
  });
}

}  // namespace
}  // namespace respd
