/* SPDX-License-Identifier: MIT */
/* Types of userdata whose fields are made when they are asked for. */
#ifndef REVERST_LUA_LAZY_H
#define REVERST_LUA_LAZY_H

#include <lauxlib.h>
#include <lua.h>

struct rv_lua_lazy_type {
  const char *name;          /* in the registry, and in messages */
  const char *const *fields; /* ended by NULL; NULL: any name */
  const luaL_Reg *metamethods;
  const luaL_Reg *methods; /* may be NULL */
};

/* Gives the userdata at the top its metatable, which is made at first. Each
   metamethod has one upvalue: a table with the place of each field, from 1 on,
   and with the methods. */
void rv_lua_lazy_set(lua_State *L, const struct rv_lua_lazy_type *type);

/* In a metamethod: the place of the field that the key at index 2 names; 0: it
   names a method, which is at the top.  Raises when there is neither. */
int rv_lua_lazy_place(lua_State *L, const struct rv_lua_lazy_type *type);

/* The userdata of the type at `index`, or NULL. */
void *rv_lua_lazy_test(
    lua_State *L, int index, const struct rv_lua_lazy_type *type);

#endif
