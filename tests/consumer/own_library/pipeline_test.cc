#include "own_library/pipeline.h"

#include "gtest/gtest.h"

TEST(OwnLibrary, LinksAndRuns) { EXPECT_EQ(SumOfSquares(10), 385); }
