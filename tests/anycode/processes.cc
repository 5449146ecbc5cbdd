// tests/anycode/processes.cc: streams, other processes, and what the C library reads from files.
#include <dlfcn.h>
#include <execinfo.h>
#include <ftw.h>
#include <glob.h>
#include <iconv.h>
#include <link.h>
#include <locale.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <regex.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"
#include "gort/tests/anycode/scratch_dir.h"

namespace anycode {
namespace {

// All print to one stream: each line is whole, and there.
Task OneStream(int workers) {
  struct Shared {
    std::FILE* file = std::tmpfile();
    ~Shared() { std::fclose(file); }
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
            for (int64_t i = 0; w.Next(); ++i) {
              std::fprintf(s->file, "%d:%lld:%d\n", w.index(), static_cast<long long>(i),
                           w.index());
            }
          },
          [s, workers](int64_t ops) {
            std::rewind(s->file);
            std::vector<int64_t> next(static_cast<size_t>(workers));
            int a = 0, b = 0;
            long long i = 0;  // NOLINT(google-runtime-int): scanf's
            int64_t lines = 0;
            for (; std::fscanf(s->file, "%d:%lld:%d\n", &a, &i, &b) == 3; ++lines) {
              Expect(a == b && a < workers && next[static_cast<size_t>(a)]++ == i, "a line");
            }
            ExpectEq(ops, lines, "lines");
          }};
}

// A line in three pieces.
Task LockedStream(int) {
  struct Shared {
    std::FILE* file = std::tmpfile();
    ~Shared() { std::fclose(file); }
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
            while (w.Next()) {
              flockfile(s->file);
              std::fprintf(s->file, "<%d", w.index());
              Burn(10);
              std::fprintf(s->file, "=");
              Burn(10);
              std::fprintf(s->file, "%d>\n", w.index());
              funlockfile(s->file);
            }
          },
          [s](int64_t ops) {
            std::rewind(s->file);
            int a = 0, b = 0;
            int64_t lines = 0;
            for (; std::fscanf(s->file, "<%d=%d>\n", &a, &b) == 2; ++lines)
              ExpectEq(a, b, "a line");
            ExpectEq(ops, lines, "lines");
          }};
}

Task MemoryStreams(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      char* text = nullptr;
      size_t size = 0;
      std::FILE* out = open_memstream(&text, &size);
      for (int i = 0; i < 100; ++i) std::fprintf(out, "%d ", i * w.index());
      std::fclose(out);
      std::FILE* in = fmemopen(text, size, "r");
      int v = 0;
      for (int i = 0; i < 100; ++i) {
        ExpectEq(1, std::fscanf(in, "%d", &v), "fscanf");
        ExpectEq(i * w.index(), v, "a number");
      }
      std::fclose(in);
      std::free(text);
    }
  }};
}

Task Tmpfile(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      std::FILE* file = std::tmpfile();
      if (file == nullptr) return Wrong("tmpfile");
      std::fprintf(file, "%d", w.index());
      std::rewind(file);
      int v = -1;
      ExpectEq(1, std::fscanf(file, "%d", &v), "fscanf");
      ExpectEq(w.index(), v, "the number");
      std::fclose(file);
    }
  }};
}

Task Popen(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const std::string command = "echo " + std::to_string(w.index());
      std::FILE* out = popen(command.c_str(), "re");
      if (out == nullptr) return Wrong("popen");
      int v = -1;
      ExpectEq(1, std::fscanf(out, "%d", &v), "fscanf");
      ExpectEq(w.index(), v, "the number");
      ExpectCall(0, pclose(out), "pclose");
    }
  }};
}

Task System(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const int status = std::system(("exit " + std::to_string(w.index() % 100)).c_str());
      ExpectEq(w.index() % 100, WEXITSTATUS(status), "the status of the command");
    }
  }};
}

pid_t Spawn(const std::string& script) {
  std::string shell = "/bin/sh", option = "-c", command = script;
  char* arguments[] = {shell.data(), option.data(), command.data(), nullptr};
  pid_t child = -1;
  ExpectEq(0, posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ), "posix_spawn");
  return child;
}

Task SpawnAndWait(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const pid_t child = Spawn("exit " + std::to_string(w.index() % 100));
      int status = 0;
      ExpectCall(child, waitpid(child, &status, 0), "waitpid");
      ExpectEq(w.index() % 100, WEXITSTATUS(status), "the status of the command");
    }
  }};
}

Task Pidfd(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const pid_t child = Spawn("exit " + std::to_string(w.index() % 100));
      const int fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
      Expect(fd >= 0, "pidfd_open");
      pollfd ready = {fd, POLLIN, 0};
      ExpectCall(1, poll(&ready, 1, -1), "poll");
      siginfo_t info = {};
      ExpectCall(0, waitid(P_PIDFD, static_cast<id_t>(fd), &info, WEXITED), "waitid");
      ExpectEq(w.index() % 100, info.si_status, "the status of the command");
      close(fd);
    }
  }};
}

Task Fork(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const pid_t child = fork();
      if (child == 0) _exit(w.index() % 100);
      int status = 0;
      ExpectCall(child, waitpid(child, &status, 0), "waitpid");
      ExpectEq(w.index() % 100, WEXITSTATUS(status), "the status of the child");
    }
  }};
}

// The parent's thread stands until the child, on the same stack, is another program.
Task Vfork(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const std::string command = "exit " + std::to_string(w.index() % 100);
      const pid_t child = vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork): the row is
      if (child == 0) {
        execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        _exit(100);
      }
      int status = 0;
      ExpectCall(child, wait4(child, &status, 0, nullptr), "wait4");
      ExpectEq(w.index() % 100, WEXITSTATUS(status), "the status of the command");
    }
  }};
}

Task Getpwnam(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      passwd entry = {};
      passwd* found = nullptr;
      char buffer[4096];
      ExpectEq(0, getpwnam_r("root", &entry, buffer, sizeof(buffer), &found), "getpwnam_r");
      Expect(found != nullptr && found->pw_uid == 0, "root's number");
    }
  }};
}

Task Getaddrinfo(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      addrinfo hints = {};
      hints.ai_family = AF_INET;
      hints.ai_socktype = SOCK_STREAM;
      addrinfo* found = nullptr;
      ExpectEq(0, getaddrinfo("localhost", "1234", &hints, &found), "getaddrinfo");
      if (found == nullptr) return;
      char host[100];
      ExpectEq(0,
               getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), nullptr, 0,
                           NI_NUMERICHOST),
               "getnameinfo");
      Expect(std::string("127.0.0.1") == host, host);
      freeaddrinfo(found);
    }
  }};
}

Task Time(int) {
  return {[](Worker& w) {
    for (time_t t = 1'000'000'000 + w.index() * 1'000'000; w.Next(); t += 3601) {
      tzset();
      tm fields = {};
      char text[100];
      gmtime_r(&t, &fields);
      ExpectEq(19, static_cast<int64_t>(strftime(text, sizeof(text), "%F %T", &fields)),
               "strftime");
      tm again = {};
      Expect(strptime(text, "%F %T", &again) != nullptr, "strptime");
      ExpectEq(t, timegm(&again), "the time");
      localtime_r(&t, &fields);
      ExpectEq(t, mktime(&fields), "the local time");
    }
  }};
}

// Each its own locale, which is the thread's.
Task Uselocale(int) {
  return {[](Worker& w) {
    const bool utf8 = w.index() % 2 == 0;
    locale_t mine = newlocale(LC_ALL_MASK, utf8 ? "C.UTF-8" : "C", nullptr);
    while (w.Next()) {
      locale_t before = uselocale(mine);
      for (int i = 0; i < 50; ++i) {
        wchar_t wide[10];
        const size_t n = mbstowcs(wide, "\xc3\xa4\xc3\xb6", 10);
        Burn(1);
        if (utf8) ExpectEq(2, static_cast<int64_t>(n), "characters");
        if (!utf8) Expect(n == 4 || n == static_cast<size_t>(-1), "characters in C's locale");
      }
      uselocale(before);
    }
    freelocale(mine);
  }};
}

Task Iconv(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      iconv_t to = iconv_open("UTF-16LE", "UTF-8");
      Expect(to != reinterpret_cast<iconv_t>(-1), "iconv_open");
      std::string in = "gr\xc3\xbc\xc3\x9f dich " + std::to_string(w.index());
      char out[200];
      char* from = in.data();
      char* at = out;
      size_t left = in.size();
      size_t room = sizeof(out);
      ExpectCall(0, static_cast<int64_t>(iconv(to, &from, &left, &at, &room)), "iconv");
      ExpectEq(2 * (static_cast<int64_t>(in.size()) - 2), at - out, "bytes of UTF-16");
      iconv_close(to);
    }
  }};
}

Task GlobAndWalk(int) {
  auto folder = std::make_shared<ScratchDir>();
  for (int i = 0; i < 20; ++i) {
    std::fclose(std::fopen((folder->path() + "/f" + std::to_string(i)).c_str(), "w"));
  }
  return {[folder](Worker& w) {
    static thread_local int files;
    while (w.Next()) {
      glob_t found = {};
      ExpectEq(0, glob((folder->path() + "/f*").c_str(), 0, nullptr, &found), "glob");
      ExpectEq(20, static_cast<int64_t>(found.gl_pathc), "files that glob found");
      globfree(&found);
      files = 0;
      ExpectCall(0,
                 nftw(
                     folder->path().c_str(),
                     [](const char*, const struct stat*, int kind, FTW*) {
                       files += kind == FTW_F ? 1 : 0;
                       return 0;
                     },
                     10, FTW_PHYS),
                 "nftw");
      ExpectEq(20, files, "files that nftw found");
    }
  }};
}

Task Regcomp(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      regex_t pattern;
      ExpectEq(0, regcomp(&pattern, "^a+(b|c)*d([0-9]+)$", REG_EXTENDED), "regcomp");
      const std::string text = "aaabcbcd" + std::to_string(1000 + w.index());
      regmatch_t parts[3];
      ExpectEq(0, regexec(&pattern, text.c_str(), 3, parts, 0), "regexec");
      ExpectEq(4, parts[2].rm_eo - parts[2].rm_so, "digits");
      regfree(&pattern);
    }
  }};
}

Task Syslog(int) {
  return {[](Worker& w) {
    while (w.Next()) syslog(LOG_DEBUG, "worker %d", w.index());
  }};
}

__attribute__((noinline)) int FramesBelow(int depth) {
  void* frames[100];
  const int n = depth > 0 ? FramesBelow(depth - 1) : backtrace(frames, 100);
  asm volatile("" ::: "memory");
  return n;
}

Task Backtrace(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const int few = FramesBelow(1);
      Expect(FramesBelow(21) >= few + 20 || few > 50, "frames of backtrace");
    }
  }};
}

Task IteratePhdr(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      int objects = 0;
      dl_iterate_phdr(
          [](dl_phdr_info*, size_t, void* count) {
            ++*static_cast<int*>(count);
            Burn(1);
            return 0;
          },
          &objects);
      Expect(objects > 0, "objects");
    }
  }};
}

// Loads and unloads a library that nobody else needs.
Task Dlopen(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      void* library = dlopen(w.leads() ? "libutil.so.1" : "libBrokenLocale.so.1", RTLD_NOW);
      if (library == nullptr) return Wrong("%s", dlerror());
      Expect(dlsym(library, "no_such_name") == nullptr && dlerror() != nullptr, "dlsym");
      ExpectEq(0, dlclose(library), "dlclose");
    }
  }};
}

}  // namespace

Family Processes() {
  return {"processes",
          {{"one_stream", OneStream},
           {"locked_stream", LockedStream},
           {"memory_streams", MemoryStreams},
           {"tmpfile", Tmpfile},
           {"popen", Popen},
           {"system", System},
           {"posix_spawn", SpawnAndWait},
           {"pidfd", Pidfd},
           {"fork", Fork},
           {"vfork", Vfork},
           {"getpwnam", Getpwnam},
           {"getaddrinfo", Getaddrinfo},
           {"time", Time},
           {"uselocale", Uselocale},
           {"iconv", Iconv},
           {"glob", GlobAndWalk},
           {"regcomp", Regcomp},
           {"syslog", Syslog},
           {"backtrace", Backtrace},
           {"dl_iterate_phdr", IteratePhdr},
           {"dlopen", Dlopen}}};
}

}  // namespace anycode
