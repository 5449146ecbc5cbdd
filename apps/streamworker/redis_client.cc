#include "gort/apps/streamworker/redis_client.h"

#include <sys/time.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "gort/runtime.h"

namespace streamworker {
namespace {

struct Address {
  std::string host;  // or the path
  int port = 0;      // 0: it is a path
};

absl::StatusOr<Address> Split(const std::string& text) {
  const absl::Status bad =
      absl::InvalidArgumentError("'" + text + "' is neither host:port nor a path");
  if (text.find('\0') != text.npos) return bad;
  if (!text.empty() && text[0] == '/') return Address{text, 0};
  const size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return bad;
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != host.npos) {
    return bad;
  }
  const std::string digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 5) return bad;
  if (digits.find_first_not_of("0123456789") != digits.npos) return bad;
  const int port = std::atoi(digits.c_str());
  if (port < 1 || port > 65535) return bad;
  return Address{std::move(host), port};
}

absl::Status Lost(const std::string& address, const char* why) {
  return absl::UnavailableError("redis at " + address + ": " + why);
}

// Whether a signal came while we connected. hiredis reports that; in later calls it goes on.
bool Interrupted(const redisContext* c) {
  return c != nullptr && c->err == REDIS_ERR_IO &&
         std::strstr(c->errstr, strerror(EINTR)) != nullptr;
}

}  // namespace

absl::Status RedisClient::CheckAddress(const std::string& address) {
  return Split(address).status();
}

absl::StatusOr<RedisClient> RedisClient::Dial(const std::string& address, absl::Duration timeout) {
  absl::StatusOr<Address> to = Split(address);
  if (!to.ok()) return to.status();
  const timeval tv = absl::ToTimeval(timeout);
  Context context;
  do {
    context.reset(gort::Blocking([&] {
      return to->port == 0 ? redisConnectUnixWithTimeout(to->host.c_str(), tv)
                           : redisConnectWithTimeout(to->host.c_str(), to->port, tv);
    }));
  } while (Interrupted(context.get()));
  if (context == nullptr) return absl::ResourceExhaustedError("out of memory");
  if (context->err != 0) return Lost(address, context->errstr);
  if (redisSetTimeout(context.get(), tv) != REDIS_OK) return Lost(address, context->errstr);
  return RedisClient(std::move(context), address);
}

absl::StatusOr<RedisClient::Reply> RedisClient::Call(const std::vector<std::string>& args) {
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const std::string& arg : args) {
    texts.push_back(arg.data());
    lengths.push_back(arg.size());
  }
  Reply reply(static_cast<redisReply*>(gort::Blocking([&] {
    return redisCommandArgv(context_.get(), static_cast<int>(args.size()), texts.data(),
                            lengths.data());
  })));
  if (reply == nullptr) {
    // EAGAIN is what the kernel says when the time limit is over.
    return Lost(address_, context_->err == REDIS_ERR_IO &&
                                  std::strstr(context_->errstr, strerror(EAGAIN)) != nullptr
                              ? "no answer in time"
                              : context_->errstr);
  }
  if (reply->type == REDIS_REPLY_ERROR) {
    const std::string text(reply->str, reply->len);
    // The server has just started, and will soon be ready.
    if (text.compare(0, 8, "LOADING ") == 0) return Lost(address_, text.c_str());
    return absl::FailedPreconditionError(text);
  }
  return reply;
}

}  // namespace streamworker
