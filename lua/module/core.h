/* SPDX-License-Identifier: MIT */
/* The module reverst.core: everything of the library that scripts reach. */
#ifndef REVERST_LUA_CORE_H
#define REVERST_LUA_CORE_H

#include <lua.h>

/* Makes it known to `require`; the state must be an engine's.  May raise. */
void rv_lua_preload_core(lua_State *L);

#endif
