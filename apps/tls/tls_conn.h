// apps/tls/tls_conn.h: TLS over a gort::Conn, by OpenSSL, which sees two buffers in memory and not
// the socket. Its lock is held over no wait, so one goroutine may read while another writes; and it
// always has room to write, so that new keys come in while a write waits for the peer.
#ifndef GORT_APPS_TLS_TLS_CONN_H_
#define GORT_APPS_TLS_TLS_CONN_H_

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <mutex>

#include "absl/strings/str_cat.h"
#include "gort/gort.h"

namespace tls {

// PEM files. cert, key: one's own chain and its key. ca: whom to trust, else whom the system does; a
// server with it wants a certificate of each client. check_revoked: and lists of revoked ones in ca.
struct Files {
  std::string cert = {}, key = {}, ca = {};
  bool check_revoked = false;
};
using Settings = std::shared_ptr<SSL_CTX>;

// Why OpenSSL failed. That is the thread's: to be called before anything that may park.
inline std::string Reasons() {
  std::string text = "tls";
  while (const auto e = ERR_get_error()) absl::StrAppend(&text, ": ", ERR_reason_error_string(e));
  return text;
}

inline absl::StatusOr<Settings> Load(const Files& files) {
  ERR_clear_error();
  Settings made(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  SSL_CTX* const ctx = made.get();
  const bool trusts = files.ca.empty() ? SSL_CTX_set_default_verify_paths(ctx) == 1
                                       : SSL_CTX_load_verify_file(ctx, files.ca.c_str()) == 1;
  if (!trusts || (!files.cert.empty() &&
                  (SSL_CTX_use_certificate_chain_file(ctx, files.cert.c_str()) != 1 ||
                   SSL_CTX_use_PrivateKey_file(ctx, files.key.c_str(), SSL_FILETYPE_PEM) != 1)))
    return absl::InvalidArgumentError(Reasons());
  if (files.check_revoked) X509_STORE_set_flags(SSL_CTX_get_cert_store(ctx), X509_V_FLAG_CRL_CHECK);
  if (!files.ca.empty())
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_session_id_context(ctx, reinterpret_cast<const uint8_t*>("gort"), 4);
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);  // so a Write never wants to read
  return made;
}

// Any goroutines may read, write and close at once. Errors are those of gort::Conn, and
// kUnauthenticated: the peer's certificate; kAborted: the peer does not talk TLS as it should, or
// says that we do not; kOutOfRange: the stream was cut, it ended without the peer's farewell.
class Conn {
 public:
  // Takes a new connection through the handshake. host: the name that the server's certificate must
  // have; null: this is the server.
  static absl::StatusOr<std::unique_ptr<Conn>> Open(const gort::Context& ctx, gort::Conn socket,
                                                    const Settings& settings, const char* host) {
    std::unique_ptr<Conn> made(new Conn(std::move(socket), SSL_new(settings.get())));
    SSL* const ssl = made->ssl_.get();
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (host != nullptr) {
      if (*host == '\0' || SSL_set1_host(ssl, host) != 1)  // without a name OpenSSL takes any
        return absl::InvalidArgumentError("tls: host?");
      SSL_set_tlsext_host_name(ssl, host);
      SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    }
    if (absl::Status s = made->Do(ctx, true, host ? SSL_connect : SSL_accept); !s.ok()) return s;
    return made;
  }
  ~Conn() { Close().IgnoreError(); }

  // As of gort::Conn, deadlines by socket(). A Read that is given up loses nothing; after such a
  // Write the stream is torn, and later ones fail as that one did.
  absl::StatusOr<size_t> Read(absl::Span<char> buf) { return Read(gort::Background(), buf); }
  absl::StatusOr<size_t> Read(const gort::Context& ctx, absl::Span<char> buf) {
    if (buf.empty()) return 0;
    if (absl::Status s = reading_.Lock(ctx); !s.ok()) return s;
    std::lock_guard turn(reading_, std::adopt_lock);
    size_t n = 0;
    const absl::Status s = Do(ctx, false, [&](SSL* ssl) {
      return SSL_read_ex(ssl, buf.data(), buf.size(), &n) == 1 ||
             SSL_get_error(ssl, 0) == SSL_ERROR_ZERO_RETURN;  // the peer's farewell
    });
    if (!s.ok()) return s;
    return n;
  }
  absl::StatusOr<size_t> Write(std::string_view data) { return Write(gort::Background(), data); }
  absl::StatusOr<size_t> Write(const gort::Context& ctx, std::string_view data) {
    if (absl::Status s = writing_.Lock(ctx); !s.ok()) return s;
    std::lock_guard turn(writing_, std::adopt_lock);
    for (std::string_view rest = data; ended_.ok() && !rest.empty();) {
      const std::string_view part = rest.substr(0, kRecord);
      ended_ = Do(ctx, true, [&](SSL* ssl) { return SSL_write(ssl, part.data(), part.size()); });
      rest.remove_prefix(part.size());
    }
    if (!ended_.ok()) return ended_;
    return data.size();
  }
  // Says farewell; one can still read.
  absl::Status CloseWrite() {
    std::lock_guard turn(writing_);
    if (!ended_.ok()) return ended_;
    const absl::Status s =
        Do(gort::Background(), true, [](SSL* ssl) { return SSL_shutdown(ssl) >= 0; });
    ended_ = s.ok() ? absl::FailedPreconditionError("tls: after CloseWrite") : s;
    return s;
  }
  // The same, which takes 5 seconds at most, and closes. A Write in progress is ended instead.
  absl::Status Close() {
    if (writing_.TryLock()) {
      writing_.Unlock();
      socket_.SetWriteDeadline(gort::Now() + absl::Seconds(5)).IgnoreError();
      CloseWrite().IgnoreError();
    }
    return socket_.Close();
  }
  gort::Conn& socket() { return socket_; }

 private:
  static constexpr size_t kRecord = 16 << 10, kMostUnsent = 64 << 10;

  Conn(gort::Conn socket, SSL* ssl) : socket_(std::move(socket)), ssl_(ssl, &SSL_free) {}

  // Repeats a step of OpenSSL's until it is done, and gives it the network between. sends: what it
  // leaves is sent; otherwise the next Write does that.
  template <class Step>
  absl::Status Do(const gort::Context& ctx, bool sends, Step step) {
    for (;;) {
      std::unique_lock lock(mu_);
      ERR_clear_error();
      const int why = SSL_get_error(ssl_.get(), step(ssl_.get()));
      const bool fine = why == SSL_ERROR_NONE || why == SSL_ERROR_WANT_READ;
      absl::Status s = fine ? absl::OkStatus() : Failure();
      std::string out(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())), '\0');
      if (sends && !out.empty())
        BIO_read(SSL_get_wbio(ssl_.get()), &out[0], static_cast<int>(out.size()));
      lock.unlock();
      if (sends && !out.empty()) s.Update(socket_.Write(ctx, out).status());
      if (!s.ok() || why == SSL_ERROR_NONE) return s;
      if (!sends && out.size() > kMostUnsent) return absl::AbortedError("tls: too many new keys");
      out.resize(kRecord);
      const absl::StatusOr<size_t> n = socket_.Read(ctx, absl::MakeSpan(&out[0], kRecord));
      if (!n.ok()) return n.status();
      if (*n == 0) return absl::OutOfRangeError("tls: the stream was cut");
      lock.lock();
      BIO_write(SSL_get_rbio(ssl_.get()), out.data(), static_cast<int>(*n));
    }
  }
  absl::Status Failure() const {
    const std::string text = Reasons();
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (verdict == X509_V_OK) return absl::AbortedError(text);
    return absl::UnauthenticatedError(text + ": " + X509_verify_cert_error_string(verdict));
  }

  gort::Conn socket_;
  gort::Mutex reading_, writing_;  // one call after the other
  absl::Status ended_;             // guarded by writing_: why there can be no more writes
  gort::Mutex mu_;                 // guards ssl_
  std::shared_ptr<SSL> ssl_;
};

}  // namespace tls

#endif  // GORT_APPS_TLS_TLS_CONN_H_
