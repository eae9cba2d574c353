/* SPDX-License-Identifier: MIT */
/* Groups: named sets of tunnels that serve the same hosts, and their members.
 */
#ifndef RV_SERVER_GROUP_H
#define RV_SERVER_GROUP_H

#include "base/map.h"
#include "tunnel/server_tunnel.h"
#include <reverst/server.h>

struct rv_group;
struct rv_server_tunnel;

/* One accepted tunnel in its group. */
struct rv_member {
  struct rv_list node; /* of group->members */
  struct rv_group *group;
  struct rv_server_tunnel *tunnel;
  uint64_t id;           /* unique in the engine, never 0 */
  struct rv_list routes; /* requests that wait for its answer */
  bool replaced;         /* its client has another tunnel: no new requests */
};

struct rv_group_host {
  struct rv_map_node node; /* of groups->hosts */
  struct rv_group *group;
  char *name;
};

struct rv_group {
  struct rv_map_node node; /* of groups->names */
  char *name;
  struct rv_group_host *hosts;
  size_t host_count;

  reverst_authenticate authenticate;
  bool insecure;
  void *user_data;
  unsigned retries;
  uint64_t response_timeout, queue_timeout; /* RV_NEVER: none */

  struct rv_list members; /* in turn of the round robin: the next is first */
  size_t member_count;
  struct rv_list waiting; /* routes that wait for a free stream */
  size_t waiting_count;
};

struct rv_groups {
  struct rv_map names, hosts;
};

enum { RV_GROUP_MAX_MEMBERS = 10000, RV_GROUP_MAX_WAITING = 1000 };

void rv_groups_init(struct rv_groups *groups, const uint64_t secret[static 2]);
void rv_groups_deinit(struct rv_groups *groups); /* no members any more */

/* As reverst_server_add_group; `*fault` says what was wrong with what, in
   `detail`: a static text and a part of the options. */
struct rv_group_fault {
  const char *what, *value;
};
int rv_groups_add(struct rv_groups *groups,
    const reverst_group_options *options, struct rv_group_fault *fault);

struct rv_group *rv_groups_find(
    const struct rv_groups *groups, struct rv_span name);

/* By host as rv_host_of_authority yields it. */
struct rv_group *rv_groups_route(
    const struct rv_groups *groups, struct rv_span host);

void rv_group_add_member(struct rv_group *group, struct rv_member *member);
void rv_group_remove_member(struct rv_member *member);

/* The next of the round robin among the members that may take a request now,
   without those of `tried`; a suspect one only when there is no other. NULL:
   none; then
   `*may_wait` says whether one has merely no free stream. */
struct rv_member *rv_group_find_member(const struct rv_group *group,
    const uint64_t *tried, size_t tried_count, bool *may_wait);

/* It got a request: its turn comes again when all others had theirs. */
void rv_group_rotate(struct rv_member *member);

#endif
