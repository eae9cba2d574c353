/* SPDX-License-Identifier: MIT */
/* Servers, as scripts make them. */
#ifndef REVERST_LUA_SERVER_H
#define REVERST_LUA_SERVER_H

#include <lua.h>

/* Lua: server(options): a handle; or nil, why, and the error's name.  Durations
   are in nanoseconds, false is off.  Methods: set_routing(options) (see
   routing.h), derive_secret(label) (32 bytes, see reverst/server.h),
   tunnel_address(), http_address(), stats(), reload_certificates() (true; or
   nil, why and name), drain(), close(); of a server that is gone they return
   nil and "closed". */
int rv_lua_server_new(lua_State *L);

/* Lua: check_server(options): true, when server(options) would take them; else
   nil, why, and the error's name.  It opens nothing. */
int rv_lua_server_check(lua_State *L);

#endif
