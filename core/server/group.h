/* SPDX-License-Identifier: MIT */
/* Groups: named sets of tunnels that serve the same hosts: who may join, and
   the turn of each. */
#ifndef RV_SERVER_GROUP_H
#define RV_SERVER_GROUP_H

#include "base/map.h"
#include "server/hosts.h"
#include "server/tunnel.h"

struct rv_group {
  struct rv_engine *engine;
  struct rv_map_node node; /* of groups->names */
  char *name;
  struct rv_host *hosts;
  size_t host_count;

  /* What is meant: defaults are filled in, REVERST_NEVER or 0 is none; `name`
     and `hosts` are NULL. Another call of the server's owner may replace it as
     a whole: who hands a decision to somebody keeps what that one is told by.
   */
  reverst_group_options options;
  bool removed; /* it is in no table; nothing may be called of the options */

  struct rv_list tunnels; /* in turn of the round robin: the next is first */
  size_t tunnel_count;
  struct rv_list waiting; /* routes that wait for a free stream */
  size_t waiting_count;

  size_t references; /* of the tables, tunnels and routes */
};

struct rv_groups {
  struct rv_engine *engine;
  struct rv_map names;
  struct rv_hosts hosts;
};

enum {
  RV_GROUP_MAX_TUNNELS = 10000,
  RV_GROUP_MAX_WAITING = 1000,
  RV_GROUP_MAX_RETRIES = 15
};

void rv_groups_init(struct rv_groups *groups, struct rv_engine *engine);
void rv_groups_deinit(struct rv_groups *groups); /* no tunnels any more */

/* As reverst_server_add_group; `*fault` says what is wrong with what: a static
   text and a part of the options. Texts are never NULL. */
struct rv_group_fault {
  const char *what, *value;
  const char *other; /* the group that has it already; "" */
};
int rv_groups_add(struct rv_groups *groups,
    const reverst_group_options *options, struct rv_group_fault *fault);

struct rv_group *rv_groups_find(
    const struct rv_groups *groups, struct rv_span name);

/* By host as rv_host_of_authority yields it. */
struct rv_group *rv_groups_route(
    const struct rv_groups *groups, struct rv_span host);

/* Keeps the group, in the tables or not, until it is let go as often. */
void rv_group_hold(struct rv_group *group);
void rv_group_release(struct rv_group *group);

void rv_group_add_tunnel(struct rv_group *group, reverst_tunnel *tunnel);
void rv_group_remove_tunnel(reverst_tunnel *tunnel);

/* The next of the round robin among the tunnels that may take a request now,
   without those of `tried`; a suspect one only when there is no other. NULL:
   none; then
   `*may_wait` says whether one has merely no free stream. */
reverst_tunnel *rv_group_find_tunnel(const struct rv_group *group,
    const uint64_t *tried, size_t tried_count, bool *may_wait);

/* It got a request: its turn comes again when all others had theirs. */
void rv_group_rotate(reverst_tunnel *tunnel);

#endif
