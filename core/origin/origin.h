/* SPDX-License-Identifier: MIT */
/* An origin: a local HTTP/1.1 service, with its pool of connections. */
#ifndef RV_ORIGIN_ORIGIN_H
#define RV_ORIGIN_ORIGIN_H

#include "event/resolver.h"
#include "http/exchange.h"
#include "http/filter.h"

struct rv_origin;

struct rv_origin_options {
  struct rv_loop *loop;
  struct rv_resolver *resolver;
  struct rv_span address; /* "8080", ":8080", "host:port", "http://host[:port]",
                             "https://host[:port]", "unix:/path"; copied */
  struct rv_tls_context *tls; /* made for streams; wanted by "https://"; kept by
                                 a reference; NULL: none */
  struct rv_span host; /* sent as Host instead of the visitor's; empty: keep */
  const struct rv_limits *limits; /* NULL: the defaults */
  uint64_t connect_timeout;       /* 10 s */
  uint64_t idle_timeout;          /* of kept connections: 60 s */
  size_t max_connections;         /* 1 024; more exchanges wait in a queue */
  size_t max_queue; /* 1 024; more are failed with RV_FAILURE_LIMIT */

  /* Why this exchange is about to fail with RV_FAILURE_ORIGIN_UNREACHABLE: see
     rv_origin_dial_options. It must only take note. NULL: it is logged. */
  void (*on_unreachable)(struct rv_exchange *exchange, int error,
      const char *reason, void *user_data);
  /* The origin cannot be reached, or for another reason than before, as above;
     or it answers again (0, NULL), a second or more after the last failure. It
     must only take note. May be NULL. */
  void (*on_state)(int error, const char *reason, void *user_data);
  void *user_data;
};

/* REVERST_ERR_ADDRESS: the address is not understood, or is "https://" without
   `tls`; REVERST_ERR_NO_MEMORY. A port alone means this machine, by IPv4
   first. */
int rv_origin_new(
    struct rv_origin **origin, const struct rv_origin_options *options);

/* Takes requests: gives each to the connection that was used last, or to a new
   one, or to the first that gets free. A kept connection that the origin closed
   meanwhile is replaced without the visitor noticing, once, where the request
   may be sent again. It is the router of its exchanges. */
struct rv_handler *rv_origin_handler(struct rv_origin *origin);

/* Fails what is under way, closes all, frees at the end of the turn. NULL is
   fine. */
void rv_origin_close(struct rv_origin *origin);

#endif
