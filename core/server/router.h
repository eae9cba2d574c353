/* SPDX-License-Identifier: MIT */
/* The router: finds the group of a request and a tunnel of the group, waits
   where there is none free, and tries another one where that is safe. */
#ifndef RV_SERVER_ROUTER_H
#define RV_SERVER_ROUTER_H

#include "http/exchange.h"
#include "server/groups.h"

struct rv_router {
  struct rv_handler handler; /* takes the requests of visitors */
  struct rv_engine *engine;  /* counts the visits there are: live.visits */
  struct rv_groups *groups;
  uint64_t last_generation; /* of candidates */
  bool draining;            /* new requests are refused */
  size_t unsent;            /* visits that no tunnel has had yet */
  /* A request is refused for want of memory: is there some to be had? May be
     NULL. */
  void (*on_short_of_memory)(struct rv_router *router);
  /* `unsent` has become 0. May be NULL. */
  void (*on_all_sent)(struct rv_router *router);
  /* The last visit has gone. May be NULL. */
  void (*on_idle)(struct rv_router *router);
  uint64_t requests, failures, retries; /* counters */
};

void rv_router_init(struct rv_router *router, struct rv_engine *engine,
    struct rv_groups *groups);

/* Tunnels or streams have become available: those that wait may go. */
void rv_router_serve_waiting(struct rv_group *group);

#endif
