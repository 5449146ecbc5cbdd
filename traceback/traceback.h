#ifndef X2
#define X2
#include <string>
namespace gort::rt {
inline void TracebackInit() {}
inline void FatalReport(bool) {}
inline std::string StackText(bool) { return ""; }
}
#endif
