/* SPDX-License-Identifier: MIT */
/* Hooks on visits: route, on_request and on_response, each a task.  One that
   returns without having waited costs no turn of the loop. */
#ifndef REVERST_LUA_HOOK_H
#define REVERST_LUA_HOOK_H

#include <reverst/group.h>

struct rv_lua_routing;

/* ns from the start of a hook to its end, where nothing else is said. */
#define RV_LUA_HOOK_TIMEOUT UINT64_C(30000000000)

/* The library's callbacks; `user_data` is the struct rv_lua_group, of a route
   function the struct rv_lua_routing.  A hook that fails, or takes too long, is
   logged, and the visitor gets 500. */
void rv_lua_on_route(reverst_visit *visit, void *user_data);
void rv_lua_on_request(reverst_visit *visit, void *user_data);
void rv_lua_on_response(reverst_visit *visit, void *user_data);

/* The visitor has gone: the task is cancelled. */
void rv_lua_on_visit_cancelled(reverst_visit *visit, void *user_data);

#endif
