/* SPDX-License-Identifier: MIT */
/* One attempt to reach an origin: its addresses, tried in order, and TLS. */
#ifndef RV_ORIGIN_DIAL_H
#define RV_ORIGIN_DIAL_H

#include "event/resolver.h"
#include "event/tcp.h"
#include "tls/context.h"

/* Where an origin is; see struct rv_origin_options. */
struct rv_origin_place {
  bool secure; /* TLS is wanted */
  char *host;  /* name or literal; NULL: `path` it is */
  uint16_t port;
  struct rv_address path;
};

/* REVERST_ERR_ADDRESS, REVERST_ERR_NO_MEMORY. */
int rv_origin_place_init(struct rv_origin_place *place, struct rv_span text);
void rv_origin_place_deinit(struct rv_origin_place *place);

struct rv_origin_dial;

struct rv_origin_dial_options {
  struct rv_loop *loop;
  struct rv_resolver *resolver;
  const struct rv_origin_place *place; /* must outlive the dial */
  struct rv_tls_context *tls; /* for a secure place; must outlive the dial */
  uint64_t timeout;           /* in all: name, connection and handshake */

  /* Exactly one of the two comes, later, unless it is cancelled. The callee
     gives the connected stream a new user; or it returns false, and the stream
     is closed. `reason`: of the last address, for
     people; `error`: REVERST_ERR_RESOLVE, _CONNECT, _TLS or _TIMEOUT. What TLS
     objects to at one address is not tried at another. */
  bool (*on_connected)(
      struct rv_origin_dial *dial, struct rv_stream *stream, void *user_data);
  void (*on_failed)(struct rv_origin_dial *dial, int error, const char *reason,
      void *user_data);
  void *user_data;
};

/* REVERST_ERR_NO_MEMORY, REVERST_ERR_LIMIT (of the resolver). It frees itself
   after its callback. */
int rv_origin_dial_start(
    struct rv_origin_dial **dial, const struct rv_origin_dial_options *options);
void rv_origin_dial_cancel(struct rv_origin_dial *dial);

#endif
