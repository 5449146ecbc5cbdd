// ReadFull and LineReader over a stream that gives its bytes in pieces: each cut of each text.
#include "gort/net/stream.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gort/context/cancel_scope.h"
#include "gort/net/net.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

static_assert(ByteReader<Conn> && ContextReader<Conn> && ContextReader<PipeConn>);

// Gives `text` in pieces of `step` bytes, and an error once, at the byte `fails`.
struct Pieces {
  std::string text;
  size_t step = 1;
  size_t fails = std::string::npos;
  size_t at = 0;

  absl::StatusOr<size_t> Read(absl::Span<char> buf) {
    if (at == fails) {
      fails = std::string::npos;
      return absl::DeadlineExceededError("late");
    }
    const size_t n = std::min({buf.size(), step, text.size() - at});
    text.copy(buf.data(), n, at);
    at += n;
    return n;
  }
};

TEST(ReadFull, EachCut) {
  for (size_t step = 1; step <= 6; ++step) {
    Pieces stream{"abcdef", step};
    char buf[4];
    size_t got = 77;
    EXPECT_EQ(*ReadFull(stream, absl::MakeSpan(buf), &got), 4u);
    EXPECT_EQ(got, 4u);
    EXPECT_EQ(std::string(buf, 4), "abcd");
    EXPECT_EQ(ReadFull(stream, absl::MakeSpan(buf), &got).status(),
              absl::OutOfRangeError("unexpected end of the stream after 2 of 4 bytes"));
    EXPECT_EQ(got, 2u);
    EXPECT_EQ(*ReadFull(stream, absl::MakeSpan(buf), &got), 0u);
    EXPECT_EQ(*ReadFull(stream, absl::Span<char>()), 0u);
  }
}

TEST(ReadFull, AnErrorLeavesWhatCameBefore) {
  Pieces stream{"abcdef", 1, 2};
  char buf[4];
  size_t got = 0;
  EXPECT_EQ(ReadFull(stream, absl::MakeSpan(buf), &got).status(),
            absl::DeadlineExceededError("late"));
  EXPECT_EQ(got, 2u);
  EXPECT_EQ(std::string(buf, got), "ab");
}

// The lines, and in what the reader ended.
std::vector<std::string> Lines(Pieces stream, size_t max_line) {
  LineReader reader(&stream, max_line);
  std::vector<std::string> lines;
  for (;;) {
    absl::StatusOr<std::optional<std::string_view>> line = reader.Next();
    if (absl::IsDeadlineExceeded(line.status())) continue;
    if (!line.ok()) {
      EXPECT_EQ(reader.Next().status(), line.status());  // again and again
      lines.push_back("error: " + std::string(line.status().message()));
      return lines;
    }
    if (!line->has_value()) return lines;
    lines.emplace_back(**line);
  }
}

TEST(LineReader, EachTextInEachCut) {
  using Strings = std::vector<std::string>;
  const std::string long_line = "error: line longer than 4 bytes";
  struct Case {
    std::string text;
    Strings lines;
  };
  const Case cases[] = {
      {"", {}},
      {"\n", {""}},
      {"a\nb\n", {"a", "b"}},
      {"a\r\nb\r\n", {"a", "b"}},
      {"a\n\n\nb", {"a", "", "", "b"}},
      {"abcd\r\nabcd\nabcd", {"abcd", "abcd", "abcd"}},
      {"a\rb\r\n\r\n", {"a\rb", ""}},
      {"abcde\n", {long_line}},
      {"abcde\r\n", {long_line}},
      {"ab\nabcde", {"ab", long_line}},
      {"abcdefghijkl", {long_line}},
      {"abcd\r", {long_line}},
  };
  for (const Case& c : cases) {
    for (size_t step = 1; step <= c.text.size() + 1; ++step) {
      EXPECT_EQ(Lines(Pieces{c.text, step}, 4), c.lines) << c.text << " by " << step;
      for (size_t fails = 0; fails <= c.text.size(); fails += step) {
        EXPECT_EQ(Lines(Pieces{c.text, step, fails}, 4), c.lines) << c.text << " by " << step;
      }
    }
  }
}

// A stream whose Read looks at its context, as that of Conn does.
struct WithContext : Pieces {
  using Pieces::Read;
  absl::StatusOr<size_t> Read(const Context& ctx, absl::Span<char> buf) {
    if (absl::Status s = ctx.Err(); !s.ok()) return s;
    return Pieces::Read(buf);
  }
};
static_assert(!ContextReader<Pieces>);

TEST(ReadFull, EndsWithItsContext) {
  WithContext stream{{"abcdef"}};
  const CancelScope scope;
  char buf[4];
  size_t got = 77;
  EXPECT_EQ(*ReadFull(scope.context(), stream, absl::MakeSpan(buf), &got), 4u);
  scope.Cancel();
  EXPECT_TRUE(
      absl::IsCancelled(ReadFull(scope.context(), stream, absl::MakeSpan(buf), &got).status()));
  EXPECT_EQ(got, 0u);
}

TEST(LineReader, EndsWithItsContextAndLosesNothing) {
  WithContext stream{{"one\ntwo\nhalf a line", 6}};
  LineReader reader(&stream);
  const CancelScope scope;
  EXPECT_EQ(**reader.Next(scope.context()), "one");
  scope.Cancel();
  EXPECT_TRUE(absl::IsCancelled(reader.Next(scope.context()).status()));
  EXPECT_EQ(**reader.Next(), "two");
  EXPECT_EQ(**reader.Next(), "half a line");
}

TEST(LineReader, RestIsWhatWasReadBeyond) {
  Pieces stream{"head\nbody and more", 100};
  LineReader reader(&stream);
  EXPECT_EQ(reader.Rest(), "");
  EXPECT_EQ(**reader.Next(), "head");
  EXPECT_EQ(reader.Rest(), "body and more");
}

TEST(LineReader, LongLinesUpToTheLimit) {
  const std::string line(100'000, 'x');
  EXPECT_EQ(Lines(Pieces{line + "\n" + line, 777}, line.size()),
            (std::vector<std::string>{line, line}));
}

TEST(LineReader, ALimitThatNoLineReaches) {
  for (size_t limit : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 2}) {
    EXPECT_EQ(Lines(Pieces{"one\r\ntwo", 2}, limit), (std::vector<std::string>{"one", "two"}));
  }
}

}  // namespace
}  // namespace gort
