#include "gort/malloc/testing/fork_library.h"

#include <pthread.h>
#include <stdlib.h>

#include <cstddef>

namespace gort::testing {
namespace {

pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
int prepared = 0;  // under mu

// Of every size class, and large ones.
void Allocate() {
  void* blocks[32];
  size_t n = 1;
  for (void*& p : blocks) {
    p = malloc(n);
    n = n * 3 / 2 + 1;
  }
  for (void* p : blocks) free(p);
}

void Prepare() {
  pthread_mutex_lock(&mu);
  ++prepared;
  Allocate();
}

void Done() { pthread_mutex_unlock(&mu); }

__attribute__((constructor)) void Register() { pthread_atfork(&Prepare, &Done, &Done); }

}  // namespace

void ForkLibraryWork() {
  pthread_mutex_lock(&mu);
  Allocate();
  pthread_mutex_unlock(&mu);
}

int ForkLibraryPrepared() {
  pthread_mutex_lock(&mu);
  int n = prepared;
  pthread_mutex_unlock(&mu);
  return n;
}

}  // namespace gort::testing
