// Says a word to itself over TCP, with a deadline: links the network, the poller and Abseil's status. Prints the word.
#include <cstdio>
#include <string>

#include "gort/gort.h"

namespace {

int Talk() {
  absl::StatusOr<gort::Listener> listener = gort::Listen("tcp", "127.0.0.1:0");
  if (!listener.ok()) return 1;
  gort::Go([address = listener->Addr()] {
    absl::StatusOr<gort::Conn> client = gort::Dial("tcp", address);
    if (client.ok()) (void)client->Write("hello");
  });
  absl::StatusOr<gort::Conn> server = listener->Accept();
  if (!server.ok() || !server->SetReadDeadline(gort::Now() + absl::Seconds(30)).ok()) return 1;
  std::string heard;
  char buffer[16];
  for (;;) {
    absl::StatusOr<size_t> n = server->Read(absl::MakeSpan(buffer));
    if (!n.ok()) return 1;
    if (*n == 0) break;
    heard.append(buffer, *n);
  }
  std::printf("heard %s\n", heard.c_str());
  return 0;
}

}  // namespace

int main() { return gort::Run(&Talk); }
