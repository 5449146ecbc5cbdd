#include "gort/apps/treewc/name.h"

#include "gtest/gtest.h"

namespace treewc {
namespace {

TEST(QuoteName, OneLineWhateverIsInIt) {
  EXPECT_EQ(QuoteName("a b"), "'a b'");
  EXPECT_EQ(QuoteName("a\nb\t"), "'a\\nb\\t'");
  EXPECT_EQ(QuoteName("it's \\"), "'it\\'s \\\\'");
  EXPECT_EQ(QuoteName("\x1b[2J\x7f"), "'\\033[2J\\177'");
  EXPECT_EQ(QuoteName(""), "''");
}

TEST(QuoteName, KeepsUtf8AndNothingLikeIt) {
  EXPECT_EQ(QuoteName("h\xc3\xa9"), "'h\xc3\xa9'");
  EXPECT_EQ(QuoteName("\xc3"), "'\\303'");
  EXPECT_EQ(QuoteName("\xc0\xaf"), "'\\300\\257'");
  EXPECT_EQ(QuoteName("\xc2\x9b"), "'\\302\\233'");           // a terminal's CSI
  EXPECT_EQ(QuoteName("\xe2\x80\xae"), "'\\342\\200\\256'");  // turns the text round
  EXPECT_EQ(QuoteName("\xed\xa0\x80"), "'\\355\\240\\200'");  // a surrogate
}

}  // namespace
}  // namespace treewc
