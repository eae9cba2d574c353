/* SPDX-License-Identifier: MIT */
/* Replaces four functions of the library. */
#include "lua/engine/coroutine.h"

#include <lauxlib.h>
#include <lualib.h>

#include "lua/engine/engine.h"

#define TASK_MESSAGE "it is the coroutine of a task, which reverst resumes"

/* create(function) */
static int create(lua_State *L) {
  lua_State *thread;

  luaL_checktype(L, 1, LUA_TFUNCTION);
  thread = lua_newthread(L);
  rv_lua_watchdog_hook(thread);
  lua_pushvalue(L, 1);
  lua_xmove(L, thread, 1);
  return 1;
}

/* wrap(function): the upvalue is Lua's own, whose closure has the thread as its
   first */
static int wrap(lua_State *L) {
  lua_State *thread;

  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  if (lua_getupvalue(L, -1, 1)) {
    thread = lua_tothread(L, -1);
    if (thread)
      rv_lua_watchdog_hook(thread);
    lua_pop(L, 1);
  }
  return 1;
}

static int push_failure(lua_State *L, const char *message) {
  lua_pushboolean(L, 0);
  lua_pushstring(L, message);
  return 2;
}

/* What it yielded or returned is at the top of the thread. */
static int take_values(lua_State *L, lua_State *thread, int count) {
  if (!lua_checkstack(L, count + 1)) {
    lua_pop(thread, count);
    return push_failure(L, "too many results to resume");
  }
  lua_pushboolean(L, 1);
  lua_xmove(thread, L, count);
  return count + 1;
}

/* resume(coroutine, …): as Lua's own, which calling from here would cost a
   level of C calls */
static int resume(lua_State *L) {
  lua_State *thread = lua_tothread(L, 1);
  int argument_count = lua_gettop(L) - 1, count, status;

  luaL_argexpected(L, thread, 1, "coroutine");
  if (rv_lua_is_task(thread))
    return push_failure(L, TASK_MESSAGE);
  if (!lua_checkstack(thread, argument_count))
    return push_failure(L, "too many arguments to resume");
  lua_xmove(L, thread, argument_count);
  status = lua_resume(thread, L, argument_count, &count);
  if (status == LUA_OK || status == LUA_YIELD)
    return take_values(L, thread, count);
  lua_xmove(thread, L, 1); /* it may be the same: that cannot be resumed */
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}

/* close(coroutine): the upvalue is Lua's own */
static int close_coroutine(lua_State *L) {
  lua_State *thread = lua_tothread(L, 1);

  luaL_argexpected(L, thread, 1, "coroutine");
  luaL_argcheck(L, !rv_lua_is_task(thread), 1, TASK_MESSAGE);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, LUA_MULTRET);
  return lua_gettop(L);
}

void rv_lua_prepare_coroutines(lua_State *L) {
  lua_getglobal(L, LUA_COLIBNAME);
  lua_pushcfunction(L, create);
  lua_setfield(L, -2, "create");
  lua_pushcfunction(L, resume);
  lua_setfield(L, -2, "resume");
  lua_getfield(L, -1, "wrap");
  lua_pushcclosure(L, wrap, 1);
  lua_setfield(L, -2, "wrap");
  lua_getfield(L, -1, "close");
  lua_pushcclosure(L, close_coroutine, 1);
  lua_setfield(L, -2, "close");
  lua_pop(L, 1);
}
