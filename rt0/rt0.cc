// rt0/rt0.cc: the C library is ready; from here on it is Go's rt0_go.
#include "gort/runtime/internal/boot.h"

// The program's main function, defined by whoever links //rt0:main.
int gort_main(int argc, char** argv);

int main(int argc, char** argv) { gort::rt::RunProgram(argc, argv, &gort_main); }
