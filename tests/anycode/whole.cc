// tests/anycode/whole.cc: system calls that move many bytes and return when all are moved, unless a
// signal comes.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

constexpr size_t kWords = 64 << 10;
constexpr size_t kBytes = kWords * sizeof(int64_t);
using Block = std::vector<int64_t>;

// An unequal few.
struct Pieces {
  explicit Pieces(Block& block) {
    char* at = reinterpret_cast<char*>(block.data());
    const size_t sizes[] = {1000, kBytes / 2, 0, kBytes / 2 - 1000};
    for (size_t i = 0; i < 4; at += sizes[i++]) pieces[i] = {at, sizes[i]};
    message.msg_iov = pieces;
    message.msg_iovlen = 4;
  }
  iovec pieces[4];
  msghdr message = {};
};

struct PipeEnds {
  PipeEnds() { ExpectCall(0, pipe2(ends, O_CLOEXEC), "pipe2"); }
  int ends[2];
};
struct SocketEnds {
  SocketEnds() {
    ExpectCall(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
  }
  int ends[2];
};

// One partner sends blocks of rising numbers, each by one call. The other receives them: by one call
// each (All), or as they come.
void Send(Worker& w, int fd, int64_t (*send)(int, Block&)) {
  Block block(kWords);
  for (int64_t v = 0; w.Next();) {
    for (int64_t& word : block) word = v++;
    ExpectCall(kBytes, send(fd, block), "a call to send");
  }
  close(fd);
}

void Receive(int fd, int64_t (*receive)(int, Block&)) {
  Block block(kWords);
  int64_t v = 0;
  for (int64_t n = 0; (n = receive(fd, block)) != 0;) {
    if (AnyWrong()) break;
    ExpectCall(kBytes, n, "a call to receive");
    for (const int64_t word : block) {
      if (word != v++) return ExpectEq(v - 1, word, "what was sent");
    }
  }
  close(fd);
}

template <class Ends>
Task Through(int workers, int64_t (*send)(int, Block&), int64_t (*receive)(int, Block&)) {
  auto lanes = std::make_shared<std::vector<Ends>>(static_cast<size_t>(workers / 2));
  return {[=](Worker& w) {
    if ((w.index() | 1) >= w.workers()) return void(w.Next());
    const Ends& lane = (*lanes)[static_cast<size_t>(w.index() / 2)];
    if (w.leads()) {
      Send(w, lane.ends[1], send);
    } else {
      Receive(lane.ends[0], receive);
    }
  }};
}

int64_t ReadAll(int fd, Block& block) {
  char* at = reinterpret_cast<char*>(block.data());
  size_t done = 0;
  while (done < kBytes) {
    const int64_t n = read(fd, at + done, kBytes - done);
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<int64_t>(done);
}
int64_t Recv(int fd, Block& block) { return recv(fd, block.data(), kBytes, MSG_WAITALL); }
int64_t Recvmsg(int fd, Block& block) {
  Pieces p(block);
  return recvmsg(fd, &p.message, MSG_WAITALL);
}

int64_t Write(int fd, Block& block) { return write(fd, block.data(), kBytes); }
int64_t SendAll(int fd, Block& block) { return send(fd, block.data(), kBytes, MSG_NOSIGNAL); }
int64_t Writev(int fd, Block& block) { return writev(fd, Pieces(block).pieces, 4); }
int64_t Sendmsg(int fd, Block& block) {
  const Pieces p(block);
  return sendmsg(fd, &p.message, MSG_NOSIGNAL);
}
int64_t SendFile(int fd, Block& block) {
  const int file = memfd_create("anycode", MFD_CLOEXEC);
  ExpectCall(kBytes, pwrite(file, block.data(), kBytes, 0), "pwrite");
  off_t offset = 0;
  const int64_t n = sendfile(fd, file, &offset, kBytes);
  ExpectEq(n, offset, "the offset behind sendfile");
  close(file);
  return n;
}

Task WholeWrite(int n) { return Through<PipeEnds>(n, Write, ReadAll); }
Task WholeSend(int n) { return Through<SocketEnds>(n, SendAll, Recv); }
Task WholeWritev(int n) { return Through<SocketEnds>(n, Writev, Recvmsg); }
Task WholeSendmsg(int n) { return Through<SocketEnds>(n, Sendmsg, Recvmsg); }
Task WholeSendfile(int n) { return Through<SocketEnds>(n, SendFile, Recv); }

Task Getrandom(int) {
  return {[](Worker& w) {
    std::vector<char> bytes(kBytes);
    while (w.Next()) ExpectCall(kBytes, getrandom(bytes.data(), kBytes, 0), "getrandom");
  }};
}

template <const char* kPath>
Task ReadDevice(int) {
  return {[](Worker& w) {
    const int fd = open(kPath, O_RDONLY | O_CLOEXEC);
    std::vector<char> bytes(kBytes);
    while (w.Next()) ExpectCall(kBytes, read(fd, bytes.data(), kBytes), kPath);
    close(fd);
  }};
}

constexpr char kUrandom[] = "/dev/urandom";
constexpr char kZero[] = "/dev/zero";

}  // namespace

Family Whole() {
  return {"whole",
          {{"whole_write", WholeWrite},
           {"whole_send", WholeSend},
           {"whole_writev", WholeWritev},
           {"whole_sendmsg", WholeSendmsg},
           {"whole_sendfile", WholeSendfile},
           {"getrandom", Getrandom},
           {"urandom", ReadDevice<kUrandom>},
           {"zero", ReadDevice<kZero>}}};
}

}  // namespace anycode
