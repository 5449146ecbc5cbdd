#include "gort/apps/httpd/http_conn.h"

#include <strings.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "absl/types/span.h"

namespace httpd {
namespace {

constexpr size_t kLargeBuffer = 16 << 10;
// Answers to pipelined requests are gathered until they are so long.
constexpr size_t kFlushBytes = 64 << 10;
// Between two requests a connection keeps at most so much of its output buffer.
constexpr size_t kKeptBytes = 4 << 10;
// A header with a longer name is not one that we look at.
constexpr size_t kMaxField = 16;

const char* Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Payload Too Large";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    default:
      return "Error";
  }
}

}  // namespace

void HttpSetMaxHeader(uint32_t bytes) { http_parser_set_max_header_size(bytes); }

HttpConn::HttpConn(gort::Conn conn, const HttpSettings& settings, const std::atomic<bool>& draining)
    : conn_(std::move(conn)), settings_(settings), draining_(draining) {
  http_parser_init(&parser_, HTTP_REQUEST);
  parser_.data = this;
}

const http_parser_settings& HttpConn::Callbacks() {
  static const http_parser_settings settings = [] {
    http_parser_settings s;
    http_parser_settings_init(&s);
    s.on_message_begin = [](http_parser* p) {
      Of(p)->BeginMessage();
      return 0;
    };
    s.on_url = [](http_parser* p, const char* at, size_t n) {
      Of(p)->url_.append(at, n);
      return 0;
    };
    s.on_header_field = [](http_parser* p, const char* at, size_t n) {
      Of(p)->OnHeader(at, n, false);
      return 0;
    };
    s.on_header_value = [](http_parser* p, const char* at, size_t n) {
      Of(p)->OnHeader(at, n, true);
      return 0;
    };
    s.on_headers_complete = [](http_parser* p) { return Of(p)->HeadersComplete(); };
    s.on_body = [](http_parser* p, const char*, size_t n) {
      HttpConn* self = Of(p);
      self->body_bytes_ += n;
      if (self->body_bytes_ <= self->settings_.max_body_bytes) return 0;
      self->refused_ = 413;
      return 1;
    };
    s.on_message_complete = [](http_parser* p) {
      Of(p)->Answer();
      return Of(p)->closing_ ? 1 : 0;
    };
    return s;
  }();
  return settings;
}

void HttpConn::BeginMessage() {
  url_.clear();
  field_.clear();
  in_value_ = false;
  in_request_ = true;
  expects_continue_ = false;
  hosts_ = 0;
  body_bytes_ = 0;
}

// Names and values come in pieces of any size.
void HttpConn::OnHeader(const char* at, size_t n, bool value) {
  if (!value) {
    if (in_value_) field_.clear();
    in_value_ = false;
    // A name that is too long is kept as kMaxField + 1 bytes, and so equals no name that we look
    // for.
    field_.append(at, std::min(n, kMaxField + 1 - std::min(field_.size(), kMaxField + 1)));
    return;
  }
  if (!in_value_) {
    if (strcasecmp(field_.c_str(), "host") == 0) ++hosts_;
    if (strcasecmp(field_.c_str(), "expect") == 0) expects_continue_ = true;
  }
  in_value_ = true;
}

int HttpConn::HeadersComplete() {
  const bool http11 = parser_.http_major == 1 && parser_.http_minor >= 1;
  // Both read the same good bytes. Should they ever differ, a client must not gain from it.
  const bool chunked = (parser_.flags & F_CHUNKED) != 0;
  const uint64_t length = (parser_.flags & F_CONTENTLENGTH) != 0 ? parser_.content_length : 0;
  if (chunked != strict_.chunked() || length != strict_.content_length()) {
    refused_ = 400;
  } else if (parser_.http_major != 1 || (http11 && hosts_ != 1) || hosts_ > 1) {
    refused_ = 400;
  } else if (parser_.method == HTTP_CONNECT) {
    refused_ = 501;
  } else if (length > settings_.max_body_bytes) {
    refused_ = 413;
  }
  if (refused_ != 0) return -1;
  parser_.upgrade = 0;  // an offer of another protocol is not taken up
  if (expects_continue_ && http11 && (chunked || length != 0))
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  return 0;
}

void HttpConn::Answer() {
  in_request_ = false;
  renew_ = true;
  const auto method = static_cast<http_method>(parser_.method);
  request_.method = http_method_str(method);
  const size_t question = url_.find('?');
  request_.path.assign(url_, 0, question);
  request_.query.assign(url_, question == std::string::npos ? url_.size() : question + 1);
  HttpResponse response;
  settings_.handler(request_, &response);
  const bool keep = http_should_keep_alive(&parser_) != 0 && !draining_.load();
  Append(response, method == HTTP_HEAD, keep);
  if (!keep) closing_ = true;
  // The parser goes on with the pipelined requests. A client that does not read its answers waits
  // here.
  if (out_.size() >= kFlushBytes && !Flush()) closing_ = true;
}

void HttpConn::Refuse(int status) {
  HttpResponse response;
  response.status = status;
  response.owned_body = std::string(Reason(status)) + '\n';
  Append(response, false, false);
  closing_ = true;
}

void HttpConn::Append(const HttpResponse& response, bool head, bool keep_alive) {
  const std::string_view body =
      response.owned_body.empty() ? response.body : std::string_view(response.owned_body);
  const bool http10 = parser_.http_major == 1 && parser_.http_minor == 0;
  // Not printf, which would touch a second page of each goroutine's stack.
  out_.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out_.append(Reason(response.status)).append("\r\nContent-Type: ").append(response.content_type);
  out_.append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n");
  if (response.file_name != nullptr) {
    out_.append("Content-Disposition: attachment; filename=\"").append(response.file_name);
    out_ += "\"\r\n";
  }
  if (!response.allow.empty()) out_.append("Allow: ").append(response.allow).append("\r\n");
  if (!keep_alive) {
    out_ += "Connection: close\r\n";
  } else if (http10) {
    out_ += "Connection: keep-alive\r\n";
  }
  out_ += "\r\n";
  if (!head) out_.append(body);
}

bool HttpConn::Flush() {
  if (!out_.empty() && !broken_) {
    broken_ = !conn_.SetWriteDeadline(absl::Now() + settings_.idle).ok() || !conn_.Write(out_).ok();
  }
  out_.clear();
  if (out_.capacity() > kKeptBytes) out_.shrink_to_fit();
  return !broken_;
}

// A whole request has to come within `idle` of the one before. To move the deadline for each
// request would cost a timer each time, so it moves when it is off by a tenth of `idle`.
void HttpConn::SetReadDeadline() {
  const absl::Time wanted = absl::Now() + settings_.idle;
  if (deadline_ != absl::InfiniteFuture() && wanted - deadline_ < settings_.idle / 10) return;
  deadline_ = wanted;
  conn_.SetReadDeadline(deadline_).IgnoreError();
}

absl::Span<char> HttpConn::Buffer() {
  return large_.empty() ? absl::MakeSpan(small_) : absl::MakeSpan(&large_[0], large_.size());
}

bool HttpConn::ReadMore(size_t* n) {
  // Within a request too: its first bytes may have come together with the end of the one before.
  if (renew_) SetReadDeadline();
  renew_ = false;
  if (!in_request_) {
    idle_.store(true);
    // Either we see draining or Drain sees idle_: both are seq_cst.
    if (draining_.load()) return false;
  }
  absl::StatusOr<size_t> got = conn_.Read(Buffer());
  if (!in_request_ && !idle_.exchange(false)) {
    // Drain ended the wait, perhaps after the first bytes of a request: that request gets its time.
    drain_mu_.Lock();
    deadline_ = absl::InfiniteFuture();
    if (got.ok()) SetReadDeadline();
    drain_mu_.Unlock();
  }
  if (!got.ok()) {
    if (in_request_ && absl::IsDeadlineExceeded(got.status())) Refuse(408);
    return false;
  }
  if (*got == 0) return false;
  *n = *got;
  return true;
}

// The parser gets what is good, up to the end of a head each time: what it then makes of the body is
// compared with what strict_ does.
void HttpConn::Parse(std::string_view bytes) {
  while (!bytes.empty() && !closing_) {
    const size_t good = strict_.Scan(bytes);
    if (good == 0) return Refuse(400);  // to the parser no bytes would be the end
    const size_t parsed = http_parser_execute(&parser_, &Callbacks(), bytes.data(), good);
    const http_errno error = HTTP_PARSER_ERRNO(&parser_);
    if (!closing_ && (error != HPE_OK || parsed != good)) {
      return Refuse(refused_ != 0 ? refused_ : error == HPE_HEADER_OVERFLOW ? 431 : 400);
    }
    bytes.remove_prefix(good);
  }
}

void HttpConn::Serve() {
  size_t n = 0;
  while (!closing_ && ReadMore(&n)) {
    in_request_ = true;
    Parse(std::string_view(Buffer().data(), n));
    if (!Flush()) return;
    if (n == sizeof small_ && large_.empty()) {
      large_.resize(kLargeBuffer);
    } else if (n < sizeof small_ && !large_.empty()) {
      large_.clear();
      large_.shrink_to_fit();
    }
  }
  // If closing_ is false, the client has closed the connection, or was silent for too long.
  if (Flush() && closing_) Linger();
}

// Reads what the client still sends, for a while, and throws it away: closing a socket that has
// unread data would reset the connection, perhaps before the client has read the last answer.
void HttpConn::Linger() {
  if (!conn_.CloseWrite().ok()) return;
  conn_.SetReadDeadline(absl::Now() + std::min(settings_.idle, absl::Seconds(1))).IgnoreError();
  for (uint64_t most = 1 << 20; most > 0;) {
    absl::StatusOr<size_t> got = conn_.Read(Buffer());
    if (!got.ok() || *got == 0) return;
    most -= std::min<uint64_t>(most, *got);
  }
}

void HttpConn::Drain() {
  drain_mu_.Lock();
  if (idle_.exchange(false)) conn_.SetReadDeadline(absl::UnixEpoch()).IgnoreError();
  drain_mu_.Unlock();
}

}  // namespace httpd
