/* SPDX-License-Identifier: MIT */
/* Scripts that are programs of their own: the engine ends when they have, and
   nothing that they started is left. */
#ifndef REVERST_LUA_SCRIPT_H
#define REVERST_LUA_SCRIPT_H

#include <stdbool.h>

#include <lua.h>

struct rv_lua;
struct rv_lua_task;

/* Lua: run_script(function, status): calls it as a task that may wait, and
   compute, for as long as it likes; others get their turns.  A number that it
   returns is the exit status, and everything is stopped at once; so it is,
   with status 1, after an error, which is logged.  Nothing: the engine stops
   when no task, server or client is left.  `status`: the exit status in case
   it is ended from outside; 0 otherwise. */
int rv_lua_run_script(lua_State *L);

/* The task is such a script. */
bool rv_lua_task_is_script(const struct rv_lua_task *task);

/* Ends scripts that still run. */
void rv_lua_cancel_scripts(struct rv_lua *lua);

/* A task, a server or a client is gone: stops what has become idle. */
void rv_lua_script_check_idle(struct rv_lua *lua);

#endif
