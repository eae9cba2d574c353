/* SPDX-License-Identifier: MIT */
/* The task of a script, and the end of the engine when it is idle. */
#include "lua/engine/script.h"

#include <stdlib.h>

#include <lauxlib.h>
#include <reverst/log.h>
#include <reverst/values.h>

#include "lua/control/lineage.h"
#include "lua/engine/engine.h"
#include "lua/engine/log.h"
#include "lua/engine/task.h"

#define SECOND UINT64_C(1000000000)

struct script {
  struct rv_lua_task task; /* first: the two are converted */
  int function;            /* a reference */
  bool has_status;
  int status;
};

static int push_nothing(struct rv_lua_task *task, lua_State *L) {
  (void)task;
  (void)L;
  return 0;
}

static void on_returned(struct rv_lua_task *task, lua_State *L) {
  struct script *script = (struct script *)task;
  int is_integer;

  script->status = (int)lua_tointegerx(L, -2, &is_integer);
  script->has_status = is_integer;
}

static void on_ended(struct rv_lua_task *task, const char *error) {
  struct script *script = (struct script *)task;
  struct rv_lua *lua = task->lua;
  bool failed = error && !task->cancelled, has_status = script->has_status;

  luaL_unref(lua->L, LUA_REGISTRYINDEX, script->function);
  if (failed) {
    rv_lua_log_text(lua, REVERST_LOG_ERROR, "script_failed", "error", error);
    lua->lineage->exit_status = 1;
  } else if (has_status) {
    lua->lineage->exit_status = script->status;
  } else if (!error) {
    lua->lineage->exit_status = 0;
  }
  free(script);
  if (failed || has_status)
    rv_lua_stop(lua, false);
}

static const struct rv_lua_task_type script_type = {
  .push_arguments = push_nothing,
  .on_returned = on_returned,
  .on_ended = on_ended,
  .timeout = REVERST_NEVER,
  .budget = 5 * SECOND,
  .is_budget_renewed = true,
  .may_compute = true,
};

bool rv_lua_task_is_script(const struct rv_lua_task *task) {
  return task->type == &script_type;
}

int rv_lua_run_script(lua_State *L) {
  struct rv_lua *lua = rv_lua_of(L);
  int status = (int)luaL_optinteger(L, 2, 0), function;
  struct script *script;

  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  function = luaL_ref(L, LUA_REGISTRYINDEX);
  script = calloc(1, sizeof(*script));
  if (!script) {
    luaL_unref(L, LUA_REGISTRYINDEX, function);
    return luaL_error(L, "not enough memory");
  }
  script->function = function;
  lua->has_scripts = true;
  lua->lineage->exit_status = status;
  rv_lua_task_start(&script->task, lua, &script_type, function);
  return 0;
}

static struct rv_lua_task *first_script(const struct rv_lua *lua) {
  struct rv_lua_task *task;

  LIST_FOREACH(task, &lua->tasks, link) {
    if (rv_lua_task_is_script(task) && !rv_lua_task_is_over(task))
      break;
  }
  return task;
}

void rv_lua_cancel_scripts(struct rv_lua *lua) {
  struct rv_lua_task *task;

  while ((task = first_script(lua)))
    rv_lua_task_cancel(task);
}

void rv_lua_script_check_idle(struct rv_lua *lua) {
  if (lua->has_scripts && !lua->stopping && LIST_EMPTY(&lua->tasks) &&
      LIST_EMPTY(&lua->objects))
    rv_lua_stop(lua, false);
}
