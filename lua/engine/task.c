/* SPDX-License-Identifier: MIT */
/* Starts, resumes and ends coroutines. */
#include "lua/engine/task.h"

#include <stdio.h>

#include <lauxlib.h>
#include <reverst/values.h>

#include "lua/control/lineage.h"
#include "lua/engine/engine.h"
#include "lua/engine/log.h"
#include "lua/engine/script.h"

enum { ERROR_SIZE = 4096 };

struct start {
  struct rv_lua_task *task;
  int function;
};

static int make_thread(lua_State *L) {
  const struct start *start = lua_touserdata(L, 1);
  struct rv_lua_task *task = start->task;

  task->thread = lua_newthread(L);
  rv_lua_mark_task(task->thread);
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

/* Lua collects before it gives up, but not for buffers of texts. What is in use
   for good is not looked through again for nothing. */
static void relieve_memory(struct rv_lua *lua) {
  struct rv_lua_memory *memory = &lua->memory;

  if (memory->used < memory->collected)
    memory->collected = memory->used;
  if (memory->used > memory->limit / 2 &&
      memory->used - memory->collected >
          (memory->limit - memory->collected) / 4)
    rv_lua_collect(lua);
}

/* Lua 5.4.6 gave it another name, and has it count the C calls it is in. */
static void reset_thread(lua_State *thread, lua_State *from) {
#if LUA_VERSION_RELEASE_NUM >= 50406
  lua_closethread(thread, from);
#else
  (void)from;
  lua_resetthread(thread);
#endif
}

/* The thread goes, with the to-be-closed variables of what did not return. */
static void close_thread(struct rv_lua_task *task) {
  struct rv_lua *lua = task->lua;
  struct rv_lua_span span;

  if (task->reference == LUA_NOREF)
    return;
  rv_lua_watchdog_enter(
      lua, &span, task->thread, NULL, lua->options.task_budget);
  reset_thread(task->thread, lua->L);
  rv_lua_watchdog_leave(lua, &span);
  luaL_unref(lua->L, LUA_REGISTRYINDEX, task->reference);
  relieve_memory(lua);
}

/* The operation is nobody's any more. */
static void leave_wait(struct rv_lua_task *task) {
  task->wait->task = NULL;
  task->wait = NULL;
  task->wake_at = REVERST_NEVER;
}

static void cancel_wait(struct rv_lua_task *task) {
  struct rv_lua_wait *wait = task->wait;

  if (!wait)
    return;
  leave_wait(task);
  wait->cancel(wait);
}

void rv_lua_task_end(struct rv_lua_task *task, const char *error) {
  struct rv_lua *lua = task->lua;

  task->ending = true;
  LIST_REMOVE(task, link);
  rv_lua_scheduler_remove(task);
  cancel_wait(task);
  close_thread(task);
  task->type->on_ended(task, error);
  rv_lua_lineage_task_ended(lua);
  rv_lua_script_check_idle(lua);
}

/* The coroutine returned or failed. */
static void finish(struct rv_lua_task *task, const struct rv_lua_span *span,
    int status, int count) {
  char error[ERROR_SIZE];
  struct finish finish = {
    task,
    span,
    status == LUA_OK ? count : -1,
    error,
  };
  int r;

  error[0] = '\0';
  task->is_held = true;
  r = rv_lua_protect_within(task->lua, task->lua->options.task_budget, conclude,
      &finish, error, sizeof(error));
  task->is_held = false;
  if (task->cancelled)
    rv_lua_task_end(task, "it was cancelled");
  else
    rv_lua_task_end(task, r < 0 || error[0] ? error : NULL);
}

static void go_on(struct rv_lua_task *task) {
  if (task->type->may_compute)
    task->used = 0;
  rv_lua_scheduler_add(task);
}

static void after_yield(struct rv_lua_task *task) {
  if (task->cancelled)
    rv_lua_task_end(task, "it was cancelled");
  else if (task->preempted)
    go_on(task);
  else if (!task->wait)
    rv_lua_task_end(task,
        "it called coroutine.yield outside a coroutine of its own; use "
        "reverst.sleep to wait");
  else if (task->type->is_budget_renewed)
    task->used = 0;
}

static uint64_t budget_left(const struct rv_lua_task *task) {
  uint64_t budget = task->type->budget;

  if (!budget)
    budget = task->lua->options.task_budget;
  return budget > task->used ? budget - task->used : 0;
}

void rv_lua_task_resume(struct rv_lua_task *task) {
  struct rv_lua *lua = task->lua;
  struct rv_lua_span span;
  int status, count = 0, argument_count = 0;

  if (task->cancelled) {
    rv_lua_task_end(task, "it was cancelled");
    return;
  }
  if (!task->has_begun)
    argument_count = lua_gettop(task->thread) - 1;
  task->has_begun = true;
  task->preempted = false;
  rv_lua_watchdog_enter(lua, &span, task->thread, task, budget_left(task));
  status = lua_resume(task->thread, lua->L, argument_count, &count);
  task->used += rv_lua_watchdog_leave(lua, &span);
  if (status == LUA_YIELD && !span.expired)
    after_yield(task);
  else
    finish(task, &span, status, count);
}

void rv_lua_task_limit(
    struct rv_lua_task *task, uint64_t timeout, const char *option) {
  uint64_t now = rv_lua_scheduler_now();

  if (task->ending || timeout >= REVERST_NEVER - now ||
      now + timeout >= task->deadline)
    return;
  task->deadline = now + timeout;
  task->limit = timeout;
  task->limit_option = option;
  /* before it runs no timer is needed: most end without having waited */
  if (!task->has_begun || rv_lua_scheduler_arm(task) == 0)
    return;
  task->cancelled = true;
  rv_lua_scheduler_add(task);
}

static uint64_t deadline_of(
    const struct rv_lua *lua, const struct rv_lua_task_type *type) {
  uint64_t timeout = type->timeout ? type->timeout : lua->options.task_timeout;

  return timeout == REVERST_NEVER ? REVERST_NEVER
                                  : rv_lua_scheduler_now() + timeout;
}

void rv_lua_task_start(struct rv_lua_task *task, struct rv_lua *lua,
    const struct rv_lua_task_type *type, int function) {
  char error[ERROR_SIZE];
  struct start start = { task, function };
  int r;

  *task = (struct rv_lua_task){
    .type = type,
    .lua = lua,
    .reference = LUA_NOREF,
    .armed_at = REVERST_NEVER,
    .wake_at = REVERST_NEVER,
    .deadline = deadline_of(lua, type),
  };
  LIST_INSERT_HEAD(&lua->tasks, task, link);
  task->is_held = true;
  r = rv_lua_protect(lua, make_thread, &start, error, sizeof(error));
  task->is_held = false;
  if (r < 0)
    rv_lua_task_end(task, error);
  else if (lua->span)
    rv_lua_scheduler_add(task);
  else
    rv_lua_task_resume(task);
}

static bool is_running(const struct rv_lua_task *task) {
  const struct rv_lua_span *span;

  if (task->is_held)
    return true;
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
    rv_lua_task_end(task, "it was cancelled");
}

void rv_lua_task_cancel_soon(struct rv_lua_task *task) {
  if (task->ending)
    return;
  task->cancelled = true;
  rv_lua_scheduler_add(task);
}

int rv_lua_task_wait(lua_State *L, struct rv_lua_wait *wait,
    lua_KFunction continuation, lua_KContext context) {
  struct rv_lua_task *task = rv_lua_task_that_may_wait(L);

  if (!task || rv_lua_scheduler_arm(task) < 0) {
    wait->cancel(wait);
    rv_lua_check_may_wait(L, "it");
    return luaL_error(L, "not enough memory");
  }
  wait->task = task;
  task->wait = wait;
  return lua_yieldk(L, 0, context, continuation);
}

void rv_lua_task_wake(struct rv_lua_wait *wait) {
  struct rv_lua_task *task = wait->task;

  if (!task)
    return;
  leave_wait(task);
  rv_lua_scheduler_add(task);
}

static void cancel_sleep(struct rv_lua_wait *wait) {
  (void)wait; /* its timer goes with the task */
}

static int after_sleep(lua_State *L, int status, lua_KContext context) {
  (void)L;
  (void)status;
  (void)context;
  return 0;
}

int rv_lua_task_sleep(lua_State *L, uint64_t delay) {
  struct rv_lua_task *task = rv_lua_check_may_wait(L, "sleep");
  uint64_t now = rv_lua_scheduler_now();

  task->sleep.cancel = cancel_sleep;
  task->wake_at = delay < REVERST_NEVER - now ? now + delay : REVERST_NEVER;
  return rv_lua_task_wait(L, &task->sleep, after_sleep, 0);
}
