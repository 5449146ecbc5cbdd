#include "examples/redis_group.h"

#include <cstddef>

namespace gort::examples {
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

// [[id, [name, value, …]], …]. An entry whose fields are null was deleted meanwhile: it has none.
// Where Redis names no such entries (before 7), it is null itself.
bool Entries(const redisReply* list, std::vector<StreamEntry>* entries) {
  if (!IsArray(list, 0)) return false;
  for (size_t i = 0; i < list->elements; ++i) {
    const redisReply* one = list->element[i];
    if (one->type == REDIS_REPLY_NIL) continue;
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
  // One stream was asked for: [[name, entries]].
  if (!IsArray(reply->get(), 1) || !IsArray((*reply)->element[0], 2) ||
      !Entries((*reply)->element[0]->element[1], &entries)) {
    return Strange("XREADGROUP");
  }
  return entries;
}

// The server looks at so many entries in a call and says where to go on.
absl::StatusOr<std::vector<StreamEntry>> StreamGroup::Claim(RedisClient* client, int count,
                                                            absl::Duration idle) const {
  std::vector<StreamEntry> entries;
  std::string from = "0-0";
  do {
    absl::StatusOr<RedisClient::Reply> reply =
        client->Call({"XAUTOCLAIM", stream, group, consumer, Milliseconds(idle), from, "COUNT",
                      std::to_string(count)});
    if (!reply.ok()) return reply.status();
    if (!IsArray(reply->get(), 2) || !Entries((*reply)->element[1], &entries)) {
      return Strange("XAUTOCLAIM");
    }
    from = Text((*reply)->element[0]);
  } while (entries.empty() && !from.empty() && from != "0-0");
  return entries;
}

absl::Status StreamGroup::Acknowledge(RedisClient* client, const std::string& id) const {
  return client->Call({"XACK", stream, group, id}).status();
}

absl::StatusOr<int64_t> StreamGroup::Pending(RedisClient* client) const {
  absl::StatusOr<RedisClient::Reply> reply = client->Call({"XPENDING", stream, group});
  if (!reply.ok()) return reply.status();
  if (!IsArray(reply->get(), 1) || (*reply)->element[0]->type != REDIS_REPLY_INTEGER) {
    return Strange("XPENDING");
  }
  return int64_t{(*reply)->element[0]->integer};
}

}  // namespace gort::examples
