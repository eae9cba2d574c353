/* SPDX-License-Identifier: MIT */
/* HTTP requests of scripts to other services, by one fetcher for each engine.
 */
#ifndef REVERST_LUA_HTTP_H
#define REVERST_LUA_HTTP_H

#include <stdbool.h>

#include <lua.h>

struct rv_lua;

/* Lua: fetch(options) waits, and gives a table { status, headers, body } with
   headers as a list of names and values in turns; or nil, why and the error's
   name.  Options as in reverst_fetch_options: url, method, headers (such a
   list), body, ca_path; timeout, connect_timeout (ns), max_body. */
int rv_lua_fetch(lua_State *L);

/* What is under way fails.  true: rv_lua_report_stopped is called when all is
   closed.  false: nothing is left to close. */
bool rv_lua_http_close(struct rv_lua *lua);

/* The same, but the engine is not told: it goes. */
void rv_lua_http_abandon(struct rv_lua *lua);

#endif
