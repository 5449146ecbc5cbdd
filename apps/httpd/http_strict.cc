#include "gort/apps/httpd/http_strict.h"

#include <algorithm>
#include <cstring>

namespace httpd {
namespace {

// More would not fit into 64 bits, or is a mistake anyway.
constexpr size_t kMaxLengthDigits = 18;
constexpr int kMaxChunkDigits = 15;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// A byte of a token: section 5.6.2 of RFC 9110.
bool IsToken(char c) {
  const char low = Lower(c);
  return IsDigit(c) || (low >= 'a' && low <= 'z') ||
         (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

// A byte of a value: visible, above ASCII, or white space.
bool IsText(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'); }

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  const char low = Lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

}  // namespace

size_t HttpStrict::Scan(std::string_view bytes) {
  head_ended_ = false;
  for (size_t at = 0; at < bytes.size();) {
    if (state_ == State::kBody || state_ == State::kChunkData) {
      const uint64_t here = std::min<uint64_t>(left_, bytes.size() - at);
      at += here;
      left_ -= here;
      if (left_ == 0) state_ = state_ == State::kBody ? State::kStart : State::kChunkDataCr;
      continue;
    }
    bad_ = bad_ || !Step(bytes[at]);
    if (bad_) return at;
    ++at;
    if (head_ended_) return at;
  }
  return bytes.size();
}

bool HttpStrict::Step(char c) {
  switch (state_) {
    case State::kStart:
      if (c == '\r') return Go(State::kStartLf);
      Begin();
      return RequestLine(c);
    case State::kStartLf:
      return c == '\n' && Go(State::kStart);
    case State::kRequestLine:
      return RequestLine(c);
    case State::kRequestLf:
    case State::kValueLf:
      return c == '\n' && Go(State::kLine);
    case State::kLine:
      if (c == '\r') return Go(State::kEndLf);
      word_size_ = 0;
      return IsToken(c) && Name(c);
    case State::kName:
      return Name(c);
    case State::kValue:
      return Value(c);
    case State::kEndLf:
      return c == '\n' && EndOfLines();
    case State::kChunkSize:
      return ChunkSize(c);
    case State::kChunkSpace:
      return c == ' ' || (c == ';' && Go(State::kChunkExtension));
    case State::kChunkExtension:
      return c == '\r' ? Go(State::kChunkSizeLf) : IsText(c);
    case State::kChunkSizeLf:
      in_trailer_ = left_ == 0;
      return c == '\n' && Go(in_trailer_ ? State::kLine : State::kChunkData);
    case State::kChunkDataCr:
      return c == '\r' && Go(State::kChunkDataLf);
    case State::kChunkDataLf:
      digits_ = 0;
      return c == '\n' && Go(State::kChunkSize);
    case State::kBody:
    case State::kChunkData:
      break;  // Scan's
  }
  return false;
}

void HttpStrict::Begin() {
  state_ = State::kRequestLine;
  word_size_ = 0;
  spaces_ = 0;
  in_trailer_ = has_length_ = has_encoding_ = chunked_ = false;
  content_length_ = 0;
}

// Three words and a space between each. What they mean is http-parser's, but for the version, which
// is of three fixed forms and a digit.
bool HttpStrict::RequestLine(char c) {
  if (c == '\r') {
    const std::string_view version = Word();
    minor_ = version.empty() ? '\0' : version.back();
    return spaces_ == 2 && version.size() == 8 && version.substr(0, 7) == "HTTP/1." &&
           IsDigit(minor_) && Go(State::kRequestLf);
  }
  if (c == ' ') {
    const bool first = word_size_ == 0;
    word_size_ = 0;
    return !first && ++spaces_ <= 2;
  }
  Keep(c);
  return c > ' ' && c < '\x7f';
}

bool HttpStrict::Name(char c) {
  if (c != ':') {
    Keep(Lower(c));
    return IsToken(c) && Go(State::kName);
  }
  field_ = Word() == "content-length"      ? Field::kContentLength
           : Word() == "transfer-encoding" ? Field::kTransferEncoding
                                           : Field::kOther;
  word_size_ = 0;
  // They would come too late to say where the body ends.
  return !(in_trailer_ && field_ != Field::kOther) && Go(State::kValue);
}

bool HttpStrict::Value(char c) {
  if (c == '\r') return EndOfValue() && Go(State::kValueLf);
  const bool leading = word_size_ == 0 && (c == ' ' || c == '\t');
  if (field_ != Field::kOther && !leading) Keep(Lower(c));
  return IsText(c);
}

bool HttpStrict::EndOfValue() {
  std::string_view word = Word();
  while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
  if (field_ == Field::kTransferEncoding) {
    chunked_ = !has_encoding_ && word == "chunked";
    has_encoding_ = true;
    return chunked_;
  }
  if (field_ == Field::kContentLength) {
    if (has_length_ || word.empty() || word.size() > kMaxLengthDigits) return false;
    has_length_ = true;
    for (const char c : word) {
      if (!IsDigit(c)) return false;
      content_length_ = content_length_ * 10 + static_cast<uint64_t>(c - '0');
    }
  }
  return true;
}

// The empty line behind headers or trailers.
bool HttpStrict::EndOfLines() {
  if (in_trailer_) return Go(State::kStart);
  if (has_encoding_ && (has_length_ || minor_ == '0')) return false;
  head_ended_ = true;
  digits_ = 0;
  left_ = content_length_;
  if (chunked_) return Go(State::kChunkSize);
  return Go(left_ != 0 ? State::kBody : State::kStart);
}

bool HttpStrict::ChunkSize(char c) {
  if (const int digit = HexDigit(c); digit >= 0) {
    if (digits_ == 0) left_ = 0;
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    return ++digits_ <= kMaxChunkDigits;
  }
  if (digits_ == 0) return false;
  if (c == '\r') return Go(State::kChunkSizeLf);
  if (c == ' ') return Go(State::kChunkSpace);
  return c == ';' && Go(State::kChunkExtension);
}

}  // namespace httpd
