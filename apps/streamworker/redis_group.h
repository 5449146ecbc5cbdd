// apps/streamworker/redis_group.h: a consumer group of a Redis stream, as one of its consumers sees it.
// What      an entry that a consumer has read belongs to it until it is acknowledged. If the
//           consumer dies, another one can claim the entry after a while. So each entry is
//           delivered at least once, and perhaps more often.
// Errors    as in redis_client.h.
#ifndef GORT_APPS_STREAMWORKER_REDIS_GROUP_H_
#define GORT_APPS_STREAMWORKER_REDIS_GROUP_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gort/apps/streamworker/redis_client.h"

namespace streamworker {

struct StreamEntry {
  std::string id;  // "1700000000000-0"
  std::vector<std::pair<std::string, std::string>> fields;
};

struct StreamGroup {
  std::string stream;
  std::string group;
  std::string consumer;

  // Makes the group and the stream, if they are not there. A new group begins with the oldest
  // entry.
  absl::Status Create(RedisClient* client) const;
  // At most `count` entries that no consumer was given yet. None: no entry came within `wait`.
  absl::StatusOr<std::vector<StreamEntry>> ReadNew(RedisClient* client, int count,
                                                   absl::Duration wait) const;
  // At most `count` entries that were given to any consumer at least `idle` ago and not
  // acknowledged since. For the claimed entries that time begins anew.
  absl::StatusOr<std::vector<StreamEntry>> Claim(RedisClient* client, int count,
                                                 absl::Duration idle) const;
  absl::Status Acknowledge(RedisClient* client, const std::string& id) const;
  // How many entries were given to a consumer and not acknowledged.
  absl::StatusOr<int64_t> Pending(RedisClient* client) const;

 private:
  absl::Status AcknowledgeDeleted(RedisClient* client) const;
};

}  // namespace streamworker

#endif  // GORT_APPS_STREAMWORKER_REDIS_GROUP_H_
