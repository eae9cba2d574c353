/* SPDX-License-Identifier: MIT */
/* A count hook that looks at the CPU time of what runs. */
#include "lua/watchdog.h"

#include <stdio.h>
#include <time.h>

#include <lauxlib.h>

#include "lua/engine.h"
#include "lua/task.h"

enum { INSTRUCTIONS_BETWEEN_CHECKS = 10000 };

static uint64_t cpu_now(void) {
  struct timespec now;

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void check_time(lua_State *L, lua_Debug *event);

static void hook_seldom(lua_State *L) {
  lua_sethook(L, check_time, LUA_MASKCOUNT, INSTRUCTIONS_BETWEEN_CHECKS);
}

/* At every step: a pcall in a loop cannot swallow that. */
static void hook_always(lua_State *L) {
  lua_sethook(L, check_time, LUA_MASKCOUNT | LUA_MASKLINE, 1);
}

static bool is_hooked_always(lua_State *L) {
  return (lua_gethookmask(L) & LUA_MASKLINE) != 0;
}

static bool may_yield(lua_State *L, const struct rv_lua_span *span) {
  return span && span->task && L == span->task->thread && lua_isyieldable(L);
}

static void expire(lua_State *L, struct rv_lua_span *span, lua_Debug *event) {
  if (!span->expired && lua_getinfo(L, "Sl", event))
    snprintf(span->place, sizeof(span->place), "%s:%d", event->short_src,
        event->currentline);
  span->expired = true;
  if (!is_hooked_always(L))
    hook_always(L);
  /* Out of all pcalls at once, of which there may be very many: what a task
     yields so is never resumed. A coroutine's own caller goes on, but not for
     long. */
  if (lua_isyieldable(L)) {
    lua_yield(L, 0);
    return;
  }
  lua_pushliteral(L, "not enough memory");
  lua_error(L);
}

static void check_time(lua_State *L, lua_Debug *event) {
  struct rv_lua_span *span = rv_lua_of(L)->span;
  uint64_t used;

  if (!span)
    return;
  if (!span->started) /* a protected call: only long ones pay for the clock */
    span->started = cpu_now();
  used = cpu_now() - span->started;
  if (span->expired || used > span->budget) {
    expire(L, span, event);
    return;
  }
  /* a coroutine that outlived the task it was stopped in */
  if (is_hooked_always(L))
    hook_seldom(L);
  if (used > span->slice && may_yield(L, span)) {
    span->task->preempted = true;
    lua_yield(L, 0);
  }
}

void rv_lua_watchdog_install(lua_State *L) {
  hook_seldom(L);
}

void rv_lua_watchdog_enter(struct rv_lua *lua, struct rv_lua_span *span,
    struct rv_lua_task *task, uint64_t budget) {
  *span = (struct rv_lua_span){
    .outer = lua->span,
    .task = task,
    .started = task ? cpu_now() : 0,
    .slice = lua->options.resume_budget,
    .budget = budget,
  };
  lua->span = span;
}

uint64_t rv_lua_watchdog_leave(struct rv_lua *lua, struct rv_lua_span *span) {
  lua->span = span->outer;
  if (is_hooked_always(lua->L))
    hook_seldom(lua->L);
  return span->task ? cpu_now() - span->started : 0;
}

struct rv_lua_task *rv_lua_task_that_may_wait(lua_State *L) {
  struct rv_lua_span *span = rv_lua_of(L)->span;

  return may_yield(L, span) ? span->task : NULL;
}

struct rv_lua_task *rv_lua_check_may_wait(lua_State *L, const char *what) {
  struct rv_lua_task *task = rv_lua_task_that_may_wait(L);

  if (!task)
    luaL_error(L,
        "%s waits, and cannot do so here: only in a function that reverst "
        "calls or spawns, outside policies, coroutines of your own, sort "
        "comparators and the like",
        what);
  return task;
}
