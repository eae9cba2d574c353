/* SPDX-License-Identifier: MIT */
/* Policies and hooks that Lua functions are. */
#ifndef SPEC_WORLD_VISIT_H
#define SPEC_WORLD_VISIT_H

#include "world.h"

#include <reverst/server.h>

int luaopen_spec_world_visit(lua_State *L);

/* Sets each callback of visits that the table at `index` has a function for:
   choose(self, visit, tunnels, generation), which says visit:pick(tunnel);
   on_request(self, visit), on_response(self, visit), on_cancelled(self, visit).
   The options' user_data is an object that begins with its `struct world *`. */
void world_set_hooks(lua_State *L, int index, reverst_group_options *options);

/* The same of on_route(self, visit). */
void world_set_route(lua_State *L, int index, reverst_routing *routing);

#endif
