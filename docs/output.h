// docs/output.h: for the tests of the documents' code.
#ifndef GORT_DOCS_OUTPUT_H_
#define GORT_DOCS_OUTPUT_H_

#include <functional>
#include <string>

namespace gort_docs {

// What f prints to stdout while it runs as a goroutine.
std::string Output(const std::function<void()>& f);

}  // namespace gort_docs

#endif  // GORT_DOCS_OUTPUT_H_
