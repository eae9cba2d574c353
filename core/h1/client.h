/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 towards origins (RFC 9112): an upstream on a byte stream. Messages
   are serialised anew from the parsed ones, never copied. */
#ifndef RV_H1_CLIENT_H
#define RV_H1_CLIENT_H

#include "base/stream.h"
#include "http/exchange.h"
#include "http/filter.h"

struct rv_h1_client;

struct rv_h1_client_options {
  struct rv_engine *engine;
  const struct rv_limits *limits; /* NULL: the defaults */
  uint64_t response_timeout;      /* to the final head; 0 or RV_NEVER: none */
  uint64_t body_timeout;          /* 60 s; RV_NEVER: none */

  /* The exchange is over and the connection can take another one. */
  void (*on_idle)(struct rv_h1_client *client, void *user_data);
  /* It is closed and about to free itself. An exchange that was under way has
     failed: with RV_FAILURE_REFUSED when no byte of it was sent, with
     RV_FAILURE_TUNNEL_LOST when a kept connection was lost before any byte of
     the answer. */
  void (*on_closed)(struct rv_h1_client *client, void *user_data);
  void *user_data;
};

int rv_h1_client_new(
    struct rv_h1_client **client, const struct rv_h1_client_options *options);
struct rv_stream_user *rv_h1_client_user(struct rv_h1_client *client);
void rv_h1_client_start(struct rv_h1_client *client, struct rv_stream *stream);

/* Becomes the exchange's upstream; the client must be idle or new. It may be
   called before the stream is connected. */
void rv_h1_client_submit(
    struct rv_h1_client *client, struct rv_exchange *exchange);

/* Closes; an exchange under way fails. */
void rv_h1_client_close(struct rv_h1_client *client);

#endif
