#include "gort/apps/streamworker/redis_group.h"

#include <cstddef>

namespace streamworker {
namespace {

bool IsArray(const redisReply* r, size_t at_least) {
  return r != nullptr && r->type == REDIS_REPLY_ARRAY && r->elements >= at_least;
}

std::string Text(const redisReply* r) {
  return r->type == REDIS_REPLY_STRING ? std::string(r->str, r->len) : std::string();
}

absl::Status Strange(const char* command) {
  return absl::InternalError(std::string("an answer to ") + command + " that is none");
}

std::string Milliseconds(absl::Duration d) { return std::to_string(absl::ToInt64Milliseconds(d)); }

// Parses [[id, [name, value, …]], …]. An entry with null for its fields was deleted meanwhile, and
// has none. Before Redis 7, claiming a deleted entry gives null for the entry: *nameless.
bool Entries(const redisReply* list, std::vector<StreamEntry>* entries, bool* nameless) {
  if (!IsArray(list, 0)) return false;
  for (size_t i = 0; i < list->elements; ++i) {
    const redisReply* one = list->element[i];
    if (one->type == REDIS_REPLY_NIL) {
      *nameless = true;
      continue;
    }
    if (!IsArray(one, 2)) return false;
    StreamEntry& entry = entries->emplace_back();
    entry.id = Text(one->element[0]);
    const redisReply* fields = one->element[1];
    if (fields->type == REDIS_REPLY_NIL) continue;
    if (!IsArray(fields, 0)) return false;
    for (size_t j = 0; j + 1 < fields->elements; j += 2) {
      entry.fields.emplace_back(Text(fields->element[j]), Text(fields->element[j + 1]));
    }
  }
  return true;
}

}  // namespace

absl::Status StreamGroup::Create(RedisClient* client) const {
  absl::StatusOr<RedisClient::Reply> reply =
      client->Call({"XGROUP", "CREATE", stream, group, "0", "MKSTREAM"});
  const bool exists = absl::IsFailedPrecondition(reply.status()) &&
                      reply.status().message().substr(0, 10) == "BUSYGROUP ";
  return exists ? absl::OkStatus() : reply.status();
}

absl::StatusOr<std::vector<StreamEntry>> StreamGroup::ReadNew(RedisClient* client, int count,
                                                              absl::Duration wait) const {
  absl::StatusOr<RedisClient::Reply> reply =
      client->Call({"XREADGROUP", "GROUP", group, consumer, "COUNT", std::to_string(count), "BLOCK",
                    Milliseconds(wait), "STREAMS", stream, ">"});
  if (!reply.ok()) return reply.status();
  std::vector<StreamEntry> entries;
  if ((*reply)->type == REDIS_REPLY_NIL) return entries;
  bool nameless = false;
  // One stream was asked for: [[name, entries]].
  if (!IsArray(reply->get(), 1) || !IsArray((*reply)->element[0], 2) ||
      !Entries((*reply)->element[0]->element[1], &entries, &nameless)) {
    return Strange("XREADGROUP");
  }
  return entries;
}

// In each call the server looks at `count` entries and says where to go on.
absl::StatusOr<std::vector<StreamEntry>> StreamGroup::Claim(RedisClient* client, int count,
                                                            absl::Duration idle) const {
  std::vector<StreamEntry> entries;
  std::string from = "0-0";
  do {
    absl::StatusOr<RedisClient::Reply> reply =
        client->Call({"XAUTOCLAIM", stream, group, consumer, Milliseconds(idle), from, "COUNT",
                      std::to_string(count)});
    if (!reply.ok()) return reply.status();
    bool nameless = false;
    if (!IsArray(reply->get(), 2) || !Entries((*reply)->element[1], &entries, &nameless)) {
      return Strange("XAUTOCLAIM");
    }
    if (nameless) {
      if (absl::Status s = AcknowledgeDeleted(client); !s.ok()) return s;
    }
    from = Text((*reply)->element[0]);
  } while (entries.empty() && !from.empty() && from != "0-0");
  return entries;
}

absl::Status StreamGroup::Acknowledge(RedisClient* client, const std::string& id) const {
  return client->Call({"XACK", stream, group, id}).status();
}

// When a deleted entry is claimed, Redis 7 forgets it; before, it stays pending for ever. An id
// does not come back, so nobody will ever work on an entry that is not in the stream now.
absl::Status StreamGroup::AcknowledgeDeleted(RedisClient* client) const {
  std::string from = "-";
  for (;;) {
    absl::StatusOr<RedisClient::Reply> pending =
        client->Call({"XPENDING", stream, group, from, "+", "100"});
    if (!pending.ok()) return pending.status();
    if (!IsArray(pending->get(), 0)) return Strange("XPENDING");
    if ((*pending)->elements == 0) return absl::OkStatus();
    for (size_t i = 0; i < (*pending)->elements; ++i) {
      if (!IsArray((*pending)->element[i], 1)) return Strange("XPENDING");
      const std::string id = Text((*pending)->element[i]->element[0]);
      absl::StatusOr<RedisClient::Reply> there = client->Call({"XRANGE", stream, id, id});
      if (!there.ok()) return there.status();
      if (!IsArray(there->get(), 0)) return Strange("XRANGE");
      if ((*there)->elements == 0) {
        if (absl::Status s = Acknowledge(client, id); !s.ok()) return s;
      }
      from = '(' + id;
    }
  }
}

absl::StatusOr<int64_t> StreamGroup::Pending(RedisClient* client) const {
  absl::StatusOr<RedisClient::Reply> reply = client->Call({"XPENDING", stream, group});
  if (!reply.ok()) return reply.status();
  if (!IsArray(reply->get(), 1) || (*reply)->element[0]->type != REDIS_REPLY_INTEGER) {
    return Strange("XPENDING");
  }
  return int64_t{(*reply)->element[0]->integer};
}

}  // namespace streamworker
