// gort/context/stop_token.h: between contexts and the stop tokens of the standard library.
// What      WithStopToken(parent, token) is a context that a std::stop_token cancels;
//           StopToken(ctx) is a std::stop_token that a context stops.
// Layer     9.                                         Go: none
// Threads   std::stop_callback goes by threads. What a context stops, it stops in a goroutine of its
//           own, wired to its thread meanwhile; what a token cancels, it cancels in the call of
//           request_stop, wired likewise.
// Contract  | call          | goroutine | other thread | parks                | allocates |
//           | WithStopToken |     x     |      x       | if requested already |     x     |
//           | StopToken     |     x     |      x       | -                    |     x     |
#ifndef GORT_CONTEXT_STOP_TOKEN_H_
#define GORT_CONTEXT_STOP_TOKEN_H_

#include <stop_token>

#include "gort/context/context.h"

namespace gort {

// A context that is cancelled with its parent, or when a stop is requested of token; at once if that
// has happened. When request_stop returns it is cancelled. The token's state does not keep it.
Context WithStopToken(const Context& parent, const std::stop_token& token);

// A token of which a stop is requested soon after ctx is cancelled, at once if it is already; its
// callbacks run in a goroutine. Of a context that can never be cancelled: a token without a state,
// and so is a token whose context is gone. Does not keep ctx.
std::stop_token StopToken(const Context& ctx);

}  // namespace gort

#endif  // GORT_CONTEXT_STOP_TOKEN_H_
