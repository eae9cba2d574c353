/* SPDX-License-Identifier: MIT */
/* Lua's library of coroutines, where it meets tasks. */
#ifndef REVERST_LUA_COROUTINE_H
#define REVERST_LUA_COROUTINE_H

#include <lua.h>

/* Has the coroutines of scripts watched, and those of tasks resumed and closed
   by the engine alone: what they wait for would not be there yet.  Needs Lua's
   library; may raise. */
void rv_lua_prepare_coroutines(lua_State *L);

#endif
