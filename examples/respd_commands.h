// examples/respd_commands.h: what each command of respd does.
// What      Execute carries out one command on the store, queues what it changed in the log, and
//           appends the answer. The answer may be sent when place() of the log is durable.
// Locking   none: the caller serialises.
#ifndef GORT_EXAMPLES_RESPD_COMMANDS_H_
#define GORT_EXAMPLES_RESPD_COMMANDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "gort/examples/respd_log.h"
#include "gort/examples/respd_store.h"

namespace gort::examples {

class RespdCommands {
 public:
  using Args = absl::Span<const std::string_view>;

  // Both must outlive the object.
  RespdCommands(RespdStore* store, RespdLog* log) : store_(store), log_(log) {}

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
  void Log(const std::string& record) { log_->Append(record); }

  RespdStore* const store_;
  RespdLog* const log_;
};

// An error line: text without line breaks.
void RespError(std::string_view text, std::string* out);

}  // namespace gort::examples

#endif  // GORT_EXAMPLES_RESPD_COMMANDS_H_
