#include "gort/apps/respd/resp_parse.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace respd {
namespace {

using Result = RespParser::Result;
using Words = std::vector<std::string>;

// All commands in `bytes`, fed `step` bytes at a time; the error last, if there is one.
std::vector<Words> Parse(const std::string& bytes, size_t step) {
  RespParser parser;
  std::vector<Words> all;
  std::vector<std::string_view> args;
  for (size_t at = 0; at < bytes.size(); at += step) {
    parser.Feed(std::string_view(bytes).substr(at, step));
    Result r;
    while ((r = parser.Next(&args)) == Result::kCommand) all.emplace_back(args.begin(), args.end());
    if (r == Result::kError) {
      all.push_back({parser.error()});
      break;
    }
  }
  return all;
}

void Expect(const std::string& bytes, const std::vector<Words>& want) {
  for (size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, bytes.size()}) {
    EXPECT_EQ(Parse(bytes, step), want) << bytes << " in steps of " << step;
  }
}

TEST(RespParser, Commands) {
  Expect("*1\r\n$4\r\nPING\r\n", {{"PING"}});
  Expect("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*1\r\n$1\r\nx\r\n", {{"ECHO", ""}, {"x"}});
  Expect(std::string("*1\r\n$5\r\na\r\n\0b\r\n", 15), {{std::string("a\r\n\0b", 5)}});
  Expect("*0\r\n*-1\r\nPING\r\n", {{}, {}, {"PING"}});
}

TEST(RespParser, InlineCommands) {
  Expect("PING\n  set  a\tb \r\n\r\n", {{"PING"}, {"set", "a", "b"}, {}});
  Expect("set \"a b\" 'c d'\r\n", {{"set", "a b", "c d"}});
  Expect("\"\\x41\\n\\\"\\q\" 'it\\'s' \"\"\r\n", {{"A\n\"q", "it's", ""}});
}

TEST(RespParser, Errors) {
  const std::string e = "ERR Protocol error: ";
  Expect("*x\r\n", {{e + "invalid multibulk length"}});
  Expect("*1048577\r\n", {{e + "invalid multibulk length"}});
  Expect("*99999999999999999999\r\n", {{e + "invalid multibulk length"}});
  Expect("*1\r\n$-1\r\n", {{e + "invalid bulk length"}});
  Expect("*1\r\n$67108865\r\n", {{e + "invalid bulk length"}});
  Expect("*1\r\n:1\r\n", {{e + "expected '$', got ':'"}});
  Expect("*1\r\n$1\r\nabc\r\n", {{e + "bulk string without its end"}});
  Expect("\"abc\r\n", {{e + "unbalanced quotes in request"}});
  Expect("\"abc\"d\r\n", {{e + "unbalanced quotes in request"}});
  Expect("PING\r\n*1\r\n$x\r\nPING\r\n", {{"PING"}, {e + "invalid bulk length"}});
  EXPECT_EQ(Parse(std::string(70'000, 'a'), 1000),
            (std::vector<Words>{{e + "too big inline request"}}));
  EXPECT_EQ(Parse("*" + std::string(70'000, '1'), 1000),
            (std::vector<Words>{{e + "too big mbulk count string"}}));
}

// Anew from its beginning with each byte it would take minutes.
TEST(RespParser, ALongCommandInSmallPiecesTakesNoTime) {
  std::string bytes = "*100000\r\n";
  for (int i = 0; i < 100'000; ++i) bytes += "$1\r\nx\r\n";
  const std::vector<Words> all = Parse(bytes + "PING\r\n", 1);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0], Words(100'000, "x"));
  EXPECT_EQ(all[1], Words{"PING"});
}

// Every text of a few bytes is a command, an error, or not whole yet; in one piece or in many.
TEST(RespParser, AnyFewBytes) {
  const std::string alphabet = "*$12\r\na\"'\\ -";
  for (int length = 1; length <= 5; ++length) {
    int64_t n = 1;
    for (int i = 0; i < length; ++i) n *= static_cast<int64_t>(alphabet.size());
    for (int64_t k = 0; k < n; ++k) {
      std::string text;
      for (int64_t rest = k, i = 0; i < length; ++i, rest /= 12) text += alphabet[rest % 12];
      ASSERT_EQ(Parse(text, 1), Parse(text, text.size())) << text;
    }
  }
}

}  // namespace
}  // namespace respd
