/* SPDX-License-Identifier: MIT */
/* Fields of messages as lists { name, value, name, value, … }. */
#ifndef REVERST_LUA_PAIRS_H
#define REVERST_LUA_PAIRS_H

#include <lua.h>
#include <reverst/http.h>

/* The list at `index`, ended by a NULL name, in memory that is left on the
   stack; the list holds the texts.  NULL: nil is there.  Raises on a wrong
   type, and on a text with a NUL byte, which could hide its rest. */
const reverst_field *rv_lua_check_pairs(lua_State *L, int index);

/* Adds a pair to the list at the top, which has `count` pairs. */
void rv_lua_add_pair(
    lua_State *L, size_t count, const char *name, const char *value);

#endif
