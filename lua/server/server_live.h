/* SPDX-License-Identifier: MIT */
/* What is told of a server while it runs, and what may change then. */
#ifndef REVERST_LUA_SERVER_LIVE_H
#define REVERST_LUA_SERVER_LIVE_H

#include <lua.h>

/* Methods of servers; of one that is gone they return nil and "closed". Those
   that may fail return true; or nil, why, and the error's name.

   tunnels(): a list, by groups: group, id, name, peer, weight, labels, active,
   requests, latency (seconds; nil: none yet), registered_at (seconds since
   1970), eligible (gets requests now) */
int rv_lua_server_tunnels(lua_State *L);
/* set_http_addresses(list of texts) */
int rv_lua_server_set_http_addresses(lua_State *L);
/* set_drain_timeout(nanoseconds, or false) */
int rv_lua_server_set_drain_timeout(lua_State *L);
/* set_log_level(): to that of the Lua state */
int rv_lua_server_set_log_level(lua_State *L);
/* set_certificate(certificate_path, private_key_path) */
int rv_lua_server_set_certificate(lua_State *L);
/* reauthenticate(group, nanoseconds) */
int rv_lua_server_reauthenticate(lua_State *L);
/* record(): the text that set_record(text) was given last; nil: none.  A server
   with a record can be adopted by a reload. */
int rv_lua_server_record(lua_State *L);
int rv_lua_server_set_record(lua_State *L);

#endif
