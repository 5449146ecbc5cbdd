// net/testing/fake_lookup.h: the C library's getaddrinfo, as a test wants it. A test that includes this
// defines getaddrinfo and freeaddrinfo, and so no name is looked up anywhere else.
#ifndef GORT_NET_TESTING_FAKE_LOOKUP_H_
#define GORT_NET_TESTING_FAKE_LOOKUP_H_

#include <netdb.h>

#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "gort/net/addr.h"

namespace gort::testing {

// What getaddrinfo answers, and what it was asked.
struct FakeLookup {
  struct Answer {
    int error = 0;
    int system_error = 0;                // errno, for EAI_SYSTEM
    std::vector<SocketAddr> addrs = {};  // with error 0
    bool held = false;                   // not before Release
  };
  struct Question {
    bool has_host;
    bool has_service;
    int family;
    int type;
    int flags;
  };

  // By host; without an entry: EAI_NONAME.
  void Set(const std::string& host, const Answer& answer) {
    std::lock_guard<std::mutex> l(mu);
    answers[host] = answer;
  }
  // Lets n of those that are held return.
  void Release(int n) {
    std::lock_guard<std::mutex> l(mu);
    released += n;
    changed.notify_all();
  }
  int Inside() {
    std::lock_guard<std::mutex> l(mu);
    return inside;
  }
  // How often this host was asked for.
  int Asked(const std::string& host) {
    std::lock_guard<std::mutex> l(mu);
    return asked[host];
  }
  Question Last() {
    std::lock_guard<std::mutex> l(mu);
    return last;
  }

  int Ask(const char* host, const char* service, const addrinfo* hints, addrinfo** list) {
    std::unique_lock<std::mutex> l(mu);
    last = {host != nullptr, service != nullptr, hints->ai_family, hints->ai_socktype,
            hints->ai_flags};
    ++asked[host != nullptr ? host : ""];
    const auto found = answers.find(host != nullptr ? host : "");
    if (found == answers.end()) return EAI_NONAME;
    const Answer answer = found->second;
    ++inside;
    if (answer.held) {
      changed.wait(l, [this] { return released > 0; });
      --released;
    }
    --inside;
    *list = nullptr;
    addrinfo** end = list;
    for (const SocketAddr& addr : answer.addrs) {
      auto* node = new Node{};
      node->addr = addr;
      node->ai_family = addr.family();
      node->ai_addr = const_cast<sockaddr*>(node->addr.raw());
      node->ai_addrlen = addr.size();
      *end = node;
      end = &node->ai_next;
    }
    l.unlock();
    errno = answer.system_error;
    return answer.error;
  }
  static void Free(addrinfo* list) {
    while (list != nullptr) {
      addrinfo* const next = list->ai_next;
      delete static_cast<Node*>(list);
      list = next;
    }
  }

  struct Node : addrinfo {
    SocketAddr addr;
  };

  std::mutex mu;
  std::condition_variable changed;
  std::map<std::string, Answer> answers;
  std::map<std::string, int> asked;
  Question last = {};
  int inside = 0;
  int released = 0;
};

inline FakeLookup fake_lookup;

}  // namespace gort::testing

extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                           addrinfo** list) {
  return gort::testing::fake_lookup.Ask(host, service, hints, list);
}
extern "C" void freeaddrinfo(addrinfo* list) noexcept { gort::testing::FakeLookup::Free(list); }

#endif  // GORT_NET_TESTING_FAKE_LOOKUP_H_
