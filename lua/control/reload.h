/* SPDX-License-Identifier: MIT */
/* Reloads: another engine reads everything anew, and takes over what the
   current one runs only if all of it is good. */
#ifndef REVERST_LUA_RELOAD_H
#define REVERST_LUA_RELOAD_H

#include <lua.h>

struct rv_lua_lineage;

/* Makes an engine that calls reverst.control.reload.run(module, arguments) as
   the first one was started, and answers all wishes with what it gives.  Good:
   it becomes the current one, and the other is retired.  Bad: it is retired
   itself, and what it had adopted is given back.  What goes wrong after the
   server has got its groups is a problem in the answer, but that engine stays.
   No Lua may be running. */
void rv_lua_reload_now(struct rv_lua_lineage *lineage);

/* Lua: adopt(type): a handle of what the engine before runs and has a record
   of; nil: there is none.  Only within a reload; older handles are "closed"
   from now on.  A reload that fails after this gives it back. */
int rv_lua_adopt(lua_State *L);

/* Lua: want_reload(): as SIGHUP does. */
int rv_lua_want_reload(lua_State *L);

/* Lua: history(): a table: started_at, reloaded_at (seconds since 1970),
   reloads, last_reload (its answer), is_draining, lua_memory (bytes), and of
   engines that were replaced and have something under way: retired (how many)
   and retired_memory. */
int rv_lua_history(lua_State *L);

#endif
