/* SPDX-License-Identifier: MIT */
/* The one table of what field may pass where, and of what is valid. Used by
   every codec on the way in and on the way out. */
#ifndef RV_HTTP_FILTER_H
#define RV_HTTP_FILTER_H

#include "base/failure.h"
#include "http/head.h"

/* Bounds, all configurable by the engine's owner. */
struct rv_limits {
  size_t head_bytes; /* 64 KiB: HTTP/1.1 bytes; sum of names and values else */
  size_t target_bytes;        /* 16 KiB */
  size_t field_count;         /* 100 */
  size_t name_bytes;          /* 256 */
  size_t value_bytes;         /* 16 KiB */
  size_t informational_count; /* 1xx heads for one request: 16 */
};
extern const struct rv_limits rv_limits_default;

/* Behind a front that uses the defaults: with room for the fields it adds. */
extern const struct rv_limits rv_limits_forwarded;

/* RFC 9110 section 5.6.2 token. */
bool rv_is_token(struct rv_span span);

/* A token without upper-case letters: what a name in rv_fields must be. */
bool rv_is_field_name(struct rv_span span);

/* RFC 9110 section 5.5, obs-text allowed: no CR, LF, NUL or other controls but
   tab; no blanks at the ends. */
bool rv_is_field_value(struct rv_span span);

/* RFC 3986 host[:port], the host not empty; no user information, no IPvFuture
   and no zone. The port may be empty, and is at most 65535. */
bool rv_is_authority(struct rv_span span);

/* Origin-form or "*": visible ASCII and obs-text only, begins with "/", no "#".
 */
bool rv_is_path(struct rv_span span);

/* What routing looks up: host without port, lower case, without a trailing dot;
   copied into `arena` only when it must change. */
struct rv_span rv_host_of_authority(
    struct rv_arena *arena, struct rv_span authority);

/* Checks every name and value (bytes, limits) and, for a head, whatever is
   there of method, scheme, authority, path and protocol, Host (once) and
   Content-Length: RV_FAILURE_NONE, RV_FAILURE_REQUEST_MALFORMED,
   RV_FAILURE_HEAD_TOO_LARGE or, for a head, RV_FAILURE_TARGET_TOO_LONG. Sets
   head->content_length from the field when present (several equal values are
   made one field, differing are malformed). */
enum rv_failure rv_filter_check_head(
    struct rv_head *head, const struct rv_limits *limits);
enum rv_failure rv_filter_check_fields(
    const struct rv_fields *fields, const struct rv_limits *limits);

/* Is this name (lower case) one that concerns one connection only? `te` counts
   unless its value is "trailers" (RFC 9110 section 7.6.1, RFC 9114 4.2). */
bool rv_is_connection_specific(struct rv_span name, struct rv_span value);

/* Removes connection-specific fields, those between us and the visitor as a
   proxy (Proxy-Authorization and the like), and those that Connection names (of
   its options the first 100 count), except Host, Content-Length, Cookie,
   Authorization, "TE: trailers" and the forwarding fields. Call it before
   adding fields. */
void rv_filter_hop_by_hop(struct rv_fields *fields);

/* Removes from trailers what must not be there: also framing, routing,
   authentication, control, content format and pseudo-like names (RFC 9110
   section 6.5.1). */
void rv_filter_trailers(struct rv_fields *fields);

/* Is this field (name in lower case) for the proxy alone to set, whatever the
   configuration wants: framing, Host, what concerns one connection; in a
   request also what tells the origin about the visitor (X-Forwarded-For, -Host
   and -Proto, X-Request-Id, Via)? */
bool rv_is_proxy_field(struct rv_span name, bool in_request);

/* GET, HEAD, OPTIONS, PUT, DELETE. */
bool rv_is_idempotent(struct rv_span method);

/* Does a response with this status to this method never have a body?
   (HEAD, 1xx, 204, 304) */
bool rv_is_bodyless(struct rv_span method, int status);

#endif
