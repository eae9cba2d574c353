/* SPDX-License-Identifier: MIT */
/* Groups: named sets of tunnels that serve the same hosts: who may join, and
   the turn of each. */
#ifndef RV_SERVER_GROUP_H
#define RV_SERVER_GROUP_H

#include "server/candidates.h"
#include "server/hosts.h"
#include "server/review.h"

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
  bool removed;           /* it is in no table, and has no callbacks any more */
  struct rv_list leaving; /* of those that were removed */

  struct rv_list tunnels; /* in turn of the round robin: the next is first */
  size_t tunnel_count;
  struct rv_candidates candidates; /* of these, for the policy */
  uint64_t no_choice_logged;       /* engine time of the last entry; 0: none */
  struct rv_review review;
  struct rv_list waiting; /* visits that wait for a free stream */
  size_t waiting_count;

  size_t references; /* of the tables, tunnels and visits */
};

enum {
  RV_GROUP_MAX_TUNNELS = 10000,
  RV_GROUP_MAX_WAITING = 1000,
  RV_GROUP_MAX_RETRIES = 15
};

/* With the defaults filled in, held once; without hosts. `options` has what it
   must have. NULL: out of memory. */
struct rv_group *rv_group_new(
    struct rv_engine *engine, const reverst_group_options *options);

/* It means the same as `fresh` from now on. */
void rv_group_exchange_options(
    struct rv_group *group, const struct rv_group *fresh);

/* Keeps the group, in the tables or not, until it is let go as often. */
void rv_group_hold(struct rv_group *group);
void rv_group_release(struct rv_group *group);

void rv_group_add_tunnel(struct rv_group *group, reverst_tunnel *tunnel);
void rv_group_remove_tunnel(reverst_tunnel *tunnel);

/* The next of the round robin among the tunnels that may take a request now,
   without those of `tried`; a suspect or failing one only when there is no
   other. NULL: none; then `*may_wait` says whether one has merely no free
   stream. */
reverst_tunnel *rv_group_find_tunnel(
    const struct rv_group *group, struct rv_tried tried, bool *may_wait);

/* It got a request: its turn comes again when all others had theirs. */
void rv_group_rotate(reverst_tunnel *tunnel);

#endif
