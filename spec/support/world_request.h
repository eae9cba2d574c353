/* SPDX-License-Identifier: MIT */
/* Requests that a client's Lua function answers. */
#ifndef SPEC_WORLD_REQUEST_H
#define SPEC_WORLD_REQUEST_H

#include "world.h"

#include <reverst/http.h>

int luaopen_spec_world_request(lua_State *L);

/* Pushes an object for a request that has just come; its handlers are set with
   request:on{readable=, writable=, closed=}. */
void world_push_request(struct world *world, reverst_request *request);

/* The table { status=, headers=, body= } at `index`, which keeps the texts
   alive. */
enum { WORLD_MAX_FIELDS = 128 };
reverst_response world_read_response(
    lua_State *L, int index, reverst_field fields[static WORLD_MAX_FIELDS + 1]);

#endif
