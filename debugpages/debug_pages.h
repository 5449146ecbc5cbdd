// gort/debugpages/debug_pages.h: pages that show what a program does, for any server.
// What      DebugPages answers requests for paths under /debug/: an index, the goroutines, the metrics, a
//           trace and a profile of some seconds, and what the program adds. It knows no HTTP: a server hands it the path
//           and the query of a GET, and gets a status, a content type and a body.
// Safety    the pages show code, and who asks for a recording slows the program down. A server that the
//           world can reach must not mount them, or ask who it is.
// Layer     14. Public.
// Contract  | call              | goroutine | foreign thread | parks                  |
//           | DebugPages, Add   |     x     |       x        | -                      |
//           | Serve             |     x     |   blocks it    | while a page records   |
//           | ServeRecording    |     x     |   blocks it    | for as long as asked   |
//           Other goroutines run meanwhile, with one P too: a page that takes long leaves its P.
// Go        net/http/pprof
#ifndef GORT_DEBUGPAGES_DEBUG_PAGES_H_
#define GORT_DEBUGPAGES_DEBUG_PAGES_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gort/context/context.h"

namespace gort::debugpages {

struct Request {
  std::string_view path;   // "/debug/trace": without the query
  std::string_view query;  // "seconds=5": what stands behind the '?', as it came
  // When it is cancelled, a page that records ends, and answers with what it has: a server that is
  // about to end need not wait for its debug pages.
  Context context = Background();
};

struct Response {
  int status = 200;
  const char* content_type = "text/plain; charset=utf-8";  // lives for ever
  const char* file_name = nullptr;  // not null: the client is to save the body under this name
  std::string body;                 // of an error: a line that says what is wrong
};

struct Page {
  std::string name;  // "trace" of "/debug/trace"
  std::string help;  // a sentence for the index
  std::function<Response(const Request&)> serve;
};

// Add before the first Serve; Serve from anywhere, several at once.
class DebugPages {
 public:
  // With gort's own pages:
  //   /debug/             the index
  //   /debug/goroutines   tracebacks of all goroutines; of those that run at that moment the first line
  //   /debug/leaks        goroutines that wait for ever (leak::Find)
  //   /debug/metrics      all metrics in the text format of Prometheus
  //   /debug/trace        a trace for Perfetto; ?seconds=N
  //   /debug/profile      a profile of the CPU for pprof; ?seconds=N. And under it the other profiles:
  //                       goroutine, block, mutex, heap
  DebugPages();

  // A page of the same name is replaced. What serve throws goes through Serve to its caller.
  void Add(Page page);

  // Whether Serve has anything but a 404 for it.
  bool Has(std::string_view path) const;
  // Never throws on its own. 400: the query is wrong. 404: no such page. 409: somebody records already.
  Response Serve(const Request& request) const;

 private:
  const Page* Find(std::string_view path) const;
  Response Index() const;

  std::vector<Page> pages_;  // in the order of the index
};

// Something that is recorded into a file from start to stop. Both return kFailedPrecondition when
// another recording is in the way.
struct Recording {
  const char* file_name;
  const char* content_type;
  absl::Status (*start)(std::string_view path);
  absl::Status (*stop)();
};

// The page of a recording: records for as many seconds as the query says (seconds=N; above 0, at most
// kMostRecordedSeconds; 1 without), or until the file has kMostRecordedBytes, and answers with the
// file. It lies in memory meanwhile. 409 when start refuses.
inline constexpr double kMostRecordedSeconds = 60;
inline constexpr size_t kMostRecordedBytes = size_t{64} << 20;
Response ServeRecording(const Request& request, const Recording& recording);

}  // namespace gort::debugpages

#endif  // GORT_DEBUGPAGES_DEBUG_PAGES_H_
