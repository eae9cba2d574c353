/* SPDX-License-Identifier: MIT */
/* Fields of tables: reading options, where all raise on a wrong type and
   `index` is absolute; and writing answers. */
#ifndef REVERST_LUA_FIELDS_H
#define REVERST_LUA_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

/* NULL: absent. The text is left on the stack, which holds it: a table with
   __index may have made it up. */
const char *rv_lua_text_field(lua_State *L, int index, const char *key);

/* A list of at least one text, ended by NULL, that the stack holds. */
const char *const *rv_lua_texts_field(lua_State *L, int index, const char *key);
/* The same of the value at an absolute index, which `key` is the name of. */
const char *const *rv_lua_check_texts(lua_State *L, int index, const char *key);

/* false: absent. */
bool rv_lua_flag_field(lua_State *L, int index, const char *key);

/* 0: absent. */
uint64_t rv_lua_count_field(lua_State *L, int index, const char *key);

/* The same for what has a default: 0: absent, REVERST_NONE: 0. */
unsigned rv_lua_optional_count_field(lua_State *L, int index, const char *key);

/* Nanoseconds; 0: absent, REVERST_NEVER: false. */
uint64_t rv_lua_duration_field(lua_State *L, int index, const char *key);

/* A reference to a function; LUA_NOREF: absent. */
int rv_lua_function_field(lua_State *L, int index, const char *key);

/* Into the table at the top; a text of NULL is none. */
void rv_lua_set_text(lua_State *L, const char *key, const char *text);
void rv_lua_set_integer(lua_State *L, const char *key, int64_t value);
void rv_lua_set_flag(lua_State *L, const char *key, bool flag);

#endif
