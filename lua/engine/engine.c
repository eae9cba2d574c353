/* SPDX-License-Identifier: MIT */
/* A Lua state with its limits, its servers and clients, and their end. */
#include "lua/engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>
#include <reverst/error.h>

#include "lua/control/lineage.h"
#include "lua/engine/coroutine.h"
#include "lua/engine/log.h"
#include "lua/engine/script.h"
#include "lua/engine/spawn.h"
#include "lua/engine/task.h"
#include "lua/module/core.h"
#include "lua/module/http.h"
#include "lua/module/modules.h"

#define MEBIBYTE ((size_t)1024 * 1024)
#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static int on_panic(lua_State *L) {
  struct rv_lua *lua = rv_lua_of(L);
  const char *message = lua_tostring(L, -1);

  rv_lua_log_text(lua, REVERST_LOG_ERROR, "lua_panic", "error",
      message ? message : "(no message)");
  abort();
}

static void on_warning(void *user_data, const char *message, int continues) {
  (void)continues;
  rv_lua_log_text(
      user_data, REVERST_LOG_WARN, "lua_warning", "message", message);
}

static bool has_text(lua_State *L) {
  if (lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER)
    return true;
  if (luaL_getmetafield(L, -1, "__tostring") == LUA_TNIL)
    return false;
  lua_pop(L, 1);
  return true;
}

/* What C raises has no way there, and a place that says nothing. */
static void trace(lua_State *L, lua_State *thread, const char *message) {
  static const char nowhere[] = "\nstack traceback:\n\t[C]: in ?";
  size_t length;
  const char *text;

  luaL_traceback(L, thread, message, thread == L ? 1 : 0);
  text = lua_tolstring(L, -1, &length);
  if (length == strlen(message) + sizeof(nowhere) - 1 &&
      strcmp(text + strlen(message), nowhere) == 0)
    lua_pushvalue(L, -2);
}

void rv_lua_describe_error(lua_State *L, lua_State *thread) {
  const char *message;

  if (has_text(L))
    message = luaL_tolstring(L, -1, NULL);
  else
    message = lua_pushfstring(
        L, "the error object is a %s value", luaL_typename(L, -1));
  trace(L, thread, message);
}

static int add_traceback(lua_State *L) {
  rv_lua_describe_error(L, L);
  return 1;
}

int rv_lua_protect_within(struct rv_lua *lua, uint64_t budget,
    lua_CFunction function, void *data, char *error, size_t error_size) {
  lua_State *L = lua->L;
  struct rv_lua_span span;
  const char *message;
  int base = lua_gettop(L), status;

  if (!lua_checkstack(L, 4)) {
    snprintf(error, error_size, "not enough memory");
    return REVERST_ERR_SYSTEM;
  }
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, data);
  rv_lua_watchdog_enter(lua, &span, L, NULL, budget);
  status = lua_pcall(L, 1, 0, base + 1);
  rv_lua_watchdog_leave(lua, &span);
  if (span.expired) {
    snprintf(error, error_size, "%s: %s", span.place, RV_LUA_EXPIRED);
    status = LUA_ERRRUN;
  } else if (status != LUA_OK) {
    message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "unknown";
    snprintf(error, error_size, "%s", message);
  }
  lua_settop(L, base);
  return status == LUA_OK ? 0 : REVERST_ERR_SYSTEM;
}

int rv_lua_protect(struct rv_lua *lua, lua_CFunction function, void *data,
    char *error, size_t error_size) {
  return rv_lua_protect_within(
      lua, lua->options.call_budget, function, data, error, error_size);
}

/* Lua makes this text where no error may be raised: it has to be there. */
static void keep_error_text(lua_State *L) {
  lua_pushliteral(L, "error in error handling");
  luaL_ref(L, LUA_REGISTRYINDEX);
}

static int prepare(lua_State *L) {
  keep_error_text(L);
  luaL_openlibs(L);
  rv_lua_prepare_coroutines(L);
  rv_lua_preload_modules(L);
  rv_lua_preload_core(L);
  return 0;
}

static void set_defaults(struct rv_lua_options *options) {
  if (!options->memory_limit)
    options->memory_limit = 256 * MEBIBYTE;
  if (!options->resume_budget)
    options->resume_budget = 50 * MILLISECOND;
  if (!options->task_budget)
    options->task_budget = SECOND;
  if (!options->call_budget)
    options->call_budget = 5 * SECOND;
  if (!options->task_timeout)
    options->task_timeout = 15 * SECOND;
}

int rv_lua_new_in(struct rv_lua **out, const struct rv_lua_options *options,
    struct rv_lua_lineage *lineage) {
  struct rv_lua *lua;
  char error[256];

  *out = NULL;
  lua = calloc(1, sizeof(*lua));
  if (!lua)
    return REVERST_ERR_NO_MEMORY;
  lua->options = *options;
  lua->lineage = lineage;
  set_defaults(&lua->options);
  lua->memory.limit = lua->options.memory_limit;
  lua->log_level = REVERST_LOG_INFO;
  LIST_INIT(&lua->tasks);
  LIST_INIT(&lua->objects);
  LIST_INIT(&lua->spawned);
  if (rv_lua_scheduler_init(lua) < 0)
    goto fail;
  lua->L = lua_newstate(rv_lua_allocate, &lua->memory);
  if (!lua->L)
    goto fail;
  *(struct rv_lua **)lua_getextraspace(lua->L) = lua;
  lua_atpanic(lua->L, on_panic);
  lua_setwarnf(lua->L, on_warning, lua);
  rv_lua_watchdog_start(lua);
  if (rv_lua_protect(lua, prepare, NULL, error, sizeof(error)) < 0)
    goto fail;
  *out = lua;
  return 0;

fail:
  rv_lua_free(lua);
  return REVERST_ERR_NO_MEMORY;
}

int rv_lua_new(struct rv_lua **out, const struct rv_lua_options *options) {
  struct rv_lua_lineage *lineage;
  int r;

  *out = NULL;
  if (!options->base)
    return REVERST_ERR_INVALID;
  lineage = rv_lua_lineage_new(options->base);
  if (!lineage)
    return REVERST_ERR_NO_MEMORY;
  r = rv_lua_new_in(out, options, lineage);
  if (r < 0)
    rv_lua_lineage_free(lineage);
  else
    lineage->current = *out;
  return r;
}

static struct rv_lua_task *first_task(const struct rv_lua *lua) {
  struct rv_lua_task *task;

  LIST_FOREACH(task, &lua->tasks, link) {
    if (!rv_lua_task_is_over(task))
      break;
  }
  return task;
}

void rv_lua_cancel_tasks(struct rv_lua *lua) {
  struct rv_lua_task *task;

  while ((task = first_task(lua)))
    rv_lua_task_cancel(task);
}

void rv_lua_free(struct rv_lua *lua) {
  struct rv_lua_lineage *lineage;
  struct rv_lua_span span;

  if (!lua)
    return;
  lua->stopping = true;
  if (lua->L) {
    rv_lua_cancel_tasks(lua);
    while (!LIST_EMPTY(&lua->tasks)) /* cancelled, to end in the next turn */
      rv_lua_task_end(LIST_FIRST(&lua->tasks), "it was cancelled");
    rv_lua_watchdog_stop(lua);
    rv_lua_watchdog_enter(lua, &span, lua->L, NULL, lua->options.call_budget);
    rv_lua_http_abandon(lua);
    lua_close(lua->L);
  }
  rv_lua_scheduler_deinit(lua);
  lineage = lua->lineage;
  if (lua->is_retired)
    LIST_REMOVE(lua, retired_link);
  if (lineage->current == lua)
    rv_lua_lineage_free(lineage);
  free(lua);
}

struct run {
  const char *module;
  int argc;
  char *const *argv;
  int status;
};

static int call_run(lua_State *L) {
  struct run *run = lua_touserdata(L, 1);
  int i;

  lua_getglobal(L, "require");
  lua_pushstring(L, run->module);
  lua_call(L, 1, 1);
  rv_lua_of(L)->lineage->can_reload =
      lua_getfield(L, -1, "reload") == LUA_TFUNCTION;
  lua_pop(L, 1);
  lua_getfield(L, -1, "run");
  lua_createtable(L, run->argc, 0);
  for (i = 0; i < run->argc; ++i) {
    lua_pushstring(L, run->argv[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_call(L, 1, 1);
  run->status = (int)luaL_optinteger(L, -1, RV_LUA_RUNNING);
  return 0;
}

int rv_lua_run(struct rv_lua *lua, const char *module, int argc,
    char *const *argv, int *status, char *error, size_t error_size) {
  struct run run = { module, argc, argv, RV_LUA_RUNNING };
  int r;

  *status = RV_LUA_RUNNING;
  if (!rv_lua_lineage_keep_arguments(lua->lineage, module, argc, argv)) {
    snprintf(error, error_size, "not enough memory");
    return REVERST_ERR_SYSTEM;
  }
  r = rv_lua_protect(lua, call_run, &run, error, error_size);
  *status = run.status;
  return r;
}

void rv_lua_report_stopped(struct rv_lua *lua) {
  bool is_idle = LIST_EMPTY(&lua->tasks) || (lua->stopping && !lua->is_retired);

  if (!LIST_EMPTY(&lua->objects) || (is_idle && rv_lua_http_close(lua)))
    return;
  rv_lua_lineage_engine_ended(lua);
}

void rv_lua_stop(struct rv_lua *lua, bool drain) {
  struct rv_lua_object *object, *next;

  rv_lua_lineage_stop_retired(lua->lineage, drain);
  lua->stopping = true;
  if (drain) {
    rv_lua_cancel_scripts(lua);
    rv_lua_cancel_spawned(lua);
  } else {
    rv_lua_cancel_tasks(lua);
  }
  if (LIST_EMPTY(&lua->objects))
    rv_lua_report_stopped(lua);
  for (object = LIST_FIRST(&lua->objects); object; object = next) {
    next = LIST_NEXT(object, link);
    object->stop(object, drain);
  }
}

int rv_lua_exit_status(const struct rv_lua *lua) {
  return lua->lineage->exit_status;
}

size_t rv_lua_memory_used(const struct rv_lua *lua) {
  return lua->memory.used;
}

static int collect_garbage(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

void rv_lua_collect(struct rv_lua *lua) {
  char error[256];

  if (rv_lua_protect(lua, collect_garbage, NULL, error, sizeof(error)) < 0)
    rv_lua_log_text(lua, REVERST_LOG_WARN, "lua_gc_failed", "error", error);
  lua->memory.collected = lua->memory.used;
}
