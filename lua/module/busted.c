/* SPDX-License-Identifier: MIT */
/* Gives busted to require: its modules in Lua, lfs, and the few functions that
   it wants of the modules "system" and "term". */
#include "lua/module/busted.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lfs.h>

#include "lua/module/modules.h"

static int push_time(lua_State *L, clockid_t clock) {
  struct timespec now;

  clock_gettime(clock, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

/* gettime(): seconds since 1970 */
static int get_time(lua_State *L) {
  return push_time(L, CLOCK_REALTIME);
}

/* monotime(): seconds of a clock that is never set */
static int get_monotonic_time(lua_State *L) {
  return push_time(L, CLOCK_MONOTONIC);
}

/* sleep(seconds): nothing else goes on meanwhile; reverst.sleep is better */
static int sleep_for(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1);
  struct timespec left;

  luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 1, "from 0 to 1e9 seconds");
  left.tv_sec = (time_t)seconds;
  left.tv_nsec = (long)((seconds - (lua_Number)left.tv_sec) * 1e9);
  nanosleep(&left, NULL);
  return 0;
}

static const luaL_Reg system_functions[] = {
  { "gettime", get_time },
  { "monotime", get_monotonic_time },
  { "sleep", sleep_for },
  { NULL, NULL },
};

static int open_system(lua_State *L) {
  luaL_newlib(L, system_functions);
  return 1;
}

/* isatty(file) */
static int is_terminal(lua_State *L) {
  luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);

  lua_pushboolean(L, stream->closef && isatty(fileno(stream->f)));
  return 1;
}

static const luaL_Reg term_functions[] = {
  { "isatty", is_terminal },
  { NULL, NULL },
};

static int open_term(lua_State *L) {
  luaL_newlib(L, term_functions);
  return 1;
}

static const luaL_Reg modules[] = {
  { "lfs", luaopen_lfs },
  { "system.core", open_system },
  { "term.core", open_term },
  { NULL, NULL },
};

int rv_lua_open_busted(lua_State *L) {
  rv_lua_preload_table(L, rv_lua_busted_modules);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_setfuncs(L, modules, 0);
  lua_pushboolean(L, 1);
  return 1;
}
