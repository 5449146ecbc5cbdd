// tests/anycode/numbers.cc: GMP and OpenSSL.
#include <gmp.h>
#include <openssl/async.h>
#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

class Integer {
 public:
  Integer() { mpz_init(value_); }
  ~Integer() { mpz_clear(value_); }
  Integer(const Integer&) = delete;
  Integer& operator=(const Integer&) = delete;
  mpz_ptr operator->() { return value_; }
  operator mpz_ptr() { return value_; }  // NOLINT(google-explicit-constructor)

 private:
  mpz_t value_;
};

// a^(p-1) = 1 modulo a prime p, here 2^521 - 1; and a product divided by one factor is the other.
Task Gmp(int) {
  return {[](Worker& w) {
    Integer prime;
    Integer exponent;
    mpz_ui_pow_ui(prime, 2, 521);
    mpz_sub_ui(prime, prime, 1);
    mpz_sub_ui(exponent, prime, 1);
    for (uint64_t i = 2 + static_cast<uint64_t>(w.index()); w.Next(); ++i) {
      Integer base;
      Integer power;
      mpz_set_ui(base, i);
      mpz_powm(power, base, exponent, prime);
      ExpectEq(0, mpz_cmp_ui(power, 1), "power by GMP, beside 1");
      Integer product;
      Integer quotient;
      mpz_fac_ui(product, 300 + i % 100);
      mpz_mul(product, product, prime);
      mpz_divexact(quotient, product, prime);
      mpz_fac_ui(product, 300 + i % 100);
      ExpectEq(0, mpz_cmp(quotient, product), "quotient by GMP, beside the factor");
    }
  }};
}

template <size_t kSize>
std::string Hex(const std::array<unsigned char, kSize>& bytes) {
  std::string text;
  for (unsigned char b : bytes) {
    std::array<char, 3> digits;
    std::snprintf(digits.data(), digits.size(), "%02x", b);
    text += digits.data();
  }
  return text;
}

// RFC 7914's example, and a long one, which all workers must agree on.
Task Pbkdf2(int) {
  const auto derive = [](const char* password, const char* salt, int rounds) {
    std::array<unsigned char, 32> key;
    const std::string p = password;
    const std::string s = salt;
    const int ok = PKCS5_PBKDF2_HMAC(
        p.data(), static_cast<int>(p.size()), reinterpret_cast<const unsigned char*>(s.data()),
        static_cast<int>(s.size()), rounds, EVP_sha256(), static_cast<int>(key.size()), key.data());
    ExpectEq(1, ok, "PKCS5_PBKDF2_HMAC");
    return Hex(key);
  };
  const std::string want = derive("Password", "NaCl", 2000);
  return {[=](Worker& w) {
    while (w.Next()) {
      Expect(derive("passwd", "salt", 1) ==
                 "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
             "PBKDF2 of the RFC's example");
      Expect(derive("Password", "NaCl", 2000) == want, "PBKDF2");
    }
  }};
}

// The digest of a million times "a", in pieces (FIPS 180-2).
Task Sha256(int) {
  return {[](Worker& w) {
    const std::string piece(1000, 'a');
    while (w.Next()) {
      EVP_MD_CTX* context = EVP_MD_CTX_new();
      EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
      for (int i = 0; i < 1000; ++i) EVP_DigestUpdate(context, piece.data(), piece.size());
      std::array<unsigned char, 32> digest;
      unsigned size = 0;
      ExpectEq(1, EVP_DigestFinal_ex(context, digest.data(), &size), "EVP_DigestFinal_ex");
      EVP_MD_CTX_free(context);
      Expect(Hex(digest) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
             "SHA-256");
    }
  }};
}

// Encrypts, decrypts, and refuses what was changed.
Task AesGcm(int) {
  return {[](Worker& w) {
    std::array<unsigned char, 32> key{};
    key[0] = static_cast<unsigned char>(w.index());
    const std::array<unsigned char, 12> nonce{};
    const std::string text(4000, static_cast<char>('a' + w.index() % 26));
    const auto* plain = reinterpret_cast<const unsigned char*>(text.data());
    while (w.Next()) {
      std::string sealed(text.size(), '\0');
      auto* bytes = reinterpret_cast<unsigned char*>(sealed.data());
      std::array<unsigned char, 16> tag;
      int n = 0;
      EVP_CIPHER_CTX* c = EVP_CIPHER_CTX_new();
      EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), nullptr, key.data(), nonce.data());
      EVP_EncryptUpdate(c, bytes, &n, plain, static_cast<int>(text.size()));
      EVP_EncryptFinal_ex(c, bytes + n, &n);
      EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, tag.data());
      EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), nullptr, key.data(), nonce.data());
      EVP_DecryptUpdate(c, bytes, &n, bytes, static_cast<int>(text.size()));
      if (w.ops() % 2 == 0) tag[3] ^= 1;
      EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, 16, tag.data());
      const bool accepted = EVP_DecryptFinal_ex(c, bytes + n, &n) > 0;
      EVP_CIPHER_CTX_free(c);
      Expect(accepted == (w.ops() % 2 != 0), "AES-GCM's tag");
      Expect(sealed == text, "AES-GCM gives back another text");
    }
  }};
}

int PauseTenTimes(void*) {
  int sum = 0;
  for (int i = 0; i < 10; ++i) {
    Burn(5);
    sum += i;
    ASYNC_pause_job();
  }
  return sum;
}

// A job has a stack of its own. Which one runs, the thread knows.
Task AsyncJob(int) {
  return {[](Worker& w) {
    ASYNC_WAIT_CTX* wait = ASYNC_WAIT_CTX_new();
    while (w.Next()) {
      ASYNC_JOB* job = nullptr;
      int sum = 0, pauses = 0;
      int state = 0;
      while ((state = ASYNC_start_job(&job, wait, &sum, PauseTenTimes, nullptr, 0)) ==
             ASYNC_PAUSE) {
        ++pauses;
      }
      ExpectEq(ASYNC_FINISH, state, "ASYNC_start_job");
      ExpectEq(10, pauses, "pauses");
      ExpectEq(45, sum, "the job's result");
    }
    ASYNC_WAIT_CTX_free(wait);
  }};
}

}  // namespace

Family Numbers() {
  return {"numbers",
          {{"gmp", Gmp},
           {"pbkdf2", Pbkdf2},
           {"sha256", Sha256},
           {"aes_gcm", AesGcm},
           {"async_job", AsyncJob}}};
}

}  // namespace anycode
