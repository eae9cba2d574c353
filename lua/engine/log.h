/* SPDX-License-Identifier: MIT */
/* Log entries of the Lua layer, which go where the library's go. */
#ifndef REVERST_LUA_LOG_H
#define REVERST_LUA_LOG_H

#include <lua.h>

#include "lua/engine/engine.h"

/* An entry with one text. */
void rv_lua_log_text(struct rv_lua *lua, enum reverst_log_level level,
    const char *event, const char *key, const char *text);

/* Lua: write_log(level, event, fields): level by name; fields a table of texts,
   numbers and booleans, written in the order of their keys. */
int rv_lua_write_log(lua_State *L);

/* Lua: set_log_level(level): what is written, and the level of servers and
   clients made later. */
int rv_lua_set_log_level(lua_State *L);

/* Lua: set_log_format(format): what the host calls it, such as "json". */
int rv_lua_set_log_format(lua_State *L);

#endif
