// apps/httpd/http_conn.h: one connection of an HTTP/1.1 server.
// What      reads requests, parsed by http-parser behind HttpStrict, calls the handler for each, and writes the
//           answers; answers to pipelined requests are written together. Keeps the limits.
// Limits    a head longer than max_header_bytes: 431; a body longer than max_body_bytes: 413; no
//           whole request within `idle`: closed, with 408 if a part of one was there; an answer
//           that is not taken within `idle`: closed. What is not HTTP/1: 400. When the server
//           ends, a connection answers the request that it has begun to read, says
//           "Connection: close", and closes.
#ifndef GORT_APPS_HTTPD_HTTP_CONN_H_
#define GORT_APPS_HTTPD_HTTP_CONN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gort/apps/httpd/http_strict.h"
#include "gort/net/conn.h"
#include "gort/sync/sync.h"
#include "http_parser.h"

namespace httpd {

struct HttpRequest {
  std::string_view method;  // "GET"
  std::string path;         // without the query
  std::string query;        // what stands behind the '?'
};

struct HttpResponse {
  int status = 200;
  const char* content_type = "text/plain";
  const char* file_name = nullptr;  // null: the client shows the body; else it is to save it
  std::string_view allow;           // of a 405
  std::string_view body;            // must live until the next call of the handler; or
  std::string owned_body;           // this, if it is not empty
};

struct HttpSettings {
  std::function<void(const HttpRequest&, HttpResponse*)> handler;  // of all connections, at once
  uint32_t max_header_bytes = 16 << 10;  // the parser's is global: see HttpSetMaxHeader
  uint64_t max_body_bytes = 1 << 20;
  absl::Duration idle = absl::Seconds(60);
};

// Before the first connection.
void HttpSetMaxHeader(uint32_t bytes);

class HttpConn {
 public:
  // `settings` and `draining` must outlive the object. `draining` is true once the server ends.
  HttpConn(gort::Conn conn, const HttpSettings& settings, const std::atomic<bool>& draining);
  HttpConn(const HttpConn&) = delete;
  HttpConn& operator=(const HttpConn&) = delete;

  // Returns when the connection has ended, for whatever reason.
  void Serve();
  // From any goroutine or thread, after `draining` was set: ends a wait for the next request.
  void Drain();
  // From any goroutine or thread: ends the connection.
  void Abort() { conn_.Close().IgnoreError(); }

 private:
  static const http_parser_settings& Callbacks();
  static HttpConn* Of(http_parser* p) { return static_cast<HttpConn*>(p->data); }
  void Parse(std::string_view bytes);
  void BeginMessage();
  void OnHeader(const char* at, size_t n, bool value);
  void EndHeader();
  int HeadersComplete();
  void Answer();
  void Refuse(int status);
  void Append(const HttpResponse& response, bool head, bool keep_alive);
  // False: the client does not take what we write.
  bool Flush();
  void Linger();
  absl::Span<char> Buffer();
  // True: Buffer() holds *n bytes more of the stream.
  bool ReadMore(size_t* n);
  void SetReadDeadline();

  gort::Conn conn_;
  const HttpSettings& settings_;
  const std::atomic<bool>& draining_;
  // True between two requests, while Serve waits for the first byte of the next. Serve or Drain
  // sets it to false; the one that did ends the wait.
  std::atomic<bool> idle_{false};
  gort::Mutex drain_mu_;  // Drain holds it until the deadline that ends the wait is set
  HttpStrict strict_;     // sees each byte before parser_ does
  http_parser parser_;
  // Reads go to small_, which lies on the goroutine's stack, in a page that is in use anyway. A
  // connection whose reads fill small_ gets large_.
  char small_[512];
  std::string large_;
  std::string out_;
  HttpRequest request_;
  std::string url_;
  std::string field_;  // the part of a header's name that is of interest
  bool in_value_ = false;
  bool in_request_ = false;  // a byte of a request has come, and its end has not
  bool expects_continue_ = false;
  int hosts_ = 0;
  int refused_ = 0;  // status of the answer with which the connection ends
  uint64_t body_bytes_ = 0;
  bool closing_ = false;  // no further request
  bool broken_ = false;   // a write has failed
  bool renew_ = true;     // the time for the next request begins
  absl::Time deadline_ = absl::InfiniteFuture();
};

}  // namespace httpd

#endif  // GORT_APPS_HTTPD_HTTP_CONN_H_
