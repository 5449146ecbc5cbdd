// base/attributes.h: compiler attributes and build facts, for any layer.
// What      one spelling for gcc and clang; the sanitizer and debug switches, always 0 or 1.
// Layer     1. Macros and constants only.
#ifndef GORT_BASE_ATTRIBUTES_H_
#define GORT_BASE_ATTRIBUTES_H_

#define GORT_NOINLINE __attribute__((noinline))
#define GORT_ALWAYS_INLINE inline __attribute__((always_inline))
#define GORT_COLD __attribute__((cold, noinline))
#define GORT_LIKELY(x) (__builtin_expect(!!(x), 1))
#define GORT_UNLIKELY(x) (__builtin_expect(!!(x), 0))

#if defined(__SANITIZE_ADDRESS__)
#define GORT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GORT_ASAN 1
#endif
#endif
#ifndef GORT_ASAN
#define GORT_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define GORT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GORT_TSAN 1
#endif
#endif
#ifndef GORT_TSAN
#define GORT_TSAN 0
#endif

// GORT_DEBUG=1 (--config=dbg) turns every invariant check on. kDebug lets code say
// `if constexpr (kDebug)` so that both forms are always compiled.
#ifndef GORT_DEBUG
#define GORT_DEBUG 0
#endif

namespace gort::rt {
inline constexpr bool kDebug = GORT_DEBUG != 0;
// Bytes between two fields that different CPUs write, so that they do not slow each other down.
inline constexpr int kCacheLine = 64;
}  // namespace gort::rt

#if GORT_ASAN
#define GORT_NO_ASAN __attribute__((no_sanitize("address")))
#else
#define GORT_NO_ASAN
#endif
#if GORT_TSAN
#define GORT_NO_TSAN __attribute__((no_sanitize("thread")))
#else
#define GORT_NO_TSAN
#endif

// Of a variable of the runtime's that leads to goroutines which wait, without being a way to wake them: a
// search for leaked goroutines does not follow it. It must not be zero-initialised memory of megabytes,
// because it lies in the program's file.
#define GORT_NOT_REACHING __attribute__((section("gort_not_reaching")))

#endif  // GORT_BASE_ATTRIBUTES_H_
