#include "gort/trace/internal/spill.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gort::rt {
namespace {

int OpenNameless(const char* folder) { return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }

// The folder of a path, into a buffer.
void FolderOf(const char* path, char* folder, size_t size) {
  const char* slash = strrchr(path, '/');
  const size_t n = slash == nullptr ? 0 : slash == path ? 1 : static_cast<size_t>(slash - path);
  if (n == 0 || n >= size) {
    memcpy(folder, ".", 2);
    return;
  }
  memcpy(folder, path, n);
  folder[n] = '\0';
}

}  // namespace

Spill::~Spill() {
  if (mapped_ != nullptr) munmap(mapped_, chunks_ * kChunkBytes);
  if (fd_ >= 0) close(fd_);
}

bool Spill::Open() {
  if (fd_ >= 0) return true;
  char folder[4096];
  FolderOf(path_, folder, sizeof folder);
  fd_ = OpenNameless(folder);
  if (fd_ < 0) fd_ = OpenNameless("/tmp");
  if (fd_ < 0) fd_ = memfd_create("gort-trace", MFD_CLOEXEC);
  if (fd_ < 0) error_ = errno;
  return fd_ >= 0;
}

void Spill::Write(const Chunk& chunk) {
  const char* from = reinterpret_cast<const char*>(&chunk);
  for (size_t done = 0; done < kChunkBytes && error_ == 0;) {
    const ssize_t n = write(fd_, from + done, kChunkBytes - done);
    if (n > 0) done += static_cast<size_t>(n);
    if (n < 0 && errno != EINTR) error_ = errno;
  }
  if (error_ == 0) ++chunks_;
}

void Spill::Take() {
  for (int s = 0; s < kStreams && error_ == 0; ++s) {
    while (error_ == 0 && Open()) {
      Chunk* c = TakeComplete(s);
      if (c == nullptr) break;
      // In the file this word says whose it is.
      c->next.store(reinterpret_cast<Chunk*>(static_cast<uintptr_t>(s)), std::memory_order_relaxed);
      Write(*c);
      RecycleChunk(c);
    }
  }
}

bool Spill::Chains(Chunk** firsts) {
  for (int s = 0; s < kStreams; ++s) firsts[s] = lasts_[s] = nullptr;
  if (chunks_ != 0) {
    void* p = mmap(nullptr, chunks_ * kChunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd_, 0);
    if (p == MAP_FAILED) {
      error_ = errno;
      chunks_ = 0;
    } else {
      mapped_ = static_cast<Chunk*>(p);
    }
  }
  const auto append = [&](uintptr_t s, Chunk* c) {
    (lasts_[s] != nullptr ? lasts_[s]->next.store(c, std::memory_order_relaxed)
                          : void(firsts[s] = c));
    lasts_[s] = c;
  };
  for (size_t i = 0; i < chunks_; ++i) {
    Chunk* c = mapped_ + i;
    const auto s = reinterpret_cast<uintptr_t>(c->next.load(std::memory_order_relaxed));
    c->next.store(nullptr, std::memory_order_relaxed);
    append(s, c);
  }
  for (int s = 0; s < kStreams; ++s) {
    if (Chunk* c = StreamFirst(s); c != nullptr) append(static_cast<uintptr_t>(s), c);
  }
  return error_ == 0;
}

}  // namespace gort::rt
