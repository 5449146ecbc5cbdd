#include "gort/apps/respd/resp_parse.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

namespace respd {
namespace {

constexpr size_t kKeptBytes = 64 << 10;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsSpace(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

char Unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// The quoted word at line[*at], which is its quote; *at moves behind it. False: not closed, or
// something follows it directly.
bool Quoted(std::string_view line, size_t* at, std::string* out) {
  const char quote = line[*at];
  for (size_t i = *at + 1; i < line.size(); ++i) {
    const char c = line[i];
    if (c == quote) {
      *at = i + 1;
      return *at == line.size() || IsSpace(line[*at]);
    }
    if (c != '\\' || i + 1 == line.size()) {
      *out += c;
    } else if (quote == '\'') {
      // Only the quote itself can be escaped.
      if (line[i + 1] == '\'') ++i;
      *out += line[i];
    } else if (line[i + 1] == 'x' && i + 3 < line.size() && HexDigit(line[i + 2]) >= 0 &&
               HexDigit(line[i + 3]) >= 0) {
      *out += static_cast<char>(HexDigit(line[i + 2]) * 16 + HexDigit(line[i + 3]));
      i += 3;
    } else {
      *out += Unescaped(line[++i]);
    }
  }
  return false;
}

// The words of a line, one after the other in *words, with the end of each in *ends.
bool SplitWords(std::string_view line, std::string* words, std::vector<size_t>* ends) {
  for (size_t at = 0;;) {
    while (at < line.size() && IsSpace(line[at])) ++at;
    if (at == line.size()) return true;
    while (at < line.size() && !IsSpace(line[at])) {
      if (line[at] == '"' || line[at] == '\'') {
        if (!Quoted(line, &at, words)) return false;
      } else {
        *words += line[at++];
      }
    }
    ends->push_back(words->size());
  }
}

}  // namespace

RespParser::Result RespParser::Fail(std::string text) {
  error_ = "ERR Protocol error: " + std::move(text);
  return Result::kError;
}

// Does not cut the buffer yet, because the arguments lie in it: Next does.
void RespParser::Consume(size_t to) {
  start_ = to;
  need_ = 0;
  at_ = 0;
  left_ = -1;
  found_.clear();
  if (found_.capacity() * sizeof found_[0] > kKeptBytes) found_.shrink_to_fit();
}

RespParser::Result RespParser::Next(std::vector<std::string_view>* args) {
  args->clear();
  if (!error_.empty()) return Result::kError;
  if (start_ == buffer_.size()) {
    buffer_.clear();
    if (buffer_.capacity() > kKeptBytes) buffer_.shrink_to_fit();
    start_ = 0;
    return Result::kMore;
  }
  const Result result = buffer_.size() - start_ < need_ ? Result::kMore
                        : buffer_[start_] == '*'        ? Array(args)
                                                        : Inline(args);
  if (result == Result::kMore && start_ > 0) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  return result;
}

RespParser::Result RespParser::Number(char kind, const char* what, int64_t most, size_t* at,
                                      int64_t* value) {
  const size_t end = buffer_.find('\n', *at);
  if (end == buffer_.npos) {
    if (buffer_.size() - *at <= kRespMaxLine) return Result::kMore;
    return Fail(std::string("too big ") + (kind == '*' ? "mbulk" : "bulk") + " count string");
  }
  if (buffer_[*at] != kind) {
    return Fail(std::string("expected '") + kind + "', got '" + buffer_[*at] + "'");
  }
  std::string_view digits(&buffer_[*at + 1], end - *at - 1);
  if (!digits.empty() && digits.back() == '\r') digits.remove_suffix(1);
  const bool negative = !digits.empty() && digits[0] == '-';
  if (negative) digits.remove_prefix(1);
  if (digits.empty() || digits.size() > 18) return Fail(std::string("invalid ") + what);
  int64_t n = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return Fail(std::string("invalid ") + what);
    n = n * 10 + (c - '0');
  }
  if (negative) n = -n;
  if (n > most) return Fail(std::string("invalid ") + what);
  *at = end + 1;
  *value = n;
  return Result::kCommand;
}

RespParser::Result RespParser::Array(std::vector<std::string_view>* args) {
  size_t at = start_ + at_;
  if (left_ < 0) {
    int64_t n = 0;
    if (Result r = Number('*', "multibulk length", kRespMaxArgs, &at, &n); r != Result::kCommand) {
      return r;
    }
    left_ = std::max<int64_t>(n, 0);
    at_ = at - start_;
  }
  for (; left_ > 0; --left_) {
    int64_t length = 0;
    if (at == buffer_.size()) return Result::kMore;
    if (Result r = Number('$', "bulk length", kRespMaxBulk, &at, &length); r != Result::kCommand) {
      return r;
    }
    if (length < 0) return Fail("invalid bulk length");
    const size_t end = at + static_cast<size_t>(length) + 2;
    if (end - start_ > kRespMaxCommand) return Fail("command too long");
    if (buffer_.size() < end) {
      need_ = end - start_;  // Next does not look again before there are so many
      return Result::kMore;
    }
    if (buffer_[end - 2] != '\r' || buffer_[end - 1] != '\n') {
      return Fail("bulk string without its end");
    }
    found_.emplace_back(at - start_, static_cast<size_t>(length));
    at = end;
    at_ = at - start_;
  }
  args->reserve(found_.size());
  for (const auto& [from, length] : found_) args->emplace_back(&buffer_[start_ + from], length);
  Consume(at);
  return Result::kCommand;
}

RespParser::Result RespParser::Inline(std::vector<std::string_view>* args) {
  const size_t end = buffer_.find('\n', start_);
  if (std::min(end, buffer_.size()) - start_ > kRespMaxLine) return Fail("too big inline request");
  if (end == buffer_.npos) return Result::kMore;
  std::string_view line(&buffer_[start_], end - start_);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  words_.clear();
  std::vector<size_t> ends;
  if (!SplitWords(line, &words_, &ends)) return Fail("unbalanced quotes in request");
  size_t from = 0;
  for (size_t to : ends) {
    args->emplace_back(&words_[0] + from, to - from);
    from = to;
  }
  Consume(end + 1);
  return Result::kCommand;
}

}  // namespace respd
