/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 towards visitors (RFC 9112): a downstream on a byte stream. Strict.
 */
#ifndef RV_H1_SERVER_H
#define RV_H1_SERVER_H

#include "base/stream.h"
#include "http/exchange.h"
#include "http/filter.h"

struct rv_h1_server;

/* Nanoseconds; 0: the default given; RV_NEVER: none. */
struct rv_h1_server_options {
  struct rv_engine *engine;
  const struct rv_limits *limits; /* NULL: the defaults */
  struct rv_handler *handler;
  struct rv_address peer;
  struct rv_span scheme;       /* "http" or "https"; static */
  struct rv_span default_host; /* of HTTP/1.0 without Host; empty: 400 */
  uint64_t head_timeout; /* 10 s, from connect and from a head's first byte */
  uint64_t keep_alive_timeout; /* 75 s */
  uint64_t body_timeout;       /* 60 s without a byte either way */
  bool half_close;             /* a FIN after the request does not cancel it */

  /* It closed and is about to free itself; may be NULL. */
  void (*on_closed)(struct rv_h1_server *server, void *user_data);
  /* An exchange ended: its record is complete; for the access log. May be NULL.
   */
  void (*on_exchange_ended)(
      const struct rv_exchange *exchange, void *user_data);
  void *user_data;
};

/* The user of a stream: give &server->... by rv_h1_server_user to the stream's
   maker, then start with that stream. */
int rv_h1_server_new(
    struct rv_h1_server **server, const struct rv_h1_server_options *options);
struct rv_stream_user *rv_h1_server_user(struct rv_h1_server *server);
void rv_h1_server_start(struct rv_h1_server *server, struct rv_stream *stream);

/* No further request: Connection: close on the answer that is under way; an
   idle connection closes now. */
void rv_h1_server_drain(struct rv_h1_server *server);

/* Cancels what is under way and closes. */
void rv_h1_server_abort(struct rv_h1_server *server);

/* Bytes of its exchange's bodies that are held because it, or the upstream,
   does not take them; and the engine time when a byte last went either way. */
size_t rv_h1_server_held(const struct rv_h1_server *server);
uint64_t rv_h1_server_active_ns(const struct rv_h1_server *server);

bool rv_h1_server_is_busy(const struct rv_h1_server *server);

#endif
