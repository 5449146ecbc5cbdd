// base/proto.h: messages of Protocol Buffers, byte by byte.
// What      appends fields to a buffer in which there is room. The length of a message within
//           another takes two bytes whatever it is, so that nothing is moved when it is known.
// Layer     1. Pure.
#ifndef GORT_BASE_PROTO_H_
#define GORT_BASE_PROTO_H_

#include <cstdint>
#include <cstring>
#include <string_view>

#include "gort/base/attributes.h"

namespace gort::rt {

class Proto {
 public:
  explicit Proto(char* at) : at_(at) {}
  char* at() const { return at_; }

  GORT_ALWAYS_INLINE void Varint(uint32_t field, uint64_t v) {
    Raw(field << 3);
    Raw(v);
  }
  void Fixed64(uint32_t field, uint64_t v) {
    Raw(field << 3 | 1);
    memcpy(at_, &v, sizeof v);
    at_ += sizeof v;
  }
  void Bytes(uint32_t field, std::string_view s) {
    Raw(field << 3 | 2);
    Raw(s.size());
    memcpy(at_, s.data(), s.size());
    at_ += s.size();
  }
  // A number of 28 bits at least, in parts: `first` has its lowest 21, and the n bytes of rest are the
  // encoding of the others. One byte stands for the field and the type.
  GORT_ALWAYS_INLINE void VarintOfParts(uint32_t field, uint64_t first, uint64_t rest, uint32_t n) {
    at_[0] = static_cast<char>(field << 3);
    at_[1] = static_cast<char>(first | 0x80);
    at_[2] = static_cast<char>(first >> 7 | 0x80);
    at_[3] = static_cast<char>(first >> 14 | 0x80);
    memcpy(at_ + 4, &rest, sizeof rest);
    at_ += 4 + n;
  }
  // The encoding of v as the bytes of *rest, lowest first; how many.
  static uint32_t Encode(uint64_t v, uint64_t* rest) {
    char bytes[16] = {};
    Proto p(bytes);
    p.Raw(v);
    memcpy(rest, bytes, sizeof *rest);
    return static_cast<uint32_t>(p.at() - bytes);
  }
  // n bytes that have been encoded before; 4 at most, and 4 are written.
  GORT_ALWAYS_INLINE void Fixed(const char* bytes, uint32_t n) {
    memcpy(at_, bytes, 4);
    at_ += n;
  }
  // What is appended until Close(Open(field)) is the message's; at most 16383 bytes.
  GORT_ALWAYS_INLINE char* Open(uint32_t field) {
    Raw(field << 3 | 2);
    at_ += 2;
    return at_;
  }
  GORT_ALWAYS_INLINE void Close(char* begin) {
    const auto n = static_cast<uint32_t>(at_ - begin);
    begin[-2] = static_cast<char>(n | 0x80);
    begin[-1] = static_cast<char>(n >> 7);
  }

 private:
  GORT_ALWAYS_INLINE void Raw(uint64_t v) {
    while (v >= 0x80) {
      *at_++ = static_cast<char>(v | 0x80);
      v >>= 7;
    }
    *at_++ = static_cast<char>(v);
  }

  char* at_;
};

}  // namespace gort::rt

#endif  // GORT_BASE_PROTO_H_
