#include "gort/base/godebug.h"

#include <unistd.h>

#include <cstring>
#include <string>

#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

// What ParseGodebug(text) prints.
std::string Complaints(const std::string& text) {
  testing::ChildResult r = testing::RunInChild([&] {
    Godebug g;
    ParseGodebug(text.c_str(), &g);
  });
  EXPECT_EQ(r.status, 0);
  return r.output;
}

bool Parses(const char* s, int64_t want) {
  int64_t got = 0;
  return ParseInt64(s, strlen(s), &got) && got == want;
}

TEST(ParseInt64, TakesSignsLeadingZerosAndBothExtremes) {
  EXPECT_TRUE(Parses("0", 0));
  EXPECT_TRUE(Parses("-0", 0));
  EXPECT_TRUE(Parses("+42", 42));
  EXPECT_TRUE(Parses("-42", -42));
  EXPECT_TRUE(Parses("000000000000000000000000000007", 7));
  EXPECT_TRUE(Parses("9223372036854775807", INT64_MAX));
  EXPECT_TRUE(Parses("-9223372036854775808", INT64_MIN));
}

TEST(ParseInt64, RefusesWhatIsNotOneIntegerAndLeavesTheResultAlone) {
  for (const char* s :
       {"", "-", "+", "--1", "1-", " 1", "1 ", "0x10", "1e3", "1.5", "9223372036854775808",
        "-9223372036854775809", "18446744073709551616", "99999999999999999999999"}) {
    int64_t v = 77;
    EXPECT_FALSE(ParseInt64(s, strlen(s), &v)) << s;
    EXPECT_EQ(v, 77) << s;
  }
}

TEST(ParseInt64, ReadsNoByteBeyondItsLength) {
  int64_t v = 0;
  EXPECT_TRUE(ParseInt64("123456", 3, &v));
  EXPECT_EQ(v, 123);
  EXPECT_FALSE(ParseInt64("123", 0, &v));
}

TEST(Godebug, ATextEndsAtTheCommaAndMayHoldAnEqualsSign) {
  Godebug g;
  ParseGodebug("scavtrace=1,trace=/tmp/a=b.trace,inittrace=1", &g);
  EXPECT_STREQ(g.trace, "/tmp/a=b.trace");
  EXPECT_EQ(g.inittrace, 1);
}

TEST(Godebug, ATextThatIsEmptyOrTooLongIsReportedAndIgnored) {
  const std::string most(kGodebugTextBytes - 1, 'x');
  Godebug g;
  ParseGodebug(("trace=" + most).c_str(), &g);
  EXPECT_EQ(g.trace, most);
  EXPECT_EQ(Complaints("trace=" + most), "");
  const std::string complaint = "gort: GODEBUG: ignoring trace: want a text of 1 to 511 bytes\n";
  EXPECT_EQ(Complaints("trace=,scavtrace=1"), complaint);
  EXPECT_EQ(Complaints("trace"), complaint);
  EXPECT_EQ(Complaints("trace=x" + most), complaint);
}

TEST(Godebug, SetsTheKeysItIsGivenAndKeepsTheOthers) {
  Godebug g;
  g.scavtrace = 1;
  ParseGodebug("schedtrace=1000,asyncpreemptoff=1,schedseed=9223372036854775807", &g);
  EXPECT_EQ(g.schedtrace, 1000);
  EXPECT_EQ(g.asyncpreemptoff, 1);
  EXPECT_EQ(g.schedseed, INT64_MAX);
  EXPECT_EQ(g.scavtrace, 1);
  EXPECT_EQ(g.inittrace, 0);
}

TEST(Godebug, NullAndEmptyTextAreNothing) {
  Godebug g;
  ParseGodebug(nullptr, &g);
  ParseGodebug("", &g);
  ParseGodebug(",,,", &g);
  EXPECT_EQ(g.schedtrace, 0);
  EXPECT_EQ(Complaints(",,"), "");
}

TEST(Godebug, IgnoresUnknownKeysSilently) {
  Godebug g;
  ParseGodebug("gctrace=banana,schedtrac=1,schedtracee=1,=5,http2debug,inittrace=1", &g);
  EXPECT_EQ(g.inittrace, 1);
  EXPECT_EQ(g.schedtrace, 0);
  EXPECT_EQ(Complaints("gctrace=banana,http2debug,=5"), "");
}

TEST(Godebug, ReportsEachMalformedValueInOneLineAndKeepsItsOldValue) {
  EXPECT_EQ(Complaints("schedtrace=often,inittrace=1,scheddetail=2"),
            "gort: GODEBUG: ignoring schedtrace=often: want an integer from 0 to 1000000000\n"
            "gort: GODEBUG: ignoring scheddetail=2: want an integer from 0 to 1\n");
  EXPECT_EQ(Complaints("inittrace"),
            "gort: GODEBUG: ignoring inittrace=: want an integer from 0 to 1\n");
  EXPECT_EQ(Complaints("inittrace=-1"),
            "gort: GODEBUG: ignoring inittrace=-1: want an integer from 0 to 1\n");
  EXPECT_EQ(Complaints("schedseed=9223372036854775808"),
            "gort: GODEBUG: ignoring schedseed=9223372036854775808: want an integer from 0 to "
            "9223372036854775807\n");
  Godebug g;
  g.schedtrace = 5;
  ParseGodebug("schedtrace=", &g);
  EXPECT_EQ(g.schedtrace, 5);
}

TEST(Godebug, ReportOfAWildValueStaysOnePrintableLine) {
  EXPECT_EQ(Complaints("inittrace=a\nb\x1b"),
            "gort: GODEBUG: ignoring inittrace=a?b?: want an integer from 0 to 1\n");
  EXPECT_EQ(Complaints("inittrace=" + std::string(5000, '9')),
            "gort: GODEBUG: ignoring inittrace=" + std::string(64, '9') +
                "...: want an integer from 0 to 1\n");
}

TEST(Godebug, LastGoodSettingOfAKeyHolds) {
  Godebug g;
  ParseGodebug("schedtrace=1,schedtrace=2,schedtrace=x", &g);
  EXPECT_EQ(g.schedtrace, 2);
}

}  // namespace
}  // namespace gort::rt
