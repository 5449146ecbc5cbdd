// profile/internal/encode.h: from sums to the bytes that pprof reads.
// What      a Profile message of Protocol Buffers (profile.proto of github.com/google/pprof), not
//           compressed, which pprof takes as well. Addresses become functions, files and lines here.
// Layer     8. A goroutine, or a thread that gort did not make: allocates, reads files.
#ifndef GORT_PROFILE_INTERNAL_ENCODE_H_
#define GORT_PROFILE_INTERNAL_ENCODE_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "gort/profile/internal/stack_table.h"

namespace gort::rt {

struct ValueType {
  const char* type;
  const char* unit;
};

struct ProfileForm {
  std::initializer_list<ValueType> values;  // of StackSums::sum, in its order
  ValueType period_type;
  int64_t period = 0;
  int64_t begin_ns = 0;       // Unix time
  int64_t duration_ns = 0;    // 0: it is a moment's
  bool only_callers = false;  // the runtime's own functions are left out, as in tracebacks
  // The last sum is not the table's: it is the first one times the period.
  bool last_is_product = false;
  const char* note = nullptr;
};

std::string EncodeProfile(const StackTable& table, const ProfileForm& form);

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_ENCODE_H_
