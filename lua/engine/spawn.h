/* SPDX-License-Identifier: MIT */
/* Tasks that scripts start themselves, and their handles. */
#ifndef REVERST_LUA_SPAWN_H
#define REVERST_LUA_SPAWN_H

#include <lua.h>

struct rv_lua;

/* Lua: spawn(function): a handle.  What the function returns as its first
   result must be a table with n, such as table.pack makes.  Raises when there
   are too many, or when the engine stops.
   Methods: wait(): true and what is in that table; or nil and why it failed,
   with a traceback (waits; any number of tasks may); cancel(): ends it.
   A handle may be collected: the task goes on. */
int rv_lua_spawn(lua_State *L);

/* Ends tasks in the background: those that were started while a script was
   loaded or run as a program, or by one of these.  Others belong to a request
   or the like, which may wait for them: they get as long as any task. */
void rv_lua_cancel_spawned(struct rv_lua *lua);

#endif
