// apps/httpd/http_strict.h: what of a stream of HTTP/1 requests leaves no doubt where each ends.
// What      http-parser, as Debian builds it, lets pass what RFC 9112 forbids: a space before a
//           header's colon, line ends without CR or LF, anything behind a chunk's size. A proxy that
//           reads the same bytes otherwise than we do lets one client put requests into another's
//           connection. So each byte goes through here first, and http-parser gets those that are
//           good.
// Refused   RFC 9112 allows all of it to be: line ends other than CRLF; folded headers; control
//           characters; names that are no tokens; a request line that is not three words; a
//           Content-Length that is not one number, given once; a Transfer-Encoding that is not
//           "chunked", given once; both together, or Transfer-Encoding in HTTP/1.0; chunk sizes that
//           are not hexadecimal digits alone, but for extensions; framing headers in trailers.
// Locking   none. Allocates nothing.
#ifndef GORT_APPS_HTTPD_HTTP_STRICT_H_
#define GORT_APPS_HTTPD_HTTP_STRICT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace httpd {

class HttpStrict {
 public:
  // How many of the bytes, the next of the stream, are good. It stops behind each head, before the
  // first bad byte, or at their end.
  size_t Scan(std::string_view bytes);
  // A bad byte was found; there is nothing more to scan.
  bool bad() const { return bad_; }
  // Of the last head.
  bool chunked() const { return chunked_; }
  uint64_t content_length() const { return content_length_; }

 private:
  enum class State : uint8_t {
    kStart,        // before a request: empty lines are passed over (section 2.2)
    kStartLf,      // in one of them
    kRequestLine,  // method, target, version
    kRequestLf,
    kLine,  // at the first byte of a header's or trailer's line
    kName,
    kValue,
    kValueLf,
    kEndLf,  // of the empty line behind headers or trailers
    kBody,
    kChunkSize,
    kChunkSpace,  // behind the size: an extension has to come
    kChunkExtension,
    kChunkSizeLf,
    kChunkData,
    kChunkDataCr,
    kChunkDataLf,
  };
  // The header that the line is of, as far as it counts here.
  enum class Field : uint8_t { kOther, kContentLength, kTransferEncoding };

  // False: c is bad.
  bool Step(char c);
  bool RequestLine(char c);
  bool Name(char c);
  bool Value(char c);
  bool EndOfValue();
  bool EndOfLines();
  bool ChunkSize(char c);
  void Begin();
  bool Go(State next) {
    state_ = next;
    return true;
  }

  // Word is what is kept of a name, or of the value of a field that counts.
  static constexpr size_t kMaxWord = 24;
  std::string_view Word() const { return {word_.data(), word_size_}; }
  // Longer ones are kept as kMaxWord + 1 bytes, and so equal nothing that we look for.
  void Keep(char c) {
    if (word_size_ <= kMaxWord) word_[word_size_++] = c;
  }

  State state_ = State::kStart;
  bool bad_ = false;
  Field field_ = Field::kOther;
  std::array<char, kMaxWord + 1> word_;
  size_t word_size_ = 0;
  int spaces_ = 0;  // of the request line
  bool in_trailer_ = false;
  bool head_ended_ = false;
  bool has_length_ = false;
  bool has_encoding_ = false;
  bool chunked_ = false;
  char minor_ = '0';  // of the version
  uint64_t content_length_ = 0;
  uint64_t left_ = 0;  // bytes of the body, or of the chunk
  int digits_ = 0;     // of the chunk's size
};

}  // namespace httpd

#endif  // GORT_APPS_HTTPD_HTTP_STRICT_H_
