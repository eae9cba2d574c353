/* SPDX-License-Identifier: MIT */
/* Clients, as scripts make them. */
#ifndef REVERST_LUA_CLIENT_H
#define REVERST_LUA_CLIENT_H

#include <lua.h>

/* Lua: client(options): a handle; or nil, why, and the error's name.  Options:
   address, server_name, group, ca_path, insecure; origin (and origin_ca_path),
   or on_request(handle) (see request.h); username and password, or token;
   on_connected(), on_disconnected(event): each a task;
   event: refused, reason, error (a text), code (the error's name), retry_in
   (seconds; nil: never).
   Methods: is_connected(), close(); of a client that is gone they return nil
   and "closed". */
int rv_lua_client_new(lua_State *L);

#endif
