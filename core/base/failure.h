/* SPDX-License-Identifier: MIT */
/* Failures of an exchange: one row per cause, with everything that follows. */
#ifndef RV_BASE_FAILURE_H
#define RV_BASE_FAILURE_H

#include <stdint.h>

/* May the request be sent to another tunnel? */
enum rv_retry {
  RV_RETRY_NEVER,
  RV_RETRY_SAFE,      /* any method: no application has seen the request */
  RV_RETRY_IDEMPOTENT /* only methods that may be repeated (RFC 9110 9.2.2) */
};

/* What an HTTP/1.1 connection does after the answer. */
enum rv_h1_action { RV_H1_KEEP, RV_H1_CLOSE };

/* X(name, log word, retry, HTTP status, HTTP/1 action, HTTP/3 code, text for
   the visitor). The HTTP/3 code is what a responder resets the stream with (RFC
   9114 section 8.1). A status of 0: nobody is there to read it. */
#define RV_FAILURES(X)                                                         \
  X(NONE, "none", NEVER, 200, KEEP, 0x100, "")                                 \
  X(NO_GROUP, "no_group", NEVER, 404, KEEP, 0x10b,                             \
      "No service is known under this name.")                                  \
  X(NO_TUNNEL, "no_tunnel", NEVER, 503, KEEP, 0x10b,                           \
      "The service is not connected right now. Try again in a moment.")        \
  X(NO_CHOICE, "no_choice", NEVER, 503, KEEP, 0x10b,                           \
      "The service is not available right now. Try again in a moment.")        \
  X(REFUSED, "refused", SAFE, 502, KEEP, 0x10b,                                \
      "The service did not take the request.")                                 \
  X(TUNNEL_LOST, "tunnel_lost", IDEMPOTENT, 502, KEEP, 0x102,                  \
      "The connection to the service was lost.")                               \
  X(UPSTREAM_RESET, "upstream_reset", NEVER, 502, KEEP, 0x102,                 \
      "The service broke off its answer.")                                     \
  X(ORIGIN_UNREACHABLE, "origin_unreachable", SAFE, 502, KEEP, 0x10b,          \
      "The service behind the tunnel cannot be reached.")                      \
  X(ORIGIN_MALFORMED, "origin_malformed", NEVER, 502, KEEP, 0x10e,             \
      "The service gave an answer that is not valid HTTP.")                    \
  X(REQUEST_MALFORMED, "request_malformed", NEVER, 400, CLOSE, 0x10e,          \
      "The request is not valid HTTP.")                                        \
  X(TIMEOUT_QUEUE, "timeout_queue", NEVER, 503, KEEP, 0x10b,                   \
      "The service is busy. Try again in a moment.")                           \
  X(TIMEOUT_HEAD, "timeout_head", NEVER, 504, KEEP, 0x102,                     \
      "The service did not answer in time.")                                   \
  X(TIMEOUT_BODY, "timeout_body", NEVER, 504, CLOSE, 0x102,                    \
      "The transfer stood still for too long.")                                \
  X(TIMEOUT_REQUEST, "timeout_request", NEVER, 408, CLOSE, 0x10d,              \
      "The request did not arrive in time.")                                   \
  X(HEAD_TOO_LARGE, "head_too_large", NEVER, 431, CLOSE, 0x107,                \
      "The header section of the request is too large.")                       \
  X(TARGET_TOO_LONG, "target_too_long", NEVER, 414, CLOSE, 0x107,              \
      "The address of the request is too long.")                               \
  X(METHOD, "method_not_allowed", NEVER, 405, KEEP, 0x10b,                     \
      "This method is not allowed here.")                                      \
  X(UNSUPPORTED, "unsupported", NEVER, 501, CLOSE, 0x10b,                      \
      "The request uses something that is not supported here.")                \
  X(CANCELLED, "cancelled", NEVER, 0, CLOSE, 0x10c, "")                        \
  X(LIMIT, "limit", NEVER, 503, KEEP, 0x10b,                                   \
      "The server is busy. Try again in a moment.")                            \
  X(DRAINING, "draining", NEVER, 503, CLOSE, 0x10b,                            \
      "The server is going down. Try again in a moment.")                      \
  X(HOOK, "hook_failed", NEVER, 500, KEEP, 0x102,                              \
      "Something went wrong inside the server.")                               \
  X(INTERNAL, "internal", NEVER, 500, CLOSE, 0x102,                            \
      "Something went wrong inside the server.")

enum rv_failure {
#define RV_FAILURE_ENUM(name, word, retry, status, action, code, text)         \
  RV_FAILURE_##name,
  RV_FAILURES(RV_FAILURE_ENUM)
#undef RV_FAILURE_ENUM
      RV_FAILURE_COUNT
};

struct rv_failure_row {
  const char *word;
  enum rv_retry retry;
  int status;
  enum rv_h1_action h1_action;
  uint64_t h3_code;
  const char *text;
};

const struct rv_failure_row *rv_failure_row(enum rv_failure failure);

#endif
