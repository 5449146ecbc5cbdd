// apps/treewc/name.h: file names as messages show them.
#ifndef GORT_APPS_TREEWC_NAME_H_
#define GORT_APPS_TREEWC_NAME_H_

#include <string>

namespace treewc {

// `name` in single quotes on one line, whatever is in it: \n, \t, \\, \' and, for other control
// characters and bytes that are no UTF-8, \ooo. Text in UTF-8 stays as it is.
std::string QuoteName(const std::string& name);

}  // namespace treewc

#endif  // GORT_APPS_TREEWC_NAME_H_
