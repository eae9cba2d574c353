/* SPDX-License-Identifier: MIT */
/* Instances of clients: one that dials anew takes over from the tunnel that it
   had, which the server may not yet know to be dead. */
#ifndef RV_SERVER_INSTANCES_H
#define RV_SERVER_INSTANCES_H

#include "base/map.h"
#include "server/group.h"
#include "server/retirement.h"

/* 128 bits in hex: nobody else can guess them. */
#define RV_INSTANCE_KEY RV_SPAN("Reverst-Instance")
enum { RV_INSTANCE_LENGTH = 32 };

/* Of an accepted tunnel. Zero-initialised plus `tunnel`. */
struct rv_instance {
  struct rv_map_node node; /* by group and id, unless it was replaced */
  reverst_tunnel *tunnel;
  char *key; /* NULL: the client named none */
};

struct rv_instances {
  struct rv_retirement *retirement;
  struct rv_map current;
};

/* `retirement` gets those that are replaced. */
void rv_instances_init(struct rv_instances *instances, struct rv_engine *engine,
    struct rv_retirement *retirement);
void rv_instances_deinit(struct rv_instances *instances); /* all removed */

/* A registration was accepted: a tunnel of the same instance in the same group
   retires ("replaced"). Whoever asks was authenticated, and knows an
   id that only the client and the server know. Nothing happens to a
   registration without an id, nor when memory is short. */
void rv_instances_take_over(struct rv_instances *instances,
    struct rv_instance *instance, const struct rv_group *group,
    const struct rv_message *registration);

/* Its tunnel has ended. */
void rv_instances_remove(
    struct rv_instances *instances, struct rv_instance *instance);

#endif
