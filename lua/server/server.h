/* SPDX-License-Identifier: MIT */
/* Servers, as scripts make them. */
#ifndef REVERST_LUA_SERVER_H
#define REVERST_LUA_SERVER_H

#include <lua.h>
#include <reverst/server.h>

/* Lua: server(options): a handle; or nil, why, and the error's name.  Durations
   are in nanoseconds, false is off.  Methods: set_routing(options) (see
   routing.h), derive_secret(label) (32 bytes, see reverst/server.h),
   tunnel_address(), http_address(), http_addresses() (a list), stats(),
   reload_certificates() (true; or nil, why and name), drain(), close(), and
   those of server_live.h; of a server that is gone they return nil and
   "closed". */
int rv_lua_server_new(lua_State *L);

/* The server of the handle at index 1; NULL: it is gone, and nil and "closed"
   are on the stack. */
reverst_server *rv_lua_server_get(lua_State *L);

/* Lua: check_server(options): true, when server(options) would take them; else
   nil, why, and the error's name.  It opens nothing. */
int rv_lua_server_check(lua_State *L);

#endif
