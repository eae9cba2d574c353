/* SPDX-License-Identifier: MIT */
/* Tasks of scripts; each is freed when it has ended and its handle is gone. */
#include "lua/engine/spawn.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <reverst/values.h>

#include "lua/engine/engine.h"
#include "lua/engine/script.h"
#include "lua/engine/task.h"
#include "lua/value/handle.h"

static const char type_name[] = "reverst.task";

enum { MAX_SPAWNED = 10000 };

struct waiter;

struct rv_lua_spawned {
  struct rv_lua_task task; /* first: the two are converted */
  LIST_ENTRY(rv_lua_spawned) link;
  LIST_HEAD(, waiter) waiters;
  struct rv_lua_spawned **handle; /* in a userdata; NULL: collected */
  struct rv_lua_spawned *awaited; /* what it waits for itself; NULL: nothing */
  char *error;                    /* when it has failed */
  int function, results;          /* references; LUA_NOREF: none */
  bool is_background, is_over;
};

/* One task that waits for another; in a userdata of its thread. */
struct waiter {
  struct rv_lua_wait wait; /* first: the two are converted */
  LIST_ENTRY(waiter) link;
  struct rv_lua_spawned *by; /* who waits, if he was spawned himself */
};

static void leave(struct waiter *waiter) {
  LIST_REMOVE(waiter, link);
  if (waiter->by)
    waiter->by->awaited = NULL;
}

static void cancel_wait(struct rv_lua_wait *wait) {
  leave((struct waiter *)wait);
}

static void free_spawned(struct rv_lua_spawned *spawned) {
  free(spawned->error);
  free(spawned);
}

/* ---- the task ---- */

static int push_nothing(struct rv_lua_task *task, lua_State *L) {
  (void)task;
  (void)L;
  return 0;
}

static void on_returned(struct rv_lua_task *task, lua_State *L) {
  struct rv_lua_spawned *spawned = (struct rv_lua_spawned *)task;

  if (!spawned->handle)
    return;
  lua_pushvalue(L, -2);
  spawned->results = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void keep_error(struct rv_lua_spawned *spawned, const char *error) {
  struct rv_lua *lua = spawned->task.lua;

  if (LIST_EMPTY(&spawned->waiters) && !spawned->task.cancelled)
    rv_lua_complain(lua, &lua->task_complaint,
        &(struct rv_lua_problem){ .event = "task_failed",
            .function = "reverst.spawn",
            .error = error });
  if (spawned->handle)
    spawned->error = strdup(error);
}

static void on_ended(struct rv_lua_task *task, const char *error) {
  struct rv_lua_spawned *spawned = (struct rv_lua_spawned *)task;
  struct rv_lua *lua = task->lua;
  struct waiter *waiter;

  spawned->is_over = true;
  lua->spawned_count--;
  LIST_REMOVE(spawned, link);
  luaL_unref(lua->L, LUA_REGISTRYINDEX, spawned->function);
  if (error)
    keep_error(spawned, error);
  while ((waiter = LIST_FIRST(&spawned->waiters))) {
    leave(waiter);
    rv_lua_task_wake(&waiter->wait);
  }
  if (!spawned->handle)
    free_spawned(spawned);
}

static const struct rv_lua_task_type spawned_type = {
  .push_arguments = push_nothing,
  .on_returned = on_returned,
  .on_ended = on_ended,
  .timeout = REVERST_NEVER,
  .is_budget_renewed = true,
};

/* The spawned task that runs; NULL: another one does, or none. */
static struct rv_lua_spawned *running(const struct rv_lua *lua) {
  struct rv_lua_task *task = lua->span ? lua->span->task : NULL;

  return task && task->type == &spawned_type ? (struct rv_lua_spawned *)task
                                             : NULL;
}

/* ---- the handle ---- */

static int collect(lua_State *L) {
  struct rv_lua_spawned **cell = lua_touserdata(L, 1), *spawned = *cell;

  *cell = NULL;
  if (!spawned)
    return 0;
  spawned->handle = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, spawned->results);
  spawned->results = LUA_NOREF;
  if (spawned->is_over)
    free_spawned(spawned);
  return 0;
}

static struct rv_lua_spawned *check_spawned(lua_State *L) {
  struct rv_lua_spawned **cell = luaL_checkudata(L, 1, type_name);

  return *cell;
}

static int push_results(lua_State *L, const struct rv_lua_spawned *spawned) {
  lua_Integer count, i;

  if (spawned->results == LUA_NOREF) {
    lua_pushnil(L);
    lua_pushstring(L, spawned->error ? spawned->error : "not enough memory");
    return 2;
  }
  lua_pushboolean(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, spawned->results);
  lua_getfield(L, -1, "n");
  count = lua_tointeger(L, -1);
  lua_pop(L, 1);
  luaL_checkstack(L, (int)count, "too many results");
  for (i = 1; i <= count; ++i)
    lua_rawgeti(L, 3, i);
  lua_remove(L, 3);
  return (int)count + 1;
}

static int after_wait(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  lua_settop(L, 1);
  return push_results(L, check_spawned(L));
}

/* One of them would wait for itself in the end. */
static void check_circle(lua_State *L, const struct rv_lua_spawned *spawned,
    const struct rv_lua_spawned *by) {
  if (spawned == by)
    luaL_error(L, "a task cannot wait for itself");
  while (by && (spawned = spawned->awaited)) {
    if (spawned == by)
      luaL_error(L, "these tasks would wait for each other for ever");
  }
}

static int wait(lua_State *L) {
  struct rv_lua_spawned *spawned = check_spawned(L);
  struct waiter *waiter;

  lua_settop(L, 1);
  if (spawned->is_over)
    return push_results(L, spawned);
  rv_lua_check_may_wait(L, "wait");
  check_circle(L, spawned, running(rv_lua_of(L)));
  waiter = lua_newuserdatauv(L, sizeof(*waiter), 0);
  *waiter = (struct waiter){
    .wait = { .cancel = cancel_wait },
    .by = running(rv_lua_of(L)),
  };
  LIST_INSERT_HEAD(&spawned->waiters, waiter, link);
  if (waiter->by)
    waiter->by->awaited = spawned;
  return rv_lua_task_wait(L, &waiter->wait, after_wait, 0);
}

static int cancel(lua_State *L) {
  struct rv_lua_spawned *spawned = check_spawned(L);

  if (!spawned->is_over)
    rv_lua_task_cancel(&spawned->task);
  return 0;
}

static const luaL_Reg methods[] = {
  { "wait", wait },
  { "cancel", cancel },
  { NULL, NULL },
};

/* All but scripts that are programs may wait for those that they spawn, and end
   some time. */
static bool is_in_background(const struct rv_lua *lua) {
  const struct rv_lua_task *task = lua->span ? lua->span->task : NULL;
  const struct rv_lua_spawned *parent = running(lua);

  if (parent)
    return parent->is_background;
  return !task || rv_lua_task_is_script(task);
}

static void check_may_spawn(lua_State *L, const struct rv_lua *lua) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  if (lua->stopping && is_in_background(lua))
    luaL_error(L, "no task can be spawned: the engine stops");
  if (lua->spawned_count >= MAX_SPAWNED)
    luaL_error(L,
        "there are %d spawned tasks already: spawn fewer, or wait for some",
        MAX_SPAWNED);
}

/* Of the function at index 1; its handle is at the top. */
static struct rv_lua_spawned *push_spawned(lua_State *L) {
  struct rv_lua_spawned **cell =
      lua_newuserdatauv(L, sizeof(struct rv_lua_spawned *), 0);
  struct rv_lua_spawned *spawned;
  int function;

  *cell = NULL;
  rv_lua_push_class(L, type_name, methods, collect);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, 1);
  function = luaL_ref(L, LUA_REGISTRYINDEX);
  spawned = calloc(1, sizeof(*spawned));
  if (!spawned) {
    luaL_unref(L, LUA_REGISTRYINDEX, function);
    luaL_error(L, "not enough memory");
    return NULL;
  }
  LIST_INIT(&spawned->waiters);
  spawned->results = LUA_NOREF;
  spawned->function = function;
  spawned->handle = cell;
  *cell = spawned;
  return spawned;
}

int rv_lua_spawn(lua_State *L) {
  struct rv_lua *lua = rv_lua_of(L);
  struct rv_lua_spawned *spawned;

  check_may_spawn(L, lua);
  lua_settop(L, 1);
  spawned = push_spawned(L);
  spawned->is_background = is_in_background(lua);
  lua->spawned_count++;
  LIST_INSERT_HEAD(&lua->spawned, spawned, link);
  rv_lua_task_start(&spawned->task, lua, &spawned_type, spawned->function);
  if (lua->stopping)
    rv_lua_task_limit(&spawned->task, lua->options.task_timeout, NULL);
  return 1;
}

static struct rv_lua_spawned *next_in_background(const struct rv_lua *lua) {
  struct rv_lua_spawned *spawned;

  LIST_FOREACH(spawned, &lua->spawned, link) {
    if (spawned->is_background && !rv_lua_task_is_over(&spawned->task))
      break;
  }
  return spawned;
}

void rv_lua_cancel_spawned(struct rv_lua *lua) {
  struct rv_lua_spawned *spawned;

  LIST_FOREACH(spawned, &lua->spawned, link) {
    if (!spawned->is_background)
      rv_lua_task_limit(&spawned->task, lua->options.task_timeout, NULL);
  }
  while ((spawned = next_in_background(lua)))
    rv_lua_task_cancel(&spawned->task);
}
