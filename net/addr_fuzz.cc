// Any text as an address: understood, or refused with the text in the message; what is understood
// is understood again from what it is shown as.
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "gort/net/addr.h"
#include "gort/tests/fuzz/fuzz.h"

namespace {

using gort::SocketAddr;
using gort::fuzz::Check;

void IsRefusal(const absl::Status& s, std::string_view text) {
  Check(absl::IsInvalidArgument(s), "refusal is kInvalidArgument", text);
  const std::string message(s.message());
  Check(message.find(gort::rt::Quoted(text)) != message.npos, "message has the text", message);
  for (char c : message) Check(static_cast<unsigned char>(c) >= 0x20, "message is one line", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  auto parts = gort::rt::SplitHostPort(text);
  if (parts.ok()) {
    Check(parts->host.size() + parts->port.size() < text.size(), "halves are shorter", text);
    const int port = gort::rt::ParsePort(parts->port);
    Check(port >= -2 && port <= 65535, "port is in range", text);
  } else {
    IsRefusal(parts.status(), text);
  }

  auto addr = SocketAddr::Parse(text);
  if (addr.ok()) {
    Check(parts.ok(), "an address has two halves", text);
    Check(addr->family() == AF_INET || addr->family() == AF_INET6, "family", text);
    const std::string shown = addr->ToString();
    auto again = SocketAddr::Parse(shown);
    Check(again.ok(), "what is shown can be parsed", shown);
    Check(again->ToString() == shown && again->port() == addr->port(), "and is the same", shown);
  } else {
    IsRefusal(addr.status(), text);
  }

  auto path = SocketAddr::Unix(text);
  if (path.ok()) {
    Check(path->ToString() == text, "a path is shown as it is", text);
    const SocketAddr copy(path->raw(), path->size());
    Check(copy == *path, "a copy from the raw form is equal", text);
  } else {
    IsRefusal(path.status(), text);
  }
  return 0;
}
