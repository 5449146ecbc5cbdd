// tests/anycode/curl.cc: libcurl against a server of HTTP in another process.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

// The server: answers each request with its path. It runs in a fork of a process that may have
// threads, so it allocates nothing and calls only what is allowed there.
class Answers {
 public:
  Answers(int listener, timespec delay) : delay_(delay) { fds_[count_++] = {listener, POLLIN, 0}; }
  [[noreturn]] void Run() {
    for (;;) {
      poll(fds_, count_, -1);
      nanosleep(&delay_, nullptr);
      poll(fds_, count_, 0);
      if (fds_[0].revents != 0 && count_ < kMost) {
        fds_[count_++] = {accept(fds_[0].fd, nullptr, nullptr), POLLIN, 0};
      }
      for (nfds_t i = 1; i < count_; ++i) {
        if (fds_[i].revents == 0 || Answer(fds_[i].fd)) continue;
        close(fds_[i].fd);
        fds_[i--] = fds_[--count_];
      }
    }
  }

 private:
  static constexpr nfds_t kMost = 1000;
  static constexpr size_t kPath = 8;  // "/1234567"

  // False when the client has gone. A request is small and comes in one piece.
  static bool Answer(int fd) {
    char request[4000];
    const ssize_t n = recv(fd, request, sizeof(request), 0);
    constexpr size_t kMethod = 4;  // "GET "
    if (n < static_cast<ssize_t>(kMethod + kPath)) return false;
    char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n/.......";
    for (size_t i = 0; i < kPath; ++i) {
      answer[sizeof(answer) - 1 - kPath + i] = request[kMethod + i];
    }
    return send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0;
  }

  pollfd fds_[kMost];
  nfds_t count_ = 0;
  timespec delay_;
};

class Server {
 public:
  // One that takes so long for whatever has come meanwhile.
  explicit Server(timespec delay) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    ExpectCall(0, bind(listener, any, size), "bind");
    ExpectCall(0, listen(listener, 1000), "listen");
    ExpectCall(0, getsockname(listener, any, &size), "getsockname");
    port_ = ntohs(address.sin_port);
    static Answers answers(listener, delay);
    child_ = fork();
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      answers.Run();
    }
    close(listener);
  }
  ~Server() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  int port() const { return port_; }

 private:
  int port_ = 0;
  pid_t child_ = -1;
};

size_t Append(char* bytes, size_t size, size_t n, void* text) {
  static_cast<std::string*>(text)->append(bytes, size * n);
  return size * n;
}

void Get(CURL* curl, int port, int64_t number) {
  const std::string path = "/" + std::to_string(1'000'000 + number % 1'000'000);
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + path;
  std::string body;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) Wrong("%s: %s", url.c_str(), curl_easy_strerror(code));
  Expect(body == path, "the server's answer");
}

std::shared_ptr<Server> StartServer(timespec delay) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  return std::make_shared<Server>(delay);
}

// One connection for each worker, which it keeps.
template <int kDelayMs>
Task KeepAlive(int) {
  auto server = StartServer({0, kDelayMs * 1'000'000});
  return {[server](Worker& w) {
    CURL* curl = curl_easy_init();
    for (int64_t i = w.index() * 10'000; w.Next(); ++i) Get(curl, server->port(), i);
    curl_easy_cleanup(curl);
  }};
}

// A new connection for each request.
Task Connect(int) {
  auto server = StartServer({0, 0});
  return {[server](Worker& w) {
    for (int64_t i = w.index() * 10'000; w.Next(); ++i) {
      CURL* curl = curl_easy_init();
      Get(curl, server->port(), i);
      curl_easy_cleanup(curl);
    }
  }};
}

// Two transfers at a time in one worker.
Task Multi(int) {
  auto server = StartServer({0, 0});
  return {[server](Worker& w) {
    CURLM* multi = curl_multi_init();
    std::vector<CURL*> both = {curl_easy_init(), curl_easy_init()};
    std::vector<std::string> bodies(both.size());
    const std::string url = "http://127.0.0.1:" + std::to_string(server->port()) + "/1234567";
    for (size_t i = 0; i < both.size(); ++i) {
      curl_easy_setopt(both[i], CURLOPT_URL, url.c_str());
      curl_easy_setopt(both[i], CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(both[i], CURLOPT_WRITEFUNCTION, Append);
      curl_easy_setopt(both[i], CURLOPT_WRITEDATA, &bodies[i]);
    }
    while (w.Next()) {
      for (CURL* curl : both) curl_multi_add_handle(multi, curl);
      for (int running = 1; running != 0;) {
        ExpectEq(CURLM_OK, curl_multi_perform(multi, &running), "curl_multi_perform");
        if (running != 0) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
      }
      for (size_t i = 0; i < both.size(); ++i) {
        Expect(bodies[i] == "/1234567", "the server's answer");
        bodies[i].clear();
        curl_multi_remove_handle(multi, both[i]);
      }
    }
    for (CURL* curl : both) curl_easy_cleanup(curl);
    curl_multi_cleanup(multi);
  }};
}

}  // namespace

Family Curl() {
  return {"curl",
          {{"curl_keep_alive", KeepAlive<0>},
           {"curl_slow_server", KeepAlive<5>},
           {"curl_connect", Connect},
           {"curl_multi", Multi}}};
}

}  // namespace anycode
