/* SPDX-License-Identifier: MIT */
/* Gives the embedded Lua modules, those in C and cjson to require. */
#include "lua/module/modules.h"

#include <lauxlib.h>
#include <lua-cjson.h>

#include "lua/module/busted.h"
#include "lua/module/crypto.h"
#include "lua/module/file.h"
#include "lua/module/fingerprint.h"
#include "lua/module/yaml.h"
#include "lua/server/decision.h"

/* in the library, but not in its header */
int luaopen_cjson_safe(lua_State *L);

static const luaL_Reg linked_modules[] = {
  { "cjson", luaopen_cjson },
  { "cjson.safe", luaopen_cjson_safe },
  { "reverst.busted", rv_lua_open_busted },
  { "reverst.crypto", rv_lua_open_crypto },
  { "reverst.file", rv_lua_open_file },
  { "reverst.fingerprint", rv_lua_open_fingerprint },
  { "reverst.decision", rv_lua_open_decision },
  { "reverst.yaml_events", rv_lua_open_yaml_events },
  { NULL, NULL },
};

static int load_module(lua_State *L) {
  const struct rv_lua_module *module = lua_touserdata(L, lua_upvalueindex(1));

  if (luaL_loadbufferx(L, module->source, module->length, module->chunk, "t") !=
      LUA_OK)
    return lua_error(L);
  lua_pushstring(L, module->name);
  lua_call(L, 1, 1);
  return 1;
}

void rv_lua_preload_table(lua_State *L, const struct rv_lua_module *modules) {
  const struct rv_lua_module *module;

  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (module = modules; module->name; ++module) {
    /* Lua has no pointer to const: load_module only reads it. */
    lua_pushlightuserdata(L, (void *)(size_t)module);
    lua_pushcclosure(L, load_module, 1);
    lua_setfield(L, -2, module->name);
  }
  lua_pop(L, 1);
}

void rv_lua_preload_modules(lua_State *L) {
  rv_lua_preload_table(L, rv_lua_modules);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_setfuncs(L, linked_modules, 0);
  lua_pop(L, 1);
}
