/* SPDX-License-Identifier: MIT */
/* Groups, registrations and tunnels of a server, for behaviour specs. */
#ifndef SPEC_WORLD_GROUP_H
#define SPEC_WORLD_GROUP_H

#include "world.h"

#include <reverst/group.h>

/* Reads the options of a group from the table at `index`, which has its
   handlers too. Pushes two values that must stay until the options were used.
 */
void world_read_group(lua_State *L, struct world *world, int index,
    reverst_group_options *options);

/* Reads who is asked for routes from the table at `index`. Pushes a value. */
void world_read_route(
    lua_State *L, struct world *world, int index, reverst_routing *routing);

/* Pushes a table of all that a tunnel says. */
void world_push_tunnel(lua_State *L, const reverst_tunnel *tunnel);

#endif
