/* SPDX-License-Identifier: MIT */
/* Handles: the thin userdata by which scripts hold a server or a client. */
#ifndef REVERST_LUA_HANDLE_H
#define REVERST_LUA_HANDLE_H

#include <lauxlib.h>
#include <lua.h>

#include "lua/engine/engine.h"

/* Pushes the metatable of a type of userdata, made at first need. */
void rv_lua_push_class(lua_State *L, const char *type, const luaL_Reg *methods,
    lua_CFunction on_collected);

/* Pushes an empty handle of the named type, so that what may raise is over
   before there is an object.  Collecting it leaves the object running. */
struct rv_lua_object **rv_lua_handle_push(
    lua_State *L, const char *type, const luaL_Reg *methods);

/* The object joins the engine's list and fills the handle. */
void rv_lua_object_link(struct rv_lua *lua, struct rv_lua_object *object,
    struct rv_lua_object **handle);

/* The object is gone: it leaves, and its handle is cleared.  on_stopped of the
   engine comes after the last one. */
void rv_lua_object_unlink(struct rv_lua_object *object);

/* The object of the handle at index 1; NULL when it is gone. */
struct rv_lua_object *rv_lua_handle_get(lua_State *L, const char *type);

/* Pushes nil, the text and the name of an error: three results. */
int rv_lua_push_error(lua_State *L, int error);

/* Likewise, with a better text unless that is empty. */
int rv_lua_push_failure(lua_State *L, int error, const char *explanation);

/* true; of an error the same as above. */
int rv_lua_push_result(lua_State *L, int r);

#endif
