/* SPDX-License-Identifier: MIT */
/* The project's Lua modules, carried inside the library as bytes. */
#ifndef REVERST_LUA_MODULES_H
#define REVERST_LUA_MODULES_H

#include <stddef.h>

#include <lua.h>

struct rv_lua_module {
  const char *name;   /* as given to require: "reverst.auth" */
  const char *chunk;  /* what messages call it: "=reverst.auth" */
  const char *source; /* Lua text; a zero byte follows it */
  size_t length;      /* bytes of text, without that zero */
};

/* Ended by a row whose name is NULL.  Generated when the library is built. */
extern const struct rv_lua_module rv_lua_modules[];

/* busted, and the modules that it needs; likewise. */
extern const struct rv_lua_module rv_lua_busted_modules[];

/* Makes the modules of a table known to `require`, without running any. Raises
   a Lua error when memory runs out. */
void rv_lua_preload_table(lua_State *L, const struct rv_lua_module *modules);

/* Makes every embedded module, reverst.crypto, cjson and cjson.safe known to
   `require`, without running any.  (reverst.core needs an engine: it is known
   only in the states that rv_lua_new makes.)  Raises a Lua error when memory
   runs out. */
void rv_lua_preload_modules(lua_State *L);

#endif
