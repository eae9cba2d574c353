/* SPDX-License-Identifier: MIT */
/* Metatables with a table of names for their metamethods. */
#include "lua/value/lazy.h"

static void push_names(lua_State *L, const struct rv_lua_lazy_type *type) {
  int i;

  lua_newtable(L);
  for (i = 0; type->fields && type->fields[i]; ++i) {
    lua_pushinteger(L, i + 1);
    lua_setfield(L, -2, type->fields[i]);
  }
  if (type->methods)
    luaL_setfuncs(L, type->methods, 0);
}

/* Found by the address of its type, and that only when it is complete. */
static void push_metatable(lua_State *L, const struct rv_lua_lazy_type *type) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, type) != LUA_TNIL)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  push_names(L, type);
  luaL_setfuncs(L, type->metamethods, 1);
  lua_pushstring(L, type->name);
  lua_setfield(L, -2, "__name");
  /* a metamethod trusts what it is called with */
  lua_pushstring(L, type->name);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, type);
}

void rv_lua_lazy_set(lua_State *L, const struct rv_lua_lazy_type *type) {
  push_metatable(L, type);
  lua_setmetatable(L, -2);
}

static int complain(lua_State *L, const struct rv_lua_lazy_type *type) {
  luaL_Buffer names;
  int i;

  luaL_buffinit(L, &names);
  for (i = 0; type->fields[i]; ++i) {
    luaL_addstring(&names, i ? ", " : "");
    luaL_addstring(&names, type->fields[i]);
  }
  luaL_pushresult(&names);
  luaL_tolstring(L, 2, NULL);
  return luaL_error(L, "a %s has no field \"%s\" (but %s)", type->name,
      lua_tostring(L, -1), lua_tostring(L, -2));
}

int rv_lua_lazy_place(lua_State *L, const struct rv_lua_lazy_type *type) {
  int kind;

  lua_pushvalue(L, 2);
  kind = lua_rawget(L, lua_upvalueindex(1));
  if (kind == LUA_TNUMBER)
    return (int)lua_tointeger(L, -1);
  return kind == LUA_TFUNCTION ? 0 : complain(L, type);
}

void *rv_lua_lazy_test(
    lua_State *L, int index, const struct rv_lua_lazy_type *type) {
  void *userdata = lua_touserdata(L, index);

  if (!userdata || !lua_getmetatable(L, index))
    return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, type);
  if (!lua_rawequal(L, -1, -2))
    userdata = NULL;
  lua_pop(L, 2);
  return userdata;
}
