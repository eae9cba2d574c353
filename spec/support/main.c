/* SPDX-License-Identifier: MIT */
/* reverst-spec: runs busted in a Lua that holds the whole product and the
   test modules.  Takes busted's arguments; its exit status is busted's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "lua/module/modules.h"

#define SPEC_MODULE(name) int luaopen_spec_##name(lua_State *L);
#include "spec_modules.h"
#undef SPEC_MODULE

static const luaL_Reg preloaded[] = {
#define SPEC_MODULE(name) { "spec." #name, luaopen_spec_##name },
#include "spec_modules.h"
#undef SPEC_MODULE
  { NULL, NULL },
};

/* The chunk's name begins with "@": then busted ends the process by closing
   this state, so that what is still held is seen as a leak. */
static const char run_busted[] =
    "package.path = REVERST_SPEC_SOURCE_DIR .. '/spec/support/?.lua;' .. "
    "package.path\n"
    "REVERST_SPEC_SOURCE_DIR = nil\n"
    "require 'reverst.busted'\n"
    "require 'busted.runner'({ standalone = false })\n";

static void preload(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_setfuncs(L, preloaded, 0);
  lua_pop(L, 1);
  rv_lua_preload_modules(L);
}

static void push_arguments(lua_State *L, int argc, char **argv) {
  int i;

  lua_createtable(L, argc, 1);
  for (i = 0; i < argc; ++i) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i);
  }
}

static int prepare(lua_State *L) {
  char **argv = lua_touserdata(L, 2);

  luaL_openlibs(L);
  preload(L);
  push_arguments(L, (int)lua_tointeger(L, 1), argv);
  lua_setglobal(L, "arg");
  lua_pushliteral(L, REVERST_SPEC_SOURCE_DIR);
  lua_setglobal(L, "REVERST_SPEC_SOURCE_DIR");
  return 0;
}

static int add_traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static int run(lua_State *L, int argc, char **argv) {
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, prepare);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  if (lua_pcall(L, 2, 0, 1) != LUA_OK)
    return -1;
  if (luaL_loadbufferx(
          L, run_busted, strlen(run_busted), "@reverst-spec", "t") != LUA_OK)
    return -1;
  return lua_pcall(L, 0, 0, 1) == LUA_OK ? 0 : -1;
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  int r;

  if (!L || setenv("REVERST_BIN_DIR", REVERST_SPEC_BIN_DIR, 0) != 0) {
    fputs("reverst-spec: out of memory\n", stderr);
    return EXIT_FAILURE;
  }
  r = run(L, argc, argv);
  if (r < 0)
    fprintf(stderr, "reverst-spec: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
