/* SPDX-License-Identifier: MIT */
/* busted within the program. */
#ifndef REVERST_LUA_BUSTED_H
#define REVERST_LUA_BUSTED_H

#include <lua.h>

/* Opens the module reverst.busted, whose value is true: from then on `require`
   finds busted, and all that it needs, here and not in the system. */
int rv_lua_open_busted(lua_State *L);

#endif
