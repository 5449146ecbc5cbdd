// apps/respd/resp_parse.h: commands of the Redis protocol, as they come from the network.
// What      takes bytes in pieces of any size and gives commands: arrays of bulk strings, and
//           inline commands (a line of words, of which some may be quoted). In time proportional
//           to the bytes, however many the pieces.
// Limits    see the constants; beyond them, and for what is no command, an error in the words of
//           the protocol ("ERR Protocol error: …"), after which the connection has to be closed.
#ifndef GORT_APPS_RESPD_RESP_PARSE_H_
#define GORT_APPS_RESPD_RESP_PARSE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace respd {

inline constexpr int64_t kRespMaxArgs = 1 << 20;
inline constexpr int64_t kRespMaxBulk = 64 << 20;     // bytes of one argument
inline constexpr size_t kRespMaxCommand = 128 << 20;  // bytes of one command
inline constexpr size_t kRespMaxLine = 64 << 10;      // of an inline command, or of a length

class RespParser {
 public:
  enum class Result { kCommand, kMore, kError };

  // Appends what has been received.
  void Feed(std::string_view bytes) { buffer_.append(bytes); }
  // Puts the next command into *args; no arguments: there is nothing to do. The arguments point
  // into the parser, until the next call of Feed or Next. kMore: call Feed first. kError: see
  // error().
  Result Next(std::vector<std::string_view>* args);
  const std::string& error() const { return error_; }

 private:
  Result Inline(std::vector<std::string_view>* args);
  Result Array(std::vector<std::string_view>* args);
  // The number after `kind` at *at, which moves behind its line.
  Result Number(char kind, const char* what, int64_t most, size_t* at, int64_t* value);
  Result Fail(std::string text);
  void Consume(size_t to);

  std::string buffer_;
  size_t start_ = 0;  // where the bytes begin that are not used yet
  size_t need_ = 0;   // the command is not whole before there are so many bytes from start_ on
  // How much of an array is parsed. at_: the end of its last whole part, from start_ on. left_: how
  // many arguments are still to come; -1: their number is. found_: where the arguments that have
  // come begin, from start_ on, and their lengths.
  size_t at_ = 0;
  int64_t left_ = -1;
  std::vector<std::pair<size_t, size_t>> found_;
  std::string words_;  // the unquoted words of an inline command
  std::string error_;
};

}  // namespace respd

#endif  // GORT_APPS_RESPD_RESP_PARSE_H_
