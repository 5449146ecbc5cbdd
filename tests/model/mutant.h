// tests/model/mutant.h: which mistake the mutated sources make (sched_mutants.txt).
#ifndef GORT_TESTS_MODEL_MUTANT_H_
#define GORT_TESTS_MODEL_MUTANT_H_

namespace gort::rt::model {

// Its place in the list; -1: none.
extern int mutant;

}  // namespace gort::rt::model

#endif  // GORT_TESTS_MODEL_MUTANT_H_
