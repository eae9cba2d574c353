/* SPDX-License-Identifier: MIT */
/* The other end of a control socket, for commands: it waits. */
#ifndef REVERST_LUA_CONTROL_CLIENT_H
#define REVERST_LUA_CONTROL_CLIENT_H

#include <lua.h>

/* Lua: ask_control(path, line, seconds): the line that comes back; or nil, why,
   and "nobody" when nobody listens there. */
int rv_lua_control_ask(lua_State *L);

#endif
