/* SPDX-License-Identifier: MIT */
/* Starts, resumes and ends coroutines. */
#include "lua/task.h"

#include <stdio.h>
#include <time.h>

#include <event2/event.h>
#include <lauxlib.h>

#include "lua/engine.h"
#include "lua/log.h"

enum { ERROR_SIZE = 4096 };

static uint64_t now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

struct start {
  struct rv_lua_task *task;
  int function;
};

static int make_thread(lua_State *L) {
  const struct start *start = lua_touserdata(L, 1);
  struct rv_lua_task *task = start->task;

  task->thread = lua_newthread(L);
  task->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_rawgeti(L, LUA_REGISTRYINDEX, start->function);
  lua_xmove(L, task->thread, 1);
  lua_xmove(L, task->thread, task->type->push_arguments(task, L));
  return 0;
}

struct finish {
  struct rv_lua_task *task;
  const struct rv_lua_span *span;
  int count;   /* results on the thread's stack; negative: an error object */
  char *error; /* of ERROR_SIZE bytes; empty: none */
};

/* The error object at the top of L becomes the text, with the way there. */
static void keep_error(lua_State *L, const struct finish *finish) {
  rv_lua_describe_error(L, finish->task->thread);
  snprintf(finish->error, ERROR_SIZE, "%s", lua_tostring(L, -1));
}

static void take_results(lua_State *L, const struct finish *finish) {
  struct rv_lua_task *task = finish->task;

  if (finish->span->expired) {
    lua_pushfstring(L, "%s: %s", finish->span->place, RV_LUA_EXPIRED);
    keep_error(L, finish);
  } else if (finish->count < 0) {
    lua_xmove(task->thread, L, 1);
    keep_error(L, finish);
  } else {
    /* the thread's stack holds nothing but the results */
    lua_settop(task->thread, 2);
    lua_xmove(task->thread, L, 2);
    if (task->type->on_returned)
      task->type->on_returned(task, L);
  }
}

static int conclude(lua_State *L) {
  take_results(L, lua_touserdata(L, 1));
  return 0;
}

static int collect_garbage(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

/* Lua collects before it gives up, but not for buffers of texts. */
static void relieve_memory(struct rv_lua *lua) {
  char error[ERROR_SIZE];

  if (lua->memory.used > lua->memory.limit / 2 &&
      rv_lua_protect(lua, collect_garbage, NULL, error, sizeof(error)) < 0)
    rv_lua_log_text(lua, REVERST_LOG_WARN, "lua_gc_failed", "error", error);
}

/* The thread goes, with the to-be-closed variables of what did not return. */
static void close_thread(struct rv_lua_task *task) {
  struct rv_lua *lua = task->lua;
  struct rv_lua_span span;

  if (task->timer)
    event_free(task->timer);
  if (task->reference == LUA_NOREF)
    return;
  rv_lua_watchdog_enter(lua, &span, NULL, lua->options.task_budget);
  lua_resetthread(task->thread);
  rv_lua_watchdog_leave(lua, &span);
  luaL_unref(lua->L, LUA_REGISTRYINDEX, task->reference);
  relieve_memory(lua);
}

static void end(struct rv_lua_task *task, const char *error) {
  task->ending = true;
  LIST_REMOVE(task, link);
  close_thread(task);
  task->type->on_ended(task, error);
}

/* The coroutine returned or failed. */
static void finish(struct rv_lua_task *task, const struct rv_lua_span *span,
    int status, int count) {
  char error[ERROR_SIZE] = "";
  struct finish finish = {
    task,
    span,
    status == LUA_OK ? count : -1,
    error,
  };
  int r = rv_lua_protect_within(task->lua, task->lua->options.task_budget,
      conclude, &finish, error, sizeof(error));

  if (task->cancelled)
    end(task, "it was cancelled");
  else
    end(task, r < 0 || error[0] ? error : NULL);
}

static void go_on_after(struct rv_lua_task *task, uint64_t delay) {
  uint64_t left = 0, time = now();
  struct timeval wait;

  task->wake_at = time + delay;
  if (task->deadline > time)
    left = task->deadline - time;
  if (delay > left)
    delay = left;
  wait.tv_sec = (time_t)(delay / 1000000000U);
  wait.tv_usec = (suseconds_t)(delay % 1000000000U / 1000U);
  event_add(task->timer, &wait);
}

static void after_yield(struct rv_lua_task *task) {
  if (task->cancelled)
    end(task, "it was cancelled");
  else if (task->preempted)
    go_on_after(task, 0);
  else if (!task->waiting)
    end(task, "it called coroutine.yield outside a coroutine of its own; use "
              "reverst.sleep to wait");
}

static void resume(struct rv_lua_task *task, int argument_count) {
  struct rv_lua *lua = task->lua;
  struct rv_lua_span span;
  int status, count = 0;

  task->preempted = false;
  task->waiting = false;
  rv_lua_watchdog_enter(lua, &span, task,
      lua->options.task_budget > task->used
          ? lua->options.task_budget - task->used
          : 0);
  status = lua_resume(task->thread, lua->L, argument_count, &count);
  task->used += rv_lua_watchdog_leave(lua, &span);
  if (status == LUA_YIELD && !span.expired)
    after_yield(task);
  else
    finish(task, &span, status, count);
}

static void on_timer(evutil_socket_t fd, short what, void *user_data) {
  struct rv_lua_task *task = user_data;
  bool has_begun = lua_status(task->thread) == LUA_YIELD;
  uint64_t time = now();

  (void)fd;
  (void)what;
  if (time >= task->deadline)
    end(task, "it took too long");
  else if (time < task->wake_at) /* timers may be early by a millisecond */
    go_on_after(task, task->wake_at - time);
  else
    resume(task, has_begun ? 0 : lua_gettop(task->thread) - 1);
}

void rv_lua_task_start(struct rv_lua_task *task, struct rv_lua *lua,
    const struct rv_lua_task_type *type, int function) {
  char error[ERROR_SIZE];
  struct start start = { task, function };

  *task = (struct rv_lua_task){
    .type = type,
    .lua = lua,
    .reference = LUA_NOREF,
    .deadline = now() + lua->options.task_timeout,
  };
  LIST_INSERT_HEAD(&lua->tasks, task, link);
  task->timer = event_new(lua->options.base, -1, 0, on_timer, task);
  if (!task->timer)
    end(task, "not enough memory");
  else if (rv_lua_protect(lua, make_thread, &start, error, sizeof(error)) < 0)
    end(task, error);
  else if (lua->span)
    go_on_after(task, 0);
  else
    resume(task, lua_gettop(task->thread) - 1);
}

static bool is_running(const struct rv_lua_task *task) {
  const struct rv_lua_span *span;

  for (span = task->lua->span; span; span = span->outer) {
    if (span->task == task)
      return true;
  }
  return false;
}

bool rv_lua_task_is_over(const struct rv_lua_task *task) {
  return task->ending || task->cancelled;
}

void rv_lua_task_cancel(struct rv_lua_task *task) {
  if (task->ending)
    return;
  task->cancelled = true;
  if (!is_running(task))
    end(task, "it was cancelled");
}

static int wake(lua_State *L, int status, lua_KContext context) {
  (void)L;
  (void)status;
  (void)context;
  return 0;
}

int rv_lua_task_sleep(lua_State *L, uint64_t delay) {
  struct rv_lua_task *task = rv_lua_check_may_wait(L, "sleep");

  task->waiting = true;
  go_on_after(task, delay);
  return lua_yieldk(L, 0, 0, wake);
}
