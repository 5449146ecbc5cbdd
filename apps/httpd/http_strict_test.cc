// Which bytes of a stream of requests are good, and what a head says of its body.
#include "gort/apps/httpd/http_strict.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace httpd {
namespace {

// How many bytes are good when they come `step` at a time.
size_t Good(std::string_view bytes, size_t step) {
  HttpStrict strict;
  size_t good = 0;
  while (good < bytes.size() && !strict.bad()) good += strict.Scan(bytes.substr(good, step));
  return good;
}

TEST(HttpStrict, GoodStreams) {
  const std::string_view cases[] = {
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "\r\n\r\nGET / HTTP/1.0\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n\r\n\0\x01zGET / HTTP/1.1\r\n\r\n",
      "POST / HTTP/1.1\r\ncontent-length:\t 007 \t\r\n\r\n1234567GET / HTTP/1.1\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
      "POST / HTTP/1.1\r\nTRANSFER-ENCODING: Chunked \r\n\r\n"
      "3\r\n\r\n\n\r\naA;x=\"y\tz\";q\r\n"
      "0123456789012345678901234567890123456789012345678901234567890123456789"
      "0123456789012345678901234567890123456789012345678901234567890123456789"
      "012345678901234567890123456789\r\n"
      "01  ;x\r\nz\r\n000\r\nTrailer: x\r\nOther:\r\n\r\nGET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nEmpty:\r\nA-Very-Long-Name-That-Nobody-Looks-For: \xc3\xa9\t!\r\n\r\n",
      "GET / HTTP/1.1\r\nContent-Length-But-Not-Quite: x\r\nTransfer-Encodin: y\r\n\r\n",
  };
  for (const std::string_view text : cases) {
    for (size_t step = 1; step < 40; ++step) EXPECT_EQ(Good(text, step), text.size()) << text;
  }
}

// The first bad byte is where the text is cut in two.
TEST(HttpStrict, BadStreams) {
  struct Case {
    std::string good;
    std::string bad;
  };
  const std::string post = "POST / HTTP/1.1\r\n";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const Case cases[] = {
      // line ends
      {"", "\nGET / HTTP/1.1\r\n\r\n"},
      {"\r", "\r\nGET / HTTP/1.1\r\n\r\n"},
      {"GET / HTTP/1.1", "\nHost: x\r\n\r\n"},
      {"GET / HTTP/1.1\r", "Host: x\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x", "\nA: b\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r", "A: b\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\n", "\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r", "\r\n"},
      // request lines
      {"", " GET / HTTP/1.1\r\n\r\n"},
      {"GET ", " / HTTP/1.1\r\n\r\n"},
      {"GET / ", " HTTP/1.1\r\n\r\n"},
      {"GET / HTTP/1.1", " \r\n\r\n"},
      {"GET", "\t/ HTTP/1.1\r\n\r\n"},
      {"GET /", "\x0b HTTP/1.1\r\n\r\n"},
      {"GET /", "\xc3\xa9 HTTP/1.1\r\n\r\n"},
      {"GET /", "\x7f HTTP/1.1\r\n\r\n"},
      {"GET /", "\r\n\r\n"},
      {"GET / HTTP/2.0", "\r\n\r\n"},
      {"GET / HTTP/1.x", "\r\n\r\n"},
      {"GET / HTTP/1.10", "\r\n\r\n"},
      {"GET / http/1.1", "\r\n\r\n"},
      // names and values
      {post + "Content-Length", " : 5\r\n\r\nabcde"},
      {post, " folded: x\r\n\r\n"},
      {post + "A: x\r\n", " folded\r\n\r\n"},
      {post + "A: x\r\n", "\tfolded\r\n\r\n"},
      {post, ": x\r\n\r\n"},
      {post + "A", "\r\n\r\n"},
      {post + "A", "(b): x\r\n\r\n"},
      {post + "A", std::string("\0: x\r\n\r\n", 8)},
      {post + "A: ", std::string("\0\r\n\r\n", 5)},
      {post + "A: x", "\x0b\r\n\r\n"},
      {post + "A: x", "\x7f\r\n\r\n"},
      // lengths
      {post + "Content-Length: 5\r\nContent-Length: 6", "\r\n\r\n"},
      {post + "Content-Length: 5\r\nContent-Length: 5", "\r\n\r\n"},
      {post + "Content-Length: 5, 5", "\r\n\r\n"},
      {post + "Content-Length: 5 5", "\r\n\r\n"},
      {post + "Content-Length: +5", "\r\n\r\n"},
      {post + "Content-Length: 0x5", "\r\n\r\n"},
      {post + "Content-Length:", "\r\n\r\n"},
      {post + "Content-Length: 1000000000000000000", "\r\n\r\n"},
      // encodings
      {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r", "\n"},
      {post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r", "\n"},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r", "\n"},
      {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "\r\n\r\n"},
      {post + "Transfer-Encoding: identity", "\r\n\r\n"},
      {post + "Transfer-Encoding: gzip, chunked", "\r\n\r\n"},
      {post + "Transfer-Encoding: chunked, identity", "\r\n\r\n"},
      {post + "Transfer-Encoding: xchunked", "\r\n\r\n"},
      {post + "Transfer-Encoding: \"chunked\"", "\r\n\r\n"},
      {post + "Transfer-Encoding:", "\r\n\r\n"},
      // chunks
      {chunked, "\r\n"},
      {chunked, ";x\r\n"},
      {chunked, "-1\r\n"},
      {chunked + "0", "x1\r\n"},
      {chunked + "5 ", "\r\nabcde\r\n"},
      {chunked + "5 ", "5\r\nabcde\r\n"},
      {chunked + "5", "\t;x\r\nabcde\r\n"},
      {chunked + "5", "\nabcde\r\n"},
      {chunked + "5\r", "abcde\r\n"},
      {chunked + "5;x", "\nabcde\r\n"},
      {chunked + "5;x\r", "x\r\nabcde\r\n"},
      {chunked + "5;", std::string("\0\r\nabcde\r\n", 10)},
      {chunked + "5\r\nabcde", "f\r\n"},
      {chunked + "5\r\nabcde", "\n"},
      {chunked + "5\r\nabcde\r", "0\r\n\r\n"},
      {chunked + "000000000000000", "0\r\n\r\n"},
      {chunked + "0\r\n", "\n"},
      {chunked + "0\r\n\r", "GET / HTTP/1.1\r\n\r\n"},
      {chunked + "0\r\nA", " : x\r\n\r\n"},
      {chunked + "0\r\nContent-Length", ": 5\r\n\r\n"},
      {chunked + "0\r\nTransfer-Encoding", ": chunked\r\n\r\n"},
  };
  for (const Case& c : cases) {
    const std::string text = c.good + c.bad;
    for (size_t step = 1; step < 40; ++step) EXPECT_EQ(Good(text, step), c.good.size()) << text;
  }
}

TEST(HttpStrict, StopsBehindAHeadAndSaysWhatFollows) {
  HttpStrict strict;
  const std::string_view head = "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n";
  EXPECT_EQ(strict.Scan(std::string(head) + "abc"), head.size());
  EXPECT_FALSE(strict.chunked());
  EXPECT_EQ(strict.content_length(), 12u);
  const std::string_view chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(strict.Scan("abcdefghijkl" + std::string(chunked) + "0\r\n"), 12 + chunked.size());
  EXPECT_TRUE(strict.chunked());
  const std::string_view last = "0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
  EXPECT_EQ(strict.Scan(last), last.size());
  EXPECT_FALSE(strict.chunked());
  EXPECT_EQ(strict.content_length(), 0u);
  EXPECT_EQ(strict.Scan("\n"), 0u);
  EXPECT_TRUE(strict.bad());
  EXPECT_EQ(strict.Scan("GET / HTTP/1.1\r\n\r\n"), 0u);  // for good
}

}  // namespace
}  // namespace httpd
