/* SPDX-License-Identifier: MIT */
/* Watches over a connection on which nothing need happen for a long time:
   learns early that the other end does not answer any more. */
#ifndef RV_TUNNEL_WATCH_H
#define RV_TUNNEL_WATCH_H

#include "base/engine.h"
#include "quic/connection.h"

struct rv_watch {
  struct rv_engine *engine;
  struct rv_quic_connection *connection;
  uint64_t period;   /* of silence, until a PING asks; nanoseconds */
  uint64_t asked_at; /* engine time; 0: nothing is asked */
  bool silent;
  struct rv_timer timer;
  void (*on_changed)(struct rv_watch *watch); /* `silent` has */
};

/* Watches nothing yet. */
void rv_watch_init(struct rv_watch *watch, struct rv_engine *engine,
    void (*on_changed)(struct rv_watch *watch));

/* After the handshake, with the keep-alive period of the connection; a
   connection without one is not watched. From then on: a PING that is not
   answered within max(3 s, 3 PTO) makes it silent, any packet that comes later
   makes it good again. REVERST_ERR_NO_MEMORY. */
int rv_watch_start(
    struct rv_watch *watch, struct rv_quic_connection *connection);

/* Before the connection or the watch goes; harmless when it watches nothing. */
void rv_watch_stop(struct rv_watch *watch);

#endif
