#include "gort/apps/treewc/count.h"

#include <clocale>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace treewc {
namespace {

Counts Count(const std::string& text, TextMode mode = TextMode::kBytes) {
  Counter counter(mode);
  counter.Add(text.data(), text.size());
  return counter.counts();
}

// What the header says, a byte at a time.
Counts Plain(const std::string& text) {
  Counts c;
  c.bytes = text.size();
  bool in_word = false;
  for (char ch : text) {
    if (ch == '\n') ++c.lines;
    if (ch == ' ' || (ch >= '\t' && ch <= '\r')) {
      in_word = false;
    } else if (ch > ' ' && ch < 0x7f) {
      if (!in_word) ++c.words;
      in_word = true;
    }
  }
  return c;
}

void ExpectSame(const Counts& a, const Counts& b, const std::string& text) {
  EXPECT_EQ(a.lines, b.lines) << testing::PrintToString(text);
  EXPECT_EQ(a.words, b.words) << testing::PrintToString(text);
  EXPECT_EQ(a.bytes, b.bytes) << testing::PrintToString(text);
}

std::string RandomText(std::mt19937* rng, size_t n, const std::string& alphabet) {
  std::string text;
  for (size_t i = 0; i < n; ++i) text += alphabet[(*rng)() % alphabet.size()];
  return text;
}

const std::string kAscii = "ab  \n\t\v\f\r~!";
const std::string kAny = kAscii + std::string("\0\x01\x1b\x7f\x80\xff", 6);

TEST(Counter, CountsWhatItSays) {
  const Counts c = Count("two words\nno newline\x01 \x01 x");
  EXPECT_EQ(c.lines, 1u);
  EXPECT_EQ(c.words, 5u);
  EXPECT_EQ(c.bytes, 25u);
  EXPECT_EQ(Count("").words, 0u);
  EXPECT_EQ(Count(" \n\t").words, 0u);
  EXPECT_EQ(Count("a\x01z").words, 1u);
}

TEST(Counter, AgreesWithThePlainLoopAtAnyLengthAndSplit) {
  std::mt19937 rng(7);
  for (int round = 0; round < 400; ++round) {
    const size_t n = round < 300 ? rng() % 70 : rng() % 20000;
    // Mostly plain blocks, so that vectors and single bytes take turns.
    std::string text = RandomText(&rng, n, round % 2 == 0 ? kAscii : kAny);
    if (round % 3 == 0) text += RandomText(&rng, 5000, kAscii);
    ExpectSame(Count(text), Plain(text), text);
    Counter pieces(TextMode::kBytes);
    for (size_t at = 0; at < text.size();) {
      const size_t len = std::min<size_t>(text.size() - at, rng() % 600);
      pieces.Add(text.data() + at, len);
      at += len;
    }
    ExpectSame(pieces.counts(), Plain(text), text);
  }
}

TEST(Counts, PartsAppendToTheWhole) {
  std::mt19937 rng(8);
  for (int round = 0; round < 2000; ++round) {
    std::string whole;
    Counts sum;
    for (int part = 0; part < 6; ++part) {
      const std::string text = RandomText(&rng, rng() % 4, kAny);
      whole += text;
      sum.Append(Count(text));
    }
    ExpectSame(sum, Plain(whole), whole);
  }
}

// The words that GNU wc 9.1 finds in LC_ALL=C.UTF-8.
TEST(Counter, KnowsUtf8) {
  ASSERT_NE(std::setlocale(LC_CTYPE, "C.UTF-8"), nullptr);
  ASSERT_EQ(TextModeOfLocale(), TextMode::kUtf8);
  struct Case {
    const char* text;
    uint64_t words;
  };
  const Case cases[] = {
      {"\xc3\xa9 \xc3\xa9\xc3\xa9", 2},  // letters
      {"a\xc2\xa0z", 2},                 // no-break space
      {"a\xe2\x80\x83z", 2},             // em space
      {"a\xe2\x81\xa0z", 2},             // word joiner
      {"\xc3 \xa9 \xff", 0},             // no characters
      {"a\xc3z \xe2\x82", 1},
      {"\xc0\x80 \xe0\x80\x80", 0},  // longer than need be
      {"\xf0\x9f\x98\x80 x", 2},     // four bytes
      {"\xc2\x85", 0},               // a control character
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Count(c.text, TextMode::kUtf8).words, c.words) << testing::PrintToString(c.text);
    Counter bytewise(TextMode::kUtf8);
    for (const char* p = c.text; *p != '\0'; ++p) bytewise.Add(p, 1);
    EXPECT_EQ(bytewise.counts().words, c.words) << testing::PrintToString(c.text);
  }
  std::setlocale(LC_CTYPE, "C");
}

// Also where a border cuts a character.
TEST(Counts, PartsInUtf8AppendToTheWhole) {
  ASSERT_NE(std::setlocale(LC_CTYPE, "C.UTF-8"), nullptr);
  std::mt19937 rng(9);
  const std::string alphabet = "a \xc3\xa9\xc2\xa0\xe2\x80\x83\xf0\x9f\x98\x80";
  for (int round = 0; round < 5000; ++round) {
    std::string whole;
    Counts left;
    Counts right;
    const int parts = 1 + static_cast<int>(rng() % 8);
    for (int part = 0; part < parts; ++part) {
      const std::string text = RandomText(&rng, rng() % 4, alphabet);
      whole += text;
      (part < parts / 2 ? left : right).Append(Count(text, TextMode::kUtf8));
    }
    left.Append(right);
    ExpectSame(left, Count(whole, TextMode::kUtf8), whole);
  }
  std::setlocale(LC_CTYPE, "C");
}

}  // namespace
}  // namespace treewc
