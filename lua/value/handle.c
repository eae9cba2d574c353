/* SPDX-License-Identifier: MIT */
/* Userdata that hold a pointer until their object goes. */
#include "lua/value/handle.h"

#include <stdlib.h>

#include <reverst/error.h>

#include "lua/control/lineage.h"
#include "lua/engine/script.h"

static int collect(lua_State *L) {
  struct rv_lua_object **cell = lua_touserdata(L, 1);

  if (*cell)
    (*cell)->handle = NULL;
  *cell = NULL;
  return 0;
}

/* Known by its name only when it is complete: without __gc an object would
   write into a handle that is gone. */
void rv_lua_push_class(lua_State *L, const char *type, const luaL_Reg *methods,
    lua_CFunction on_collected) {
  if (luaL_getmetatable(L, type) != LUA_TNIL)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, on_collected);
  lua_setfield(L, -2, "__gc");
  lua_pushstring(L, type);
  lua_setfield(L, -2, "__name");
  /* __gc trusts what it is called with */
  lua_pushstring(L, type);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, type);
}

struct rv_lua_object **rv_lua_handle_push(
    lua_State *L, const char *type, const luaL_Reg *methods) {
  struct rv_lua_object **cell = lua_newuserdatauv(L, sizeof(void *), 0);

  *cell = NULL;
  rv_lua_push_class(L, type, methods, collect);
  lua_setmetatable(L, -2);
  return cell;
}

void rv_lua_object_link(struct rv_lua *lua, struct rv_lua_object *object,
    struct rv_lua_object **handle) {
  object->lua = lua;
  object->handle = handle;
  *handle = object;
  LIST_INSERT_HEAD(&lua->objects, object, link);
}

void rv_lua_object_unlink(struct rv_lua_object *object) {
  struct rv_lua *lua = object->lua;

  LIST_REMOVE(object, link);
  if (object->handle)
    *object->handle = NULL;
  free(object->record);
  if (LIST_EMPTY(&lua->objects) && lua->stopping && !lua->is_retired)
    rv_lua_cancel_tasks(lua); /* there is nothing left to do it for */
  if (lua->has_scripts && !lua->stopping)
    rv_lua_script_check_idle(lua);
  else
    rv_lua_report_stopped(lua);
}

struct rv_lua_object *rv_lua_handle_get(lua_State *L, const char *type) {
  struct rv_lua_object **cell = luaL_checkudata(L, 1, type);

  return *cell;
}

int rv_lua_push_error(lua_State *L, int error) {
  lua_pushnil(L);
  lua_pushstring(L, reverst_strerror(error));
  lua_pushstring(L, reverst_error_name(error));
  return 3;
}

int rv_lua_push_failure(lua_State *L, int error, const char *explanation) {
  lua_pushnil(L);
  lua_pushstring(L, explanation[0] ? explanation : reverst_strerror(error));
  lua_pushstring(L, reverst_error_name(error));
  return 3;
}

int rv_lua_push_result(lua_State *L, int r) {
  if (r < 0)
    return rv_lua_push_error(L, r);
  lua_pushboolean(L, 1);
  return 1;
}
