/* SPDX-License-Identifier: MIT */
/* Wishes are done from an event, outside of Lua; what has ended is freed. */
#include "lua/control/lineage.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "lua/control/control.h"
#include "lua/control/reload.h"
#include "lua/control/watch.h"
#include "lua/engine/spawn.h"

static void free_ended(struct rv_lua_lineage *lineage) {
  struct rv_lua *lua, *next;

  for (lua = LIST_FIRST(&lineage->retired); lua; lua = next) {
    next = LIST_NEXT(lua, retired_link);
    if (LIST_EMPTY(&lua->tasks) && LIST_EMPTY(&lua->objects))
      rv_lua_free(lua);
  }
}

static void on_event(evutil_socket_t fd, short what, void *user_data) {
  struct rv_lua_lineage *lineage = user_data;

  (void)fd;
  (void)what;
  if (lineage->drain_wanted) {
    lineage->drain_wanted = false;
    rv_lua_stop(lineage->current, true);
  }
  if (lineage->reload_wanted) {
    lineage->reload_wanted = false;
    rv_lua_reload_now(lineage);
  }
  free_ended(lineage);
}

struct rv_lua_lineage *rv_lua_lineage_new(struct event_base *base) {
  struct rv_lua_lineage *lineage = calloc(1, sizeof(*lineage));

  if (!lineage)
    return NULL;
  lineage->base = base;
  lineage->started_at = (int64_t)time(NULL);
  LIST_INIT(&lineage->retired);
  STAILQ_INIT(&lineage->wishes);
  lineage->event = event_new(base, -1, 0, on_event, lineage);
  if (!lineage->event) {
    rv_lua_lineage_free(lineage);
    return NULL;
  }
  return lineage;
}

static void free_arguments(struct rv_lua_lineage *lineage) {
  int i;

  for (i = 0; lineage->argv && i < lineage->argc; ++i)
    free(lineage->argv[i]);
  free(lineage->argv);
  free(lineage->module);
  lineage->argv = NULL;
  lineage->module = NULL;
}

void rv_lua_lineage_free(struct rv_lua_lineage *lineage) {
  struct rv_lua *lua;

  if (!lineage)
    return;
  rv_lua_control_close(lineage);
  rv_lua_watch_close(lineage);
  while ((lua = LIST_FIRST(&lineage->retired)))
    rv_lua_free(lua);
  if (lineage->event)
    event_free(lineage->event);
  free_arguments(lineage);
  free(lineage->last_answer);
  free(lineage);
}

bool rv_lua_lineage_keep_arguments(struct rv_lua_lineage *lineage,
    const char *module, int argc, char *const *argv) {
  int i;

  free_arguments(lineage);
  lineage->module = strdup(module);
  lineage->argv = calloc((size_t)argc + 1, sizeof(*lineage->argv));
  if (!lineage->module || !lineage->argv)
    return false;
  lineage->argc = argc;
  for (i = 0; i < argc; ++i) {
    lineage->argv[i] = strdup(argv[i]);
    if (!lineage->argv[i])
      return false;
  }
  return true;
}

void rv_lua_lineage_want_reload(
    struct rv_lua_lineage *lineage, struct rv_lua_wish *wish) {
  if (wish) {
    wish->is_waiting = true;
    STAILQ_INSERT_TAIL(&lineage->wishes, wish, link);
  }
  lineage->reload_wanted = true;
  event_active(lineage->event, EV_TIMEOUT, 0);
}

void rv_lua_lineage_forget(
    struct rv_lua_lineage *lineage, struct rv_lua_wish *wish) {
  if (wish->is_waiting)
    STAILQ_REMOVE(&lineage->wishes, wish, rv_lua_wish, link);
  wish->is_waiting = false;
}

void rv_lua_lineage_want_drain(struct rv_lua_lineage *lineage) {
  lineage->drain_wanted = true;
  event_active(lineage->event, EV_TIMEOUT, 0);
}

static void stop_objects(struct rv_lua *lua, bool drain) {
  struct rv_lua_object *object, *next;

  for (object = LIST_FIRST(&lua->objects); object; object = next) {
    next = LIST_NEXT(object, link);
    object->stop(object, drain);
  }
}

void rv_lua_retire(struct rv_lua *lua) {
  lua->is_retired = true;
  LIST_INSERT_HEAD(&lua->lineage->retired, lua, retired_link);
  lua->stopping = true;
  rv_lua_cancel_spawned(lua);
  stop_objects(lua, true);
  event_active(lua->lineage->event, EV_TIMEOUT, 0);
}

void rv_lua_lineage_task_ended(struct rv_lua *lua) {
  if (lua->is_retired && LIST_EMPTY(&lua->tasks))
    event_active(lua->lineage->event, EV_TIMEOUT, 0);
}

/* What keeps the loop goes with the last object. */
static void end_all(struct rv_lua_lineage *lineage) {
  const struct rv_lua_options *options = &lineage->current->options;

  rv_lua_lineage_stop_retired(lineage, false);
  rv_lua_control_close(lineage);
  rv_lua_watch_close(lineage);
  if (options->on_stopped)
    options->on_stopped(options->user_data);
}

void rv_lua_lineage_engine_ended(struct rv_lua *lua) {
  struct rv_lua_lineage *lineage = lua->lineage;

  if (lua->is_retired)
    event_active(lineage->event, EV_TIMEOUT, 0);
  else if (lua == lineage->current)
    end_all(lineage);
}

void rv_lua_lineage_stop_retired(struct rv_lua_lineage *lineage, bool drain) {
  struct rv_lua *lua;

  LIST_FOREACH(lua, &lineage->retired, retired_link) {
    if (!drain)
      rv_lua_cancel_tasks(lua);
    stop_objects(lua, drain);
  }
}
