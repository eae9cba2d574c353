/* SPDX-License-Identifier: MIT */
/* Tunnels that get no new request, and close when they have answered those that
   they have. */
#ifndef RV_SERVER_RETIREMENT_H
#define RV_SERVER_RETIREMENT_H

#include "server/tunnel.h"

struct rv_retirement {
  struct rv_engine *engine;
  struct rv_list tunnels;
  struct rv_timer timer; /* looks whether they have */
};

void rv_retirement_init(
    struct rv_retirement *retirement, struct rv_engine *engine);
void rv_retirement_deinit(struct rv_retirement *retirement);

/* No new request from now on; closes it for that reason when it has answered
   all, or is suspect, and at the latest after `timeout` (ns; RV_NEVER: none;
   the shortest that was given): requests that are broken off then are in the
   log. Its client, if it understands GOAWAY, is not told: see
   rv_server_tunnel_drain. */
void rv_retirement_begin(struct rv_retirement *retirement,
    reverst_tunnel *tunnel, enum rv_refusal why, uint64_t timeout);

/* It has gone, or never retired. */
void rv_retirement_end(reverst_tunnel *tunnel);

#endif
