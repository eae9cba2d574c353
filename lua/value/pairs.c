/* SPDX-License-Identifier: MIT */
/* Lists of fields, from Lua and to it. */
#include "lua/value/pairs.h"

#include <string.h>

#include <lauxlib.h>

/* The list holds it, not the stack. */
static const char *text_at(lua_State *L, int index, lua_Integer i) {
  const char *text;
  size_t length;

  if (lua_rawgeti(L, index, i) != LUA_TSTRING)
    luaL_error(L, "fields: expected texts, got %s", luaL_typename(L, -1));
  text = lua_tolstring(L, -1, &length);
  if (strlen(text) != length)
    luaL_error(L, "fields: a text has a NUL byte");
  lua_pop(L, 1);
  return text;
}

const reverst_field *rv_lua_check_pairs(lua_State *L, int index) {
  reverst_field *fields;
  size_t count, i;

  if (lua_isnoneornil(L, index))
    return NULL;
  luaL_checktype(L, index, LUA_TTABLE);
  count = lua_rawlen(L, index) / 2;
  fields = lua_newuserdatauv(L, (count + 1) * sizeof(*fields), 0);
  for (i = 0; i < count; ++i) {
    fields[i].name = text_at(L, index, 2 * (lua_Integer)i + 1);
    fields[i].value = text_at(L, index, 2 * (lua_Integer)i + 2);
  }
  fields[count] = (reverst_field){ 0 };
  return fields;
}

void rv_lua_add_pair(
    lua_State *L, size_t count, const char *name, const char *value) {
  lua_pushstring(L, name);
  lua_rawseti(L, -2, 2 * (lua_Integer)count + 1);
  lua_pushstring(L, value);
  lua_rawseti(L, -2, 2 * (lua_Integer)count + 2);
}
