// apps/treewc/treewc.cc: counts the lines, words and bytes of every regular file below some
// directories.
//
//   walker --jobs--> readers --results--> collector
//
// One goroutine walks the tree, a fixed number of them read and count files, and the main goroutine
// adds up, in the order of the walk: what it prints is what
//
//   find DIR... -type f -print0 | xargs -0 cat | wc
//
// prints in the same locale, also where one file ends in the middle of a word and the next one goes
// on with it. At most --window files are between walker and collector, however long one of them
// takes.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/apps/treewc/count.h"
#include "gort/apps/treewc/name.h"
#include "gort/apps/treewc/read.h"
#include "gort/apps/treewc/walk.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/timer/timer.h"

DEFINE_int32(readers, 0, "files read at once; 0: four for each processor, from 8 to 64");
DEFINE_int32(window, 256, "files known and not yet added up, at most");
DEFINE_int32(chunk_kib, 256, "size of a reader's buffer in KiB");
DEFINE_string(progress, "auto",
              "line of progress on stderr: always, never, or auto: if it is a terminal");

namespace {

using treewc::Counts;
using treewc::FilePlace;
using treewc::QuoteName;

bool FromOne(const char*, int32_t v) { return v >= 1; }
bool Readers(const char*, int32_t v) { return v >= 0 && v <= 4096; }
bool Chunk(const char*, int32_t v) { return v >= 1 && v <= 1 << 20; }
bool Progress(const char*, const std::string& v) {
  return v == "auto" || v == "always" || v == "never";
}
DEFINE_validator(readers, &Readers);
DEFINE_validator(window, &FromOne);
DEFINE_validator(chunk_kib, &Chunk);
DEFINE_validator(progress, &Progress);

constexpr char kUsage[] =
    R"(usage: treewc [flags] DIR...
Counts lines, words and bytes of every regular file below the directories (or of the files) given.
Symbolic links are not followed; FIFOs, sockets and devices are passed over.

Prints on stdout
    LINES WORDS BYTES total
    N files
The counts are those of `find DIR... -type f -print0 | xargs -0 cat | wc`, words being what wc takes for
words in the locale of the environment (UTF-8, or else as in LC_ALL=C).

What cannot be read is named on stderr, and the rest counted. Exit status: 0; 1 if something could not
be read; 2 for bad usage.
)";

// A file to count, with its place in the order of the walk.
struct Job {
  uint64_t seq = 0;
  FilePlace place;
};

// What became of a job, or what the walk could not look at.
struct Outcome {
  uint64_t seq = 0;
  bool counted = false;
  Counts counts;
  std::string complaint;  // empty: none
};

std::string Complaint(const FilePlace& place, const char* what, int error) {
  const std::string name = QuoteName(place.Path());
  if (error == 0) return name + " is no longer a regular file";
  return std::string("cannot ") + what + " " + name + ": " + strerrordesc_np(error);
}

class TreeWc {
 public:
  TreeWc(std::vector<std::string> roots, int readers, int window)
      : roots_(std::move(roots)),
        readers_(readers),
        slots_(window),
        pending_(static_cast<size_t>(window)),
        jobs_(gort::MakeChan<Job>(static_cast<size_t>(readers))),
        outcomes_(gort::MakeChan<Outcome>(static_cast<size_t>(readers))) {}

  // Returns the exit status.
  int Run() {
    mode_ = treewc::TextModeOfLocale();
    gort::Go([this] { WalkAll(); });
    gort::WaitGroup running;
    for (int i = 0; i < readers_; ++i) running.Go([this] { Reader(); });
    gort::Go([this, &running] {
      running.Wait();
      outcomes_.Close();
    });
    if (FLAGS_progress == "always" || (FLAGS_progress == "auto" && isatty(STDERR_FILENO) != 0)) {
      ticks_ = gort::NewTicker(absl::Milliseconds(100)).C();
    }
    Collect();
    ShowProgress(false);
    return Report();
  }

 private:
  void WalkAll() {
    uint64_t seq = 0;
    treewc::WalkCallbacks callbacks;
    callbacks.file = [&](FilePlace place) {
      slots_.Acquire();
      jobs_.Send(Job{seq++, std::move(place)});
    };
    callbacks.failed = [&](const FilePlace& place, const char* what, int error) {
      slots_.Acquire();
      outcomes_.Send(Outcome{seq++, false, {}, Complaint(place, what, error)});
    };
    for (const std::string& root : roots_) treewc::Walk(root, callbacks);
    jobs_.Close();
  }

  void Reader() {
    std::vector<char> buffer(static_cast<size_t>(FLAGS_chunk_kib) << 10);
    for (const Job& job : jobs_) {
      treewc::FileResult r = treewc::CountFile(job.place, mode_, &buffer, &bytes_read_);
      Outcome outcome{job.seq, r.what == nullptr, r.counts, {}};
      if (r.what != nullptr) outcome.complaint = Complaint(job.place, r.what, r.error);
      outcomes_.Send(std::move(outcome));
    }
  }

  void Collect() {
    for (bool more = true; more;) {
      gort::Select(gort::OnRecv(outcomes_,
                                [&](std::optional<Outcome> outcome) {
                                  more = outcome.has_value();
                                  if (more) Arrived(*std::move(outcome));
                                }),
                   gort::OnRecv(ticks_, [&](std::optional<absl::Time>) { ShowProgress(true); }));
    }
  }

  // Outcomes come in any order. Each waits in pending_ for its turn and keeps its slot, so there
  // are never more than a window of them.
  void Arrived(Outcome outcome) {
    const uint64_t window = pending_.size();
    pending_[outcome.seq % window] = std::move(outcome);
    for (; pending_[turn_ % window].has_value(); ++turn_) {
      Outcome& next = *pending_[turn_ % window];
      total_.Append(next.counts);
      if (next.counted) ++files_;
      if (!next.complaint.empty()) {
        ++complaints_;
        ShowProgress(false);
        std::fprintf(stderr, "treewc: %s\n", next.complaint.c_str());
      }
      pending_[turn_ % window].reset();
      slots_.Release();
    }
  }

  void ShowProgress(bool show) {
    if (!ticks_) return;
    std::string line = "\r\x1b[K";
    if (show) {
      char text[80];
      std::snprintf(text, sizeof text, "%" PRIu64 " files, %.1f MB", files_,
                    static_cast<double>(bytes_read_.load(std::memory_order_relaxed)) / 1e6);
      line += text;
    } else if (!shown_) {
      return;
    }
    shown_ = show;
    std::fputs(line.c_str(), stderr);
  }

  int Report() {
    if (complaints_ > 0) {
      std::fprintf(stderr, "treewc: %" PRIu64 " could not be read\n", complaints_);
    }
    std::printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " total\n%" PRIu64 " files\n", total_.lines,
                total_.words, total_.bytes, files_);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      std::fprintf(stderr, "treewc: cannot write the totals\n");
      return 1;
    }
    return complaints_ > 0 ? 1 : 0;
  }

  const std::vector<std::string> roots_;
  const int readers_;
  treewc::TextMode mode_ = treewc::TextMode::kBytes;
  gort::Semaphore slots_;
  std::vector<std::optional<Outcome>> pending_;  // by seq, modulo the window
  const gort::Chan<Job> jobs_;
  const gort::Chan<Outcome> outcomes_;
  gort::RecvChan<absl::Time> ticks_;  // nil: no progress line
  std::atomic<uint64_t> bytes_read_{0};
  // The collector's.
  uint64_t turn_ = 0;
  Counts total_;
  uint64_t files_ = 0;
  uint64_t complaints_ = 0;
  bool shown_ = false;
};

// The window that the limit of descriptors allows: each file in it may hold a directory open, each
// reader holds a file, and the walk holds its levels.
int AffordableWindow(int window, int readers) {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return window;
  const int64_t others = treewc::kOpenLevels + readers + 32;
  const int64_t left = static_cast<int64_t>(limit.rlim_cur) - others;
  return static_cast<int>(std::clamp<int64_t>(left, 1, window));
}

}  // namespace

int gort_main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  std::vector<std::string> roots = apps::ParseFlags(argc, argv, kUsage, __FILE__);
  if (roots.empty()) apps::BadUsage("which directory?");
  for (const std::string& root : roots) {
    struct stat st;
    if (root.empty()) apps::BadUsage("a directory's name cannot be empty");
    if (lstat(root.c_str(), &st) == 0 && S_ISLNK(st.st_mode)) {
      std::fprintf(stderr, "treewc: %s is a symbolic link and not followed; add a / to do so\n",
                   QuoteName(root).c_str());
    }
  }
  int readers = FLAGS_readers;
  if (readers == 0) readers = std::clamp(4 * gort::GOMAXPROCS(0), 8, 64);
  TreeWc wc(std::move(roots), readers, AffordableWindow(FLAGS_window, readers));
  return wc.Run();
}
