/* SPDX-License-Identifier: MIT */
/* Fields of tables: those read are checked for their type. */
#include "lua/value/fields.h"

#include <lauxlib.h>
#include <reverst/server.h>

static void wrong_type(lua_State *L, const char *key, const char *wanted) {
  luaL_error(L, "%s: expected %s, got %s", key, wanted, luaL_typename(L, -1));
}

const char *rv_lua_text_field(lua_State *L, int index, const char *key) {
  int type;

  luaL_checkstack(L, LUA_MINSTACK, NULL); /* that is what functions count on */
  type = lua_getfield(L, index, key);
  if (type != LUA_TNIL && type != LUA_TSTRING)
    wrong_type(L, key, "a text");
  return lua_tostring(L, -1);
}

const char *const *rv_lua_check_texts(
    lua_State *L, int index, const char *key) {
  size_t count = lua_istable(L, index) ? lua_rawlen(L, index) : 0;
  const char **texts;
  size_t i;

  if (!count)
    luaL_error(L, "%s: expected a list of texts", key);
  texts = lua_newuserdatauv(L, (count + 1) * sizeof(*texts), 1);
  lua_createtable(L, (int)count, 0); /* whatever happens to the list */
  for (i = 0; i < count; ++i) {
    if (lua_rawgeti(L, index, (lua_Integer)i + 1) != LUA_TSTRING)
      wrong_type(L, key, "texts");
    texts[i] = lua_tostring(L, -1);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  texts[count] = NULL;
  lua_setiuservalue(L, -2, 1);
  return texts;
}

const char *const *rv_lua_texts_field(
    lua_State *L, int index, const char *key) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_getfield(L, index, key);
  return rv_lua_check_texts(L, lua_gettop(L), key);
}

bool rv_lua_flag_field(lua_State *L, int index, const char *key) {
  bool flag;
  int type = lua_getfield(L, index, key);

  if (type != LUA_TNIL && type != LUA_TBOOLEAN)
    wrong_type(L, key, "true or false");
  flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}

uint64_t rv_lua_count_field(lua_State *L, int index, const char *key) {
  lua_Integer count = 0;

  if (lua_getfield(L, index, key) != LUA_TNIL) {
    if (!lua_isinteger(L, -1))
      wrong_type(L, key, "a whole number");
    count = lua_tointeger(L, -1);
    if (count < 0)
      luaL_error(L, "%s: a negative number", key);
  }
  lua_pop(L, 1);
  return (uint64_t)count;
}

unsigned rv_lua_optional_count_field(lua_State *L, int index, const char *key) {
  uint64_t count = rv_lua_count_field(L, index, key);
  bool is_given = lua_getfield(L, index, key) != LUA_TNIL;

  lua_pop(L, 1);
  if (is_given && count == 0)
    return REVERST_NONE;
  return count < REVERST_NONE ? (unsigned)count : REVERST_NONE - 1;
}

uint64_t rv_lua_duration_field(lua_State *L, int index, const char *key) {
  bool is_off =
      lua_getfield(L, index, key) == LUA_TBOOLEAN && !lua_toboolean(L, -1);

  lua_pop(L, 1);
  return is_off ? REVERST_NEVER : rv_lua_count_field(L, index, key);
}

int rv_lua_function_field(lua_State *L, int index, const char *key) {
  int type = lua_getfield(L, index, key);

  if (type == LUA_TNIL) {
    lua_pop(L, 1);
    return LUA_NOREF;
  }
  if (type != LUA_TFUNCTION && luaL_getmetafield(L, -1, "__call") == LUA_TNIL)
    wrong_type(L, key, "a function");
  if (type != LUA_TFUNCTION)
    lua_pop(L, 1);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

void rv_lua_set_text(lua_State *L, const char *key, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, key);
}

void rv_lua_set_integer(lua_State *L, const char *key, int64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

void rv_lua_set_flag(lua_State *L, const char *key, bool flag) {
  lua_pushboolean(L, flag);
  lua_setfield(L, -2, key);
}
