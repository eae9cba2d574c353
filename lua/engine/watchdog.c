/* SPDX-License-Identifier: MIT */
/* A hook that looks at the CPU time of what runs.  A count hook costs scripts
   up to half of their speed, whatever its interval, so it is set by a tick when
   a call has already run for some time; coroutines of scripts, and everything
   where there are no ticks, have it always. */
#include "lua/engine/watchdog.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include <lauxlib.h>

#include "lua/engine/engine.h"
#include "lua/engine/task.h"
#include "lua/engine/ticker.h"

enum { INSTRUCTIONS_BETWEEN_CHECKS = 10000 };

/* What runs in this thread, of whichever engine; read by a signal handler. */
static _Thread_local struct rv_lua_span *volatile innermost;

static uint64_t cpu_now(void) {
  struct timespec now;

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void check_time(lua_State *L, lua_Debug *event);

void rv_lua_watchdog_hook(lua_State *L) {
  lua_sethook(L, check_time, LUA_MASKCOUNT, INSTRUCTIONS_BETWEEN_CHECKS);
}

/* No hook is set.  A debugger or the like may have set its own, which is
   respected.  A tick within lua_sethook, as that takes a hook away, leaves the
   hook with a mask of 0. */
static bool is_unhooked(lua_State *L) {
  lua_Hook hook = lua_gethook(L);

  return !hook || (hook == check_time && lua_gethookmask(L) == 0);
}

/* As soon as it goes on: what the next check then leaves or ends. */
static void on_tick(void) {
  struct rv_lua_span *span = innermost;

  if (span && !span->expired && is_unhooked(span->thread))
    lua_sethook(span->thread, check_time, LUA_MASKCOUNT, 1);
}

/* At every step: a pcall in a loop cannot swallow that. */
static void hook_always(lua_State *L) {
  lua_sethook(L, check_time, LUA_MASKCOUNT | LUA_MASKLINE, 1);
}

static bool is_hooked_always(lua_State *L) {
  return lua_gethook(L) == check_time &&
         (lua_gethookmask(L) & LUA_MASKLINE) != 0;
}

/* What it has while there is nothing to end. */
static void hook_as_usual(lua_State *L, const struct rv_lua_span *span) {
  if (rv_lua_of(L)->has_ticker && L == span->thread)
    lua_sethook(L, NULL, 0, 0);
  else
    rv_lua_watchdog_hook(L);
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
  if (!is_hooked_always(span->thread))
    hook_always(span->thread);
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
  /* also a coroutine that outlived the task it was stopped in */
  if (lua_gethookcount(L) == 1)
    hook_as_usual(L, span);
  if (used > span->slice && may_yield(L, span)) {
    span->task->preempted = true;
    lua_yield(L, 0);
  }
}

/* ---- spans ---- */

void rv_lua_watchdog_start(struct rv_lua *lua) {
  lua->has_ticker = rv_lua_ticker_start(on_tick);
  if (!lua->has_ticker)
    rv_lua_watchdog_hook(lua->L);
}

void rv_lua_watchdog_stop(struct rv_lua *lua) {
  if (lua->has_ticker)
    rv_lua_ticker_stop();
  lua->has_ticker = false;
  rv_lua_watchdog_hook(lua->L);
}

void rv_lua_watchdog_enter(struct rv_lua *lua, struct rv_lua_span *span,
    lua_State *thread, struct rv_lua_task *task, uint64_t budget) {
  *span = (struct rv_lua_span){
    .outer = lua->span,
    .interrupted = innermost,
    .thread = thread,
    .task = task,
    .started = task ? cpu_now() : 0,
    .slice = lua->options.resume_budget,
    .budget = budget,
  };
  lua->span = span;
  atomic_signal_fence(memory_order_seq_cst);
  if (lua->has_ticker)
    innermost = span;
}

uint64_t rv_lua_watchdog_leave(struct rv_lua *lua, struct rv_lua_span *span) {
  innermost = span->interrupted;
  atomic_signal_fence(memory_order_seq_cst);
  lua->span = span->outer;
  if (is_hooked_always(span->thread))
    hook_as_usual(span->thread, span);
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
