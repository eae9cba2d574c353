/* SPDX-License-Identifier: MIT */
/* What the answers of a tunnel say about it: how long they take, and whether it
   is left out for a while because it failed too many. */
#ifndef RV_SERVER_HEALTH_H
#define RV_SERVER_HEALTH_H

#include "base/failure.h"
#include "server/tunnel.h"

/* Of a tunnel that has joined a group, until it leaves. */
void rv_health_init(reverst_tunnel *tunnel);
void rv_health_deinit(reverst_tunnel *tunnel);

/* A response head came, so long after the request was handed to it. */
void rv_health_note_head(reverst_tunnel *tunnel, uint64_t took);

/* A request failed before its response head. Counts if the tunnel, or what is
   behind it, is to blame. With the group's max_fails within fail_duration it is
   left out for as long, and then comes back by itself; both is logged. */
void rv_health_note_failure(reverst_tunnel *tunnel, enum rv_failure failure);

#endif
