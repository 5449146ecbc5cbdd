// gort/net/stream.h: whole buffers and lines from a byte stream.
// What      ReadFull and LineReader, over a Conn or anything else with its Read.
// Layer     11. One caller at a time for each stream.
// Errors    the stream's own, as they are; kOutOfRange for what the bytes do not hold: an end in
//           the middle, a line that is too long.
//                                                   Go: io.ReadFull, bufio.Reader, textproto.Reader
#ifndef GORT_NET_STREAM_H_
#define GORT_NET_STREAM_H_

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gort/context/context.h"

namespace gort {

// Something to read from: Conn, a PipeConn, a program's own type.
template <class S>
concept ByteReader = requires(S& s, absl::Span<char> buf) {
  { s.Read(buf) } -> std::convertible_to<absl::StatusOr<size_t>>;
};

// One whose Read ends with a context, too.
template <class S>
concept ContextReader = requires(S& s, const Context& ctx, absl::Span<char> buf) {
  { s.Read(ctx, buf) } -> std::convertible_to<absl::StatusOr<size_t>>;
};

namespace rt {

// read(span) until buf is full.
template <class Read>
absl::StatusOr<size_t> FillFrom(const Read& read, absl::Span<char> buf, size_t* got) {
  size_t unwanted;
  size_t& have = got != nullptr ? *got : unwanted;
  have = 0;
  while (have < buf.size()) {
    absl::StatusOr<size_t> n = read(buf.subspan(have));
    if (!n.ok()) return n.status();
    if (*n == 0) {
      if (have == 0) return 0;
      return absl::OutOfRangeError("unexpected end of the stream after " + std::to_string(have) +
                                   " of " + std::to_string(buf.size()) + " bytes");
    }
    have += *n;
  }
  return have;
}

}  // namespace rt

// Reads until buf is full, and returns its size; or 0 when the stream has ended before the first
// byte. An end in the middle is kOutOfRange, "unexpected end of the stream after 3 of 10 bytes".
// After an error the bytes so far are in buf, and *got (may be null) says how many. Go: io.ReadFull
template <ByteReader S>
absl::StatusOr<size_t> ReadFull(S& stream, absl::Span<char> buf, size_t* got = nullptr) {
  return rt::FillFrom([&](absl::Span<char> to) { return stream.Read(to); }, buf, got);
}
template <ContextReader S>
absl::StatusOr<size_t> ReadFull(const Context& ctx, S& stream, absl::Span<char> buf,
                                size_t* got = nullptr) {
  return rt::FillFrom([&](absl::Span<char> to) { return stream.Read(ctx, to); }, buf, got);
}

// The lines of a stream, one after the other. It reads ahead: what else reads from the stream
// begins with Rest(). Go: bufio.Reader.ReadLine
template <ByteReader S>
class LineReader {
 public:
  // Lines, without their ends, have at most max_line bytes. The stream outlives this object.
  explicit LineReader(S* stream, size_t max_line = size_t{64} << 10)
      : stream_(stream), max_line_(std::min(max_line, kMostMax)) {}

  // The next line without its "\n" or "\r\n", until the next call; nullopt: the stream has ended.
  // What stands after the last end of line is a line, too. kOutOfRange "line longer than 65536
  // bytes", again and again. After an error of the stream (a deadline) a later call goes on where
  // this one stopped.
  absl::StatusOr<std::optional<std::string_view>> Next() {
    return NextBy([this](absl::Span<char> to) { return stream_->Read(to); });
  }
  // Ends with ctx, too, as the stream's Read does, and loses nothing; ctx is looked at when there is
  // no line in what was read ahead.
  absl::StatusOr<std::optional<std::string_view>> Next(const Context& ctx) requires
      ContextReader<S> {
    return NextBy([&](absl::Span<char> to) { return stream_->Read(ctx, to); });
  }

  // What was read beyond the last line, until the next call.
  std::string_view Rest() const { return {buf_.data() + begin_, end_ - begin_}; }

 private:
  template <class Read>
  absl::StatusOr<std::optional<std::string_view>> NextBy(const Read& read) {
    for (;;) {
      if (std::optional<std::string_view> line = Take()) return line;
      if (end_ - begin_ > max_line_ + 1) return LineTooLong();
      if (ended_) return Last();
      if (absl::Status s = Fill(read); !s.ok()) return s;
    }
  }
  std::optional<std::string_view> Take() {
    const char* from = buf_.data() + begin_ + scanned_;
    const auto* nl = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_ - scanned_));
    if (nl == nullptr) {
      scanned_ = end_ - begin_;
      return std::nullopt;
    }
    std::string_view line = Rest().substr(0, static_cast<size_t>(nl - (buf_.data() + begin_)));
    if (WithoutCr(line).size() > max_line_) return std::nullopt;
    begin_ += line.size() + 1;
    scanned_ = 0;
    return WithoutCr(line);
  }
  static std::string_view WithoutCr(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  }
  absl::Status LineTooLong() const {
    return absl::OutOfRangeError("line longer than " + std::to_string(max_line_) + " bytes");
  }
  absl::StatusOr<std::optional<std::string_view>> Last() {
    if (begin_ == end_) return std::nullopt;
    const std::string_view line = Rest();
    if (line.size() > max_line_) return LineTooLong();
    begin_ = end_;
    scanned_ = 0;
    return line;
  }
  template <class Read>
  absl::Status Fill(const Read& read) {
    if (begin_ > 0) {
      std::memmove(buf_.data(), buf_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == buf_.size()) {
      buf_.resize(std::min(std::max(2 * buf_.size(), kFirstSize), max_line_ + 2));
    }
    absl::StatusOr<size_t> n = read(absl::MakeSpan(buf_).subspan(end_));
    if (!n.ok()) return n.status();
    ended_ = *n == 0;
    end_ += *n;
    return absl::OkStatus();
  }

  static constexpr size_t kFirstSize = 1024;
  // Room for "\r\n" can be added to it.
  static constexpr size_t kMostMax = SIZE_MAX - 2;

  S* const stream_;
  const size_t max_line_;
  std::vector<char> buf_;
  size_t begin_ = 0;    // of the first line that was not returned yet
  size_t end_ = 0;      // of what was read
  size_t scanned_ = 0;  // bytes after begin_ that hold no end of line
  bool ended_ = false;
};

}  // namespace gort

#endif  // GORT_NET_STREAM_H_
