/* SPDX-License-Identifier: MIT */
/* The table of the module reverst.core. */
#include "lua/module/core.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <reverst/server.h>

#include "lua/client/client.h"
#include "lua/control/control.h"
#include "lua/control/control_client.h"
#include "lua/control/lineage.h"
#include "lua/control/reload.h"
#include "lua/control/watch.h"
#include "lua/engine/engine.h"
#include "lua/engine/log.h"
#include "lua/engine/script.h"
#include "lua/engine/spawn.h"
#include "lua/engine/task.h"
#include "lua/module/http.h"
#include "lua/server/server.h"
#include "lua/value/handle.h"

/* sleep(seconds) */
static int sleep_for(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1);

  luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 1, "from 0 to 1e9 seconds");
  return rv_lua_task_sleep(L, (uint64_t)(seconds * 1e9));
}

/* now(): seconds of a clock that is never set */
static int now(lua_State *L) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  lua_pushnumber(L, (lua_Number)time.tv_sec + (lua_Number)time.tv_nsec / 1e9);
  return 1;
}

/* stop(status): ends all servers and clients; the host exits with status */
static int stop(lua_State *L) {
  struct rv_lua *lua = rv_lua_of(L);
  struct rv_lua_lineage *lineage = lua->lineage;
  int status = (int)luaL_checkinteger(L, 1);

  if (lua != lineage->current && !lua->is_retired)
    return luaL_error(L, "a configuration that is read cannot end the program");
  lineage->exit_status = status;
  rv_lua_stop(lineage->current, true);
  return 0;
}

/* make_certificate(name, certificate_path, private_key_path): true; or nil, why
   and the error's name */
static int make_certificate(lua_State *L) {
  int r = reverst_make_certificate(
      luaL_checkstring(L, 1), luaL_checkstring(L, 2), luaL_checkstring(L, 3));

  if (r == REVERST_ERR_SYSTEM) {
    lua_pushnil(L);
    lua_pushstring(L, strerror(errno));
    lua_pushstring(L, reverst_error_name(r));
    return 3;
  }
  if (r < 0)
    return rv_lua_push_error(L, r);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  { "adopt", rv_lua_adopt },
  { "ask_control", rv_lua_control_ask },
  { "check_server", rv_lua_server_check },
  { "client", rv_lua_client_new },
  { "fetch", rv_lua_fetch },
  { "history", rv_lua_history },
  { "is_watching", rv_lua_is_watching },
  { "make_certificate", make_certificate },
  { "now", now },
  { "open_control", rv_lua_control_open },
  { "run_script", rv_lua_run_script },
  { "server", rv_lua_server_new },
  { "set_log_format", rv_lua_set_log_format },
  { "set_log_level", rv_lua_set_log_level },
  { "sleep", sleep_for },
  { "spawn", rv_lua_spawn },
  { "stop", stop },
  { "want_reload", rv_lua_want_reload },
  { "watch", rv_lua_watch_files },
  { "write_log", rv_lua_write_log },
  { NULL, NULL },
};

static int open_core(lua_State *L) {
  luaL_newlib(L, functions);
  lua_pushliteral(L, REVERST_VERSION);
  lua_setfield(L, -2, "version");
  return 1;
}

void rv_lua_preload_core(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_core);
  lua_setfield(L, -2, "reverst.core");
  lua_pop(L, 1);
}
