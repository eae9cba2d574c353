/* SPDX-License-Identifier: MIT */
/* The tables of groups: by name and by host. */
#ifndef RV_SERVER_GROUPS_H
#define RV_SERVER_GROUPS_H

#include "server/group.h"

struct rv_groups {
  struct rv_engine *engine;
  struct rv_map names;
  struct rv_hosts hosts;

  /* As in reverst_routing; NULL: hosts alone decide. */
  void (*on_route)(reverst_visit *visit, void *user_data);
  void (*on_cancelled)(reverst_visit *visit, void *user_data);
  void *user_data;
};

void rv_groups_init(struct rv_groups *groups, struct rv_engine *engine);
void rv_groups_deinit(struct rv_groups *groups); /* lets all go */

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

/* Puts `fresh`, which is empty afterwards, in the place of what there is: a
   group of the same name becomes what the fresh one is and stays otherwise as
   it was. The others are marked as removed and pushed to `removed`, still
   held. */
void rv_groups_exchange(
    struct rv_groups *groups, struct rv_groups *fresh, struct rv_list *removed);

#endif
