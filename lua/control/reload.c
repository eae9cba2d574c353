/* SPDX-License-Identifier: MIT */
/* One engine replaces another. */
#include "lua/control/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <reverst/error.h>

#include "lua/control/lineage.h"
#include "lua/control/watch.h"
#include "lua/engine/log.h"
#include "lua/value/fields.h"
#include "lua/value/handle.h"

enum { ERROR_SIZE = 4096 };

/* ---- the two calls into Lua ---- */

struct attempt {
  struct rv_lua_lineage *lineage;
  const char *problem; /* for call_failed */
  bool succeeded;
  char *answer; /* NULL: there is no memory for one */
  size_t answer_length;
};

/* The text at the top. */
static void keep_answer(lua_State *L, struct attempt *attempt) {
  size_t length;
  const char *text = luaL_checklstring(L, -1, &length);

  attempt->answer = malloc(length + 1);
  if (!attempt->answer) {
    luaL_error(L, "not enough memory");
    return;
  }
  memcpy(attempt->answer, text, length + 1);
  attempt->answer_length = length;
}

static void push_function(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "reverst.control.reload");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, name);
}

static int call_run(lua_State *L) {
  struct attempt *attempt = lua_touserdata(L, 1);
  const struct rv_lua_lineage *lineage = attempt->lineage;
  int i;

  push_function(L, "run");
  lua_pushstring(L, lineage->module);
  lua_createtable(L, lineage->argc, 0);
  for (i = 0; i < lineage->argc; ++i) {
    lua_pushstring(L, lineage->argv[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_call(L, 2, 2);
  keep_answer(L, attempt);
  attempt->succeeded = lua_toboolean(L, -2);
  return 0;
}

static int call_failed(lua_State *L) {
  struct attempt *attempt = lua_touserdata(L, 1);

  push_function(L, "failed");
  lua_createtable(L, 1, 0);
  lua_pushstring(L, attempt->problem);
  lua_rawseti(L, -2, 1);
  lua_call(L, 1, 1);
  keep_answer(L, attempt);
  return 0;
}

/* What the new engine could not even say itself. */
static void describe_failure(struct attempt *attempt, const char *problem) {
  struct rv_lua *lua = attempt->lineage->current;
  char error[ERROR_SIZE];

  attempt->succeeded = false;
  attempt->problem = problem;
  free(attempt->answer);
  attempt->answer = NULL;
  if (rv_lua_protect(lua, call_failed, attempt, error, sizeof(error)) < 0)
    rv_lua_log_text(lua, REVERST_LOG_ERROR, "reload_failed", "error", problem);
}

/* ---- taking over ---- */

static void move_object(struct rv_lua *to, struct rv_lua_object *object,
    struct rv_lua_object **handle) {
  LIST_REMOVE(object, link);
  LIST_INSERT_HEAD(&to->objects, object, link);
  object->lua = to;
  object->handle = handle;
}

int rv_lua_adopt(lua_State *L) {
  const char *type = luaL_checkstring(L, 1);
  struct rv_lua *lua = rv_lua_of(L), *before = lua->lineage->current;
  struct rv_lua_object **handle, *object;

  if (lua == before || lua->is_retired || lua->adopted)
    return luaL_error(L, "there is nothing to adopt now");
  LIST_FOREACH(object, &before->objects, link) {
    if (object->record && strcmp(object->type, type) == 0)
      break;
  }
  if (!object)
    return 0;
  handle = rv_lua_handle_push(L, object->type, object->methods);
  lua->adopted = object;
  lua->adopted_handle = object->handle;
  if (object->handle)
    *object->handle = NULL;
  *handle = object;
  move_object(lua, object, handle);
  return 1;
}

/* The older engine has not run meanwhile: its handle is where it was. */
static void give_back(struct rv_lua *lua, struct rv_lua *before) {
  struct rv_lua_object *object = lua->adopted;

  if (!object)
    return;
  lua->adopted = NULL;
  if (object->handle)
    *object->handle = NULL;
  move_object(before, object, lua->adopted_handle);
  if (object->handle)
    *object->handle = object;
}

static void replace(struct rv_lua_lineage *lineage, struct rv_lua *lua) {
  struct rv_lua *before = lineage->current;

  lua->adopted = NULL;
  lua->adopted_handle = NULL;
  lineage->current = lua;
  rv_lua_retire(before);
  if (lua->options.on_replaced)
    lua->options.on_replaced(lua, lua->options.user_data);
}

/* Those that come meanwhile want another one. */
static void answer_wishes(
    struct rv_lua_lineage *lineage, const struct attempt *attempt) {
  static const char nothing[] =
      "{\"ok\":false,\"problems\":[\"not enough memory\"]}";
  struct rv_lua_wish *wish;
  size_t count = 0;

  STAILQ_FOREACH(wish, &lineage->wishes, link) {
    ++count;
  }
  for (; count > 0; --count) {
    wish = STAILQ_FIRST(&lineage->wishes);
    rv_lua_lineage_forget(lineage, wish);
    wish->on_answered(wish, attempt->answer ? attempt->answer : nothing,
        attempt->answer ? attempt->answer_length : sizeof(nothing) - 1);
  }
}

/* What `history` tells. */
static void remember(struct rv_lua_lineage *lineage, struct attempt *attempt) {
  ++lineage->reloads;
  lineage->reloaded_at = (int64_t)time(NULL);
  free(lineage->last_answer);
  lineage->last_answer = attempt->answer;
}

/* What went wrong once the server asked the new engine, which has to stay. */
static void describe_unfinished(struct attempt *attempt, const char *error) {
  char problem[ERROR_SIZE + 128];

  snprintf(problem, sizeof(problem),
      "the configuration is in use, but not all that was to follow has been "
      "done: %s",
      error);
  describe_failure(attempt, problem);
}

static void try(struct attempt *attempt) {
  struct rv_lua_lineage *lineage = attempt->lineage;
  char error[ERROR_SIZE];
  struct rv_lua *lua;
  int r = rv_lua_new_in(&lua, &lineage->current->options, lineage);

  if (r < 0) {
    describe_failure(attempt, reverst_strerror(r));
    return;
  }
  lua->log_level = lineage->current->log_level;
  rv_lua_watch_mark(lineage);
  r = rv_lua_protect(lua, call_run, attempt, error, sizeof(error));
  if (r == 0 && attempt->succeeded) {
    replace(lineage, lua);
    return;
  }
  if (lua->is_settled) {
    replace(lineage, lua);
    describe_unfinished(attempt, r < 0 ? error : "it says no more");
    return;
  }
  give_back(lua, lineage->current);
  if (r < 0)
    describe_failure(attempt, error);
  rv_lua_retire(lua);
}

void rv_lua_reload_now(struct rv_lua_lineage *lineage) {
  struct attempt attempt = { .lineage = lineage };

  if (lineage->current->stopping)
    describe_failure(&attempt, "the server is going away: it drains already");
  else
    try(&attempt);
  answer_wishes(lineage, &attempt);
  remember(lineage, &attempt);
}

int rv_lua_history(lua_State *L) {
  const struct rv_lua_lineage *lineage = rv_lua_of(L)->lineage;
  const struct rv_lua *lua;
  size_t memory = 0, count = 0;

  LIST_FOREACH(lua, &lineage->retired, retired_link) {
    memory += lua->memory.used;
    ++count;
  }
  lua_createtable(L, 0, 8);
  rv_lua_set_integer(L, "started_at", lineage->started_at);
  rv_lua_set_integer(L, "reloads", (int64_t)lineage->reloads);
  rv_lua_set_integer(L, "lua_memory", (int64_t)lineage->current->memory.used);
  rv_lua_set_integer(L, "retired", (int64_t)count);
  rv_lua_set_integer(L, "retired_memory", (int64_t)memory);
  if (lineage->last_answer) {
    rv_lua_set_integer(L, "reloaded_at", lineage->reloaded_at);
    rv_lua_set_text(L, "last_reload", lineage->last_answer);
  }
  rv_lua_set_flag(L, "is_draining", lineage->current->stopping);
  return 1;
}

bool rv_lua_reload(struct rv_lua *lua) {
  struct rv_lua_object *object;
  bool reloaded = false;

  if (lua->lineage->can_reload) {
    rv_lua_lineage_want_reload(lua->lineage, NULL);
    return true;
  }
  LIST_FOREACH(object, &lua->objects, link) {
    if (object->reload) {
      object->reload(object);
      reloaded = true;
    }
  }
  return reloaded;
}

int rv_lua_want_reload(lua_State *L) {
  rv_lua_lineage_want_reload(rv_lua_of(L)->lineage, NULL);
  return 0;
}
