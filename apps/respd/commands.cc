#include "gort/apps/respd/commands.h"

#include <strings.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace respd {
namespace {

constexpr char kNotInteger[] = "ERR value is not an integer or out of range";
constexpr char kSyntax[] = "ERR syntax error";

void Simple(std::string_view text, std::string* out) {
  out->append("+").append(text).append("\r\n");
}

void Integer(int64_t n, std::string* out) {
  out->append(":").append(std::to_string(n)).append("\r\n");
}

void Bulk(std::string_view data, std::string* out) {
  out->append("$").append(std::to_string(data.size())).append("\r\n").append(data).append("\r\n");
}

void Null(std::string* out) { out->append("$-1\r\n"); }

void ArrayOf(size_t n, std::string* out) {
  out->append("*").append(std::to_string(n)).append("\r\n");
}

bool Is(std::string_view word, std::string_view name) {
  return word.size() == name.size() && strncasecmp(word.data(), name.data(), name.size()) == 0;
}

// A decimal number in its only form: no plus, no leading zeros, no spaces.
bool ToInteger(std::string_view text, int64_t* value) {
  const bool negative = !text.empty() && text[0] == '-';
  std::string_view digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || digits.size() > 19) return false;
  if (digits[0] == '0' && (digits.size() > 1 || negative)) return false;
  uint64_t n = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return false;
    n = n * 10 + static_cast<uint64_t>(c - '0');  // 19 digits fit
  }
  const uint64_t most = uint64_t{std::numeric_limits<int64_t>::max()} + (negative ? 1 : 0);
  if (n > most) return false;
  *value = static_cast<int64_t>(negative ? 0 - n : n);
  return true;
}

std::string TooLong(const char* what, size_t most) {
  return std::string("ERR ") + what + " is longer than " + std::to_string(most) + " bytes";
}

// The time `amount` times `unit_ms` from now. False: it is out of range.
bool ExpiryAt(int64_t now_ms, int64_t amount, int64_t unit_ms, int64_t* at_ms) {
  int64_t ms = 0;
  return !__builtin_mul_overflow(amount, unit_ms, &ms) &&
         !__builtin_add_overflow(now_ms, ms, at_ms);
}

}  // namespace

void RespError(std::string_view text, std::string* out) {
  out->append("-");
  for (char c : text.substr(0, 200)) *out += c == '\r' || c == '\n' ? ' ' : c;
  out->append("\r\n");
}

struct Commands::Command {
  const char* name;
  size_t least;  // arguments, the name included
  size_t most;
  bool writes;
  void (Commands::*run)(Args, int64_t, std::string*);
};

namespace {
constexpr size_t kMany = std::numeric_limits<size_t>::max();
}  // namespace

// COMMAND and CONFIG answer what redis-cli and redis-benchmark ask at their start.
const Commands::Command Commands::kCommands[] = {
    {"GET", 2, 2, false, &Commands::Get},
    {"SET", 3, kMany, true, &Commands::Set},
    {"INCR", 2, 2, true, &Commands::Incr},
    {"DEL", 2, kMany, true, &Commands::Del},
    {"EXISTS", 2, kMany, false, &Commands::Exists},
    {"EXPIRE", 3, 3, true, &Commands::Expire},
    {"TTL", 2, 2, false, &Commands::Ttl},
    {"SCAN", 2, kMany, false, &Commands::Scan},
    {"PING", 1, 2, false, &Commands::Ping},
    {"ECHO", 2, 2, false, &Commands::Echo},
    {"DBSIZE", 1, 1, false, &Commands::DbSize},
    {"COMMAND", 1, kMany, false, &Commands::Nothing},
    {"CONFIG", 1, kMany, false, &Commands::Nothing},
};

bool Commands::Execute(Args args, int64_t now_ms, std::string* out) {
  if (args.empty()) return true;
  if (Is(args[0], "QUIT")) {
    Simple("OK", out);
    return false;
  }
  for (const Command& c : kCommands) {
    if (!Is(args[0], c.name)) continue;
    if (args.size() < c.least || args.size() > c.most) {
      std::string name(args[0]);
      for (char& ch : name) ch = static_cast<char>(ch | 0x20);
      RespError("ERR wrong number of arguments for '" + name + "' command", out);
    } else if (c.writes && !log_->read_only().empty()) {
      RespError("READONLY " + log_->read_only(), out);
    } else {
      (this->*c.run)(args, now_ms, out);
    }
    return true;
  }
  RespError("ERR unknown command '" + std::string(args[0].substr(0, 128)) + "'", out);
  return true;
}

void Commands::Ping(Args args, int64_t, std::string* out) {
  args.size() == 1 ? Simple("PONG", out) : Bulk(args[1], out);
}

void Commands::Echo(Args args, int64_t, std::string* out) { Bulk(args[1], out); }

// SET key value [NX | XX] [EX seconds | PX milliseconds]
void Commands::Set(Args args, int64_t now_ms, std::string* out) {
  if (args[1].size() > kMaxKey) return RespError(TooLong("key", kMaxKey), out);
  int64_t expires = 0;
  bool if_absent = false;
  bool if_present = false;
  for (size_t i = 3; i < args.size(); ++i) {
    const bool ex = Is(args[i], "EX");
    if ((ex || Is(args[i], "PX")) && expires == 0 && i + 1 < args.size()) {
      int64_t amount = 0;
      if (!ToInteger(args[++i], &amount)) return RespError(kNotInteger, out);
      if (amount <= 0 || !ExpiryAt(now_ms, amount, ex ? 1000 : 1, &expires)) {
        return RespError("ERR invalid expire time in 'set' command", out);
      }
    } else if (Is(args[i], "NX") && !if_present) {
      if_absent = true;
    } else if (Is(args[i], "XX") && !if_absent) {
      if_present = true;
    } else {
      return RespError(kSyntax, out);
    }
  }
  if (if_absent || if_present) {
    if ((store_->Get(args[1], now_ms) != nullptr) != if_present) return Null(out);
  }
  Write(store_->Set(args[1], args[2], expires));
  Simple("OK", out);
}

void Commands::Get(Args args, int64_t now_ms, std::string* out) {
  const Store::Value* v = store_->Get(args[1], now_ms);
  v != nullptr ? Bulk(v->data, out) : Null(out);
}

void Commands::Del(Args args, int64_t now_ms, std::string* out) {
  int64_t n = 0;
  for (std::string_view key : args.subspan(1)) {
    if (store_->Get(key, now_ms) == nullptr) continue;
    Write(store_->Delete(key));
    ++n;
  }
  Integer(n, out);
}

void Commands::Exists(Args args, int64_t now_ms, std::string* out) {
  int64_t n = 0;
  for (std::string_view key : args.subspan(1)) n += store_->Get(key, now_ms) != nullptr ? 1 : 0;
  Integer(n, out);
}

void Commands::Incr(Args args, int64_t now_ms, std::string* out) {
  if (args[1].size() > kMaxKey) return RespError(TooLong("key", kMaxKey), out);
  int64_t n = 0;
  int64_t expires = 0;
  if (const Store::Value* v = store_->Get(args[1], now_ms); v != nullptr) {
    if (!ToInteger(v->data, &n)) return RespError(kNotInteger, out);
    expires = v->expires_ms;
  }
  if (n == std::numeric_limits<int64_t>::max()) {
    return RespError("ERR increment or decrement would overflow", out);
  }
  // The result is logged and not the step, so that to replay a record twice does no harm.
  Write(store_->Set(args[1], std::to_string(n + 1), expires));
  Integer(n + 1, out);
}

void Commands::Expire(Args args, int64_t now_ms, std::string* out) {
  int64_t seconds = 0;
  int64_t expires = 0;
  if (!ToInteger(args[2], &seconds)) return RespError(kNotInteger, out);
  if (!ExpiryAt(now_ms, seconds, 1000, &expires)) {
    return RespError("ERR invalid expire time in 'expire' command", out);
  }
  if (store_->Get(args[1], now_ms) == nullptr) return Integer(0, out);
  Write(expires <= now_ms ? store_->Delete(args[1]) : store_->SetExpiry(args[1], expires));
  Integer(1, out);
}

void Commands::Ttl(Args args, int64_t now_ms, std::string* out) {
  const Store::Value* v = store_->Get(args[1], now_ms);
  if (v == nullptr) return Integer(-2, out);
  Integer(v->expires_ms == 0 ? -1 : (v->expires_ms - now_ms + 500) / 1000, out);
}

// SCAN cursor [MATCH pattern] [COUNT n]
void Commands::Scan(Args args, int64_t now_ms, std::string* out) {
  uint64_t cursor = 0;
  if (args[1].empty() || args[1].size() > 20) return RespError("ERR invalid cursor", out);
  for (char c : args[1]) {
    if (c < '0' || c > '9' || __builtin_mul_overflow(cursor, 10u, &cursor) ||
        __builtin_add_overflow(cursor, static_cast<uint64_t>(c - '0'), &cursor)) {
      return RespError("ERR invalid cursor", out);
    }
  }
  int64_t count = 10;
  std::string_view pattern;
  for (size_t i = 2; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return RespError(kSyntax, out);
    if (Is(args[i], "MATCH")) {
      pattern = args[i + 1];
      if (pattern.size() > kMaxPattern) {
        return RespError(TooLong("pattern", kMaxPattern), out);
      }
    } else if (Is(args[i], "COUNT")) {
      if (!ToInteger(args[i + 1], &count)) return RespError(kNotInteger, out);
      if (count < 1) return RespError(kSyntax, out);
    } else {
      return RespError(kSyntax, out);
    }
  }
  std::vector<std::string_view> keys;
  const uint64_t next =
      store_->Scan(cursor, std::min<int64_t>(count, 100'000), now_ms, pattern, &keys);
  ArrayOf(2, out);
  Bulk(std::to_string(next), out);
  ArrayOf(keys.size(), out);
  for (std::string_view key : keys) Bulk(key, out);
}

void Commands::DbSize(Args, int64_t, std::string* out) {
  Integer(static_cast<int64_t>(store_->size()), out);
}

void Commands::Nothing(Args, int64_t, std::string* out) { ArrayOf(0, out); }

}  // namespace respd
