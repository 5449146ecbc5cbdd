// apps/respd/commands.h: what each command of respd does.
// What      Execute carries out one command on the store, queues what it changed in the log, and
//           appends the answer. The answer may be sent when place() of the log is durable.
// Locking   none: the caller serialises.
#ifndef GORT_APPS_RESPD_COMMANDS_H_
#define GORT_APPS_RESPD_COMMANDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "gort/apps/respd/log.h"
#include "gort/apps/respd/store.h"

namespace respd {

class Commands {
 public:
  using Args = absl::Span<const std::string_view>;

  // Both must outlive the object.
  Commands(Store* store, Log* log) : store_(store), log_(log) {}

  // args[0] is the command's name, in either case. now_ms: since the Unix epoch. False: the
  // connection ends after the answer (QUIT).
  bool Execute(Args args, int64_t now_ms, std::string* out);

 private:
  struct Command;
  static const Command kCommands[];

  void Ping(Args args, int64_t now_ms, std::string* out);
  void Echo(Args args, int64_t now_ms, std::string* out);
  void Set(Args args, int64_t now_ms, std::string* out);
  void Get(Args args, int64_t now_ms, std::string* out);
  void Del(Args args, int64_t now_ms, std::string* out);
  void Exists(Args args, int64_t now_ms, std::string* out);
  void Incr(Args args, int64_t now_ms, std::string* out);
  void Expire(Args args, int64_t now_ms, std::string* out);
  void Ttl(Args args, int64_t now_ms, std::string* out);
  void Scan(Args args, int64_t now_ms, std::string* out);
  void DbSize(Args args, int64_t now_ms, std::string* out);
  void Nothing(Args args, int64_t now_ms, std::string* out);
  void Write(const std::string& record) { log_->Append(record); }

  Store* const store_;
  Log* const log_;
};

// An error line: text without line breaks.
void RespError(std::string_view text, std::string* out);

}  // namespace respd

#endif  // GORT_APPS_RESPD_COMMANDS_H_
