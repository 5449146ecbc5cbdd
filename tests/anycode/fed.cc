// tests/anycode/fed.cc: system calls that wait for data, which a thread of the row's own brings late.
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

constexpr std::chrono::milliseconds kWait{20};

// One worker's own queue, pipe or whatever it is.
class Lane {
 public:
  virtual ~Lane() = default;
  // The worker's: makes ready, without waiting.
  virtual void Prepare() {}
  // The worker's: waits for Feed, and checks what it gets.
  virtual void Call() = 0;
  // The feeder's, from its thread: once for each Call.
  virtual void Feed() = 0;
};

// Feeds every lane some time after its worker asked.
class Feeder {
 public:
  explicit Feeder(std::vector<std::unique_ptr<Lane>> lanes)
      : lanes_(std::move(lanes)), asked_(lanes_.size()), thread_([this] { Feed(); }) {}
  ~Feeder() {
    stop_.store(true);
    thread_.join();
  }
  void Work(Worker& w) {
    const auto i = static_cast<size_t>(w.index());
    while (w.Next()) {
      lanes_[i]->Prepare();
      asked_[i].store(Clock::now().time_since_epoch().count());
      lanes_[i]->Call();
    }
  }

 private:
  void Feed() {
    while (!stop_.load()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      const int64_t due = (Clock::now() - kWait).time_since_epoch().count();
      for (size_t i = 0; i < lanes_.size(); ++i) {
        const int64_t asked = asked_[i].load();
        if (asked == 0 || asked > due) continue;
        asked_[i].store(0);
        lanes_[i]->Feed();
      }
    }
  }

  const std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::atomic<int64_t>> asked_;  // when; 0: not, or fed
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

template <class Make>
Task FeedEach(int workers, Make make) {
  std::vector<std::unique_ptr<Lane>> lanes;
  for (int i = 0; i < workers; ++i) lanes.push_back(make(i));
  auto feeder = std::make_shared<Feeder>(std::move(lanes));
  return {.work = [feeder](Worker& w) { feeder->Work(w); }, .waits = kWait};
}

template <class L>
Task FedRow(int workers) {
  return FeedEach(workers, [](int) { return std::make_unique<L>(); });
}

// Two descriptors: what goes into `in` comes out of `out`.
struct Pipe {
  Pipe() {
    int both[2];
    ExpectCall(0, pipe(both), "pipe");
    out = both[0];
    in = both[1];
  }
  ~Pipe() {
    close(in);
    close(out);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void Put(int64_t v) { ExpectCall(sizeof(v), write(in, &v, sizeof(v)), "write"); }
  void ExpectGet(int64_t want) {
    int64_t v = -1;
    ExpectCall(sizeof(v), read(out, &v, sizeof(v)), "read");
    ExpectEq(want, v, "what came out");
  }
  int in, out;
};

class SpliceLane : public Lane {
  void Call() override {
    ExpectCall(8, splice(from_.out, nullptr, to_.in, nullptr, 8, 0), "splice");
    to_.ExpectGet(round_++);
  }
  void Feed() override { from_.Put(fed_++); }

  Pipe from_, to_;
  int64_t round_ = 0, fed_ = 0;
};

class TeeLane : public Lane {
  void Call() override {
    ExpectCall(8, tee(from_.out, to_.in, 8, 0), "tee");
    from_.ExpectGet(round_);
    to_.ExpectGet(round_++);
  }
  void Feed() override { from_.Put(fed_++); }

  Pipe from_, to_;
  int64_t round_ = 0, fed_ = 0;
};

class Preadv2Lane : public Lane {
  void Call() override {
    int64_t v = -1;
    const iovec part = {&v, sizeof(v)};
    ExpectCall(8, preadv2(pipe_.out, &part, 1, -1, 0), "preadv2");
    ExpectEq(round_++, v, "what came out");
  }
  void Feed() override { pipe_.Put(fed_++); }

  Pipe pipe_;
  int64_t round_ = 0, fed_ = 0;
};

struct SocketPair {
  explicit SocketPair(int type) {
    ExpectCall(0, socketpair(AF_UNIX, type, 0, ends.data()), "socketpair");
  }
  ~SocketPair() {
    for (int end : ends) close(end);
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  std::array<int, 2> ends;
};

// Waits for two datagrams.
class RecvmmsgLane : public Lane {
  void Call() override {
    int64_t values[2] = {};
    iovec parts[2];
    mmsghdr messages[2] = {};
    for (int i : {0, 1}) {
      parts[i] = {&values[i], sizeof(values[i])};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    ExpectCall(2, recvmmsg(pair_.ends[0], messages, 2, 0, nullptr), "recvmmsg");
    for (int64_t v : values) ExpectEq(round_++, v, "what came out");
  }
  void Feed() override {
    for (int i = 0; i < 2; ++i, ++fed_) {
      ExpectCall(8, send(pair_.ends[1], &fed_, sizeof(fed_), 0), "send");
    }
  }

  SocketPair pair_{SOCK_DGRAM};
  int64_t round_ = 0, fed_ = 0;
};

// Waits for room in a socket, which is full.
class SendfileLane : public Lane {
 public:
  SendfileLane() { ExpectCall(0, ftruncate(file_, kSize), "ftruncate"); }
  ~SendfileLane() override { close(file_); }

 private:
  static constexpr int kSize = 8192;

  void Prepare() override {
    char bytes[kSize] = {};
    while (send(pair_.ends[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
  }
  void Call() override {
    off_t from = 0;
    ExpectCall(kSize, sendfile(pair_.ends[0], file_, &from, kSize), "sendfile");
  }
  void Feed() override {
    char bytes[kSize];
    while (recv(pair_.ends[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
  }

  SocketPair pair_{SOCK_STREAM};
  const int file_ = memfd_create("anycode", MFD_CLOEXEC);
};

class MqReceiveLane : public Lane {
 public:
  explicit MqReceiveLane(int index) {
    const std::string name =
        "/gort-anycode-" + std::to_string(getpid()) + "-" + std::to_string(index);
    mq_attr attributes = {};
    attributes.mq_maxmsg = 1;
    attributes.mq_msgsize = sizeof(int64_t);
    queue_ = mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    Expect(queue_ >= 0, "mq_open");
    mq_unlink(name.c_str());
  }
  ~MqReceiveLane() override { mq_close(queue_); }

 private:
  void Call() override {
    int64_t v = -1;
    ExpectCall(8, mq_receive(queue_, reinterpret_cast<char*>(&v), sizeof(v), nullptr),
               "mq_receive");
    ExpectEq(round_++, v, "what came out");
  }
  void Feed() override {
    ExpectCall(0, mq_send(queue_, reinterpret_cast<const char*>(&fed_), sizeof(fed_), 0),
               "mq_send");
    ++fed_;
  }

  mqd_t queue_;
  int64_t round_ = 0, fed_ = 0;
};

Task MqReceive(int workers) {
  return FeedEach(workers, [](int i) { return std::make_unique<MqReceiveLane>(i); });
}

// One set for all, a semaphore for each.
struct Semaphores {
  explicit Semaphores(int n) : id(semget(IPC_PRIVATE, n, 0600)) { Expect(id >= 0, "semget"); }
  ~Semaphores() { semctl(id, 0, IPC_RMID); }
  Semaphores(const Semaphores&) = delete;
  Semaphores& operator=(const Semaphores&) = delete;
  const int id;
};

class SemopLane : public Lane {
 public:
  SemopLane(std::shared_ptr<Semaphores> all, int index)
      : all_(std::move(all)), index_(static_cast<uint16_t>(index)) {}

 private:
  void Call() override { Add(-1); }
  void Feed() override { Add(1); }
  void Add(int16_t n) {
    sembuf op = {index_, n, 0};
    ExpectCall(0, semop(all_->id, &op, 1), "semop");
  }

  const std::shared_ptr<Semaphores> all_;
  const uint16_t index_;
};

Task Semop(int workers) {
  auto all = std::make_shared<Semaphores>(workers);
  return FeedEach(workers, [all](int i) { return std::make_unique<SemopLane>(all, i); });
}

// One queue for all, a type of message for each.
struct Messages {
  Messages() : id(msgget(IPC_PRIVATE, 0600)) { Expect(id >= 0, "msgget"); }
  ~Messages() { msgctl(id, IPC_RMID, nullptr); }
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;
  const int id;
};

class MsgrcvLane : public Lane {
 public:
  MsgrcvLane(std::shared_ptr<Messages> all, int index) : all_(std::move(all)), type_(index + 1) {}

 private:
  struct Message {
    long type;  // NOLINT(google-runtime-int): the call's
    int64_t value;
  };
  void Call() override {
    Message m = {};
    ExpectCall(8, msgrcv(all_->id, &m, sizeof(m.value), type_, 0), "msgrcv");
    ExpectEq(round_++, m.value, "what came out");
  }
  void Feed() override {
    const Message m = {type_, fed_++};
    ExpectCall(0, msgsnd(all_->id, &m, sizeof(m.value), 0), "msgsnd");
  }

  const std::shared_ptr<Messages> all_;
  const int type_;
  int64_t round_ = 0, fed_ = 0;
};

Task Msgrcv(int workers) {
  auto all = std::make_shared<Messages>();
  return FeedEach(workers, [all](int i) { return std::make_unique<MsgrcvLane>(all, i); });
}

// The newest of them: kernels before 5.16, and emulators, have none.
class FutexWaitvLane : public Lane {
  struct Wait {
    uint64_t value, address;
    uint32_t flags, reserved;
  };
  static constexpr int kSysFutexWaitv = 449;
  static constexpr uint32_t kSize32Private = 2 | FUTEX_PRIVATE_FLAG;

  void Call() override {
    Wait wait = {static_cast<uint64_t>(round_), reinterpret_cast<uint64_t>(&word_), kSize32Private,
                 0};
    while (word_.load() == static_cast<uint32_t>(round_)) {
      const int64_t got = syscall(kSysFutexWaitv, &wait, 1, 0, nullptr, 0);
      if (got < 0 && errno == ENOSYS) {
        word_.wait(static_cast<uint32_t>(round_));
      } else if (got < 0 && errno != EAGAIN) {
        ExpectCall(0, got, "futex_waitv");
        return;
      }
    }
    ++round_;
  }
  void Feed() override {
    word_.fetch_add(1);
    syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    word_.notify_all();
  }

  std::atomic<uint32_t> word_{0};
  int64_t round_ = 0;
};

}  // namespace

Family Fed() {
  return {"fed",
          {{"semop", Semop},
           {"msgrcv", Msgrcv},
           {"mq_receive", MqReceive},
           {"recvmmsg", FedRow<RecvmmsgLane>},
           {"splice", FedRow<SpliceLane>},
           {"tee", FedRow<TeeLane>},
           {"sendfile", FedRow<SendfileLane>},
           {"preadv2", FedRow<Preadv2Lane>},
           {"futex_waitv", FedRow<FutexWaitvLane>}}};
}

}  // namespace anycode
