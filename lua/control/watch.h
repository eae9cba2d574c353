/* SPDX-License-Identifier: MIT */
/* Watches files, whatever way they are replaced: written over, renamed, or
   reached by symbolic links that change.  A change is a wish for a reload. */
#ifndef REVERST_LUA_WATCH_H
#define REVERST_LUA_WATCH_H

#include <lua.h>

struct rv_lua_lineage;

/* What the files are like now is not news any more: they are about to be
   read. */
void rv_lua_watch_mark(struct rv_lua_lineage *lineage);

/* No file is watched any more. */
void rv_lua_watch_close(struct rv_lua_lineage *lineage);

/* Lua: watch(paths, keep): watches these instead of those before, or with
   `keep` as well (they may be missing); nil: nothing.  At most 256.  true; or
   nil and why. */
int rv_lua_watch_files(lua_State *L);

/* Lua: is_watching(): are files watched. */
int rv_lua_is_watching(lua_State *L);

#endif
