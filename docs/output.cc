#include "gort/docs/output.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "gort/runtime.h"

namespace gort_docs {

std::string Output(const std::function<void()>& f) {
  std::FILE* file = std::tmpfile();
  const int before = dup(STDOUT_FILENO);
  std::fflush(stdout);
  if (file == nullptr || before < 0 || dup2(fileno(file), STDOUT_FILENO) < 0) std::abort();
  gort::Run([&f] {
    f();
    return 0;
  });
  std::fflush(stdout);
  dup2(before, STDOUT_FILENO);
  close(before);
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

}  // namespace gort_docs
