#ifndef CONSUMER_OWN_LIBRARY_PIPELINE_H_
#define CONSUMER_OWN_LIBRARY_PIPELINE_H_

// The sum of the squares of 1 to n, each made by a goroutine.
int SumOfSquares(int n);

#endif  // CONSUMER_OWN_LIBRARY_PIPELINE_H_
