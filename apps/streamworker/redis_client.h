// apps/streamworker/redis_client.h: a connection to a Redis server through hiredis, for one goroutine.
// What      hiredis as it is: blocking calls, each inside gort::Blocking, so that the goroutine
//           keeps its thread while it waits and its processor goes to others.
// Locking   none: a connection belongs to one goroutine at a time, as hiredis says.
// Errors    kUnavailable: there is no connection (any more); Dial anew. kFailedPrecondition: the
//           server's error answer, whose text is the message; the connection goes on.
//           kInvalidArgument: what cannot be an address.
#ifndef GORT_APPS_STREAMWORKER_REDIS_CLIENT_H_
#define GORT_APPS_STREAMWORKER_REDIS_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hiredis/hiredis.h"

namespace streamworker {

class RedisClient {
 public:
  struct FreeReply {
    void operator()(redisReply* r) const { freeReplyObject(r); }
  };
  using Reply = std::unique_ptr<redisReply, FreeReply>;

  // kInvalidArgument unless `address` is "host:port", "[ip6]:port" or the path of a unix socket,
  // which begins with '/'.
  static absl::Status CheckAddress(const std::string& address);

  // Connects. `timeout` limits connecting, and each wait for the network in later calls. Looking up
  // a name needs a goroutine with a large stack.
  static absl::StatusOr<RedisClient> Dial(const std::string& address, absl::Duration timeout);

  // Sends a command, its name first, and waits for the answer. An error answer is an error here.
  absl::StatusOr<Reply> Call(const std::vector<std::string>& args);

 private:
  struct FreeContext {
    void operator()(redisContext* c) const { redisFree(c); }
  };
  using Context = std::unique_ptr<redisContext, FreeContext>;

  RedisClient(Context context, std::string address)
      : context_(std::move(context)), address_(std::move(address)) {}

  Context context_;
  std::string address_;  // for messages
};

}  // namespace streamworker

#endif  // GORT_APPS_STREAMWORKER_REDIS_CLIENT_H_
