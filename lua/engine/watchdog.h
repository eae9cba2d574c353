/* SPDX-License-Identifier: MIT */
/* Keeps Lua code from holding up the loop: makes tasks yield, and ends what
   runs too long.  Counts CPU time, so that a busy machine ends nothing. */
#ifndef REVERST_LUA_WATCHDOG_H
#define REVERST_LUA_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

struct rv_lua;
struct rv_lua_task;

/* One stay in Lua, from a door to its return; they nest. */
struct rv_lua_span {
  struct rv_lua_span *outer;       /* of the same engine */
  struct rv_lua_span *interrupted; /* of any */
  lua_State *thread;               /* which runs */
  struct rv_lua_task *task;        /* NULL: a protected call */
  uint64_t started, slice, budget; /* ns of CPU time; started 0: not read */
  bool expired;
  char place[LUA_IDSIZE + 16]; /* where it was then: "config.lua:12" */
};

/* The place goes before it. */
#define RV_LUA_EXPIRED "it ran too long without an end (an endless loop?)"

/* When the engine has its state, before anything is loaded; in the thread that
   will run it. */
void rv_lua_watchdog_start(struct rv_lua *lua);

/* Watches a thread at all times, not only when a signal says so. */
void rv_lua_watchdog_hook(lua_State *L);

/* Before the state is closed: goes on watching, but touches it no more from a
   signal handler. */
void rv_lua_watchdog_stop(struct rv_lua *lua);

/* The span is the caller's, valid until it leaves; `thread` is what will run,
   and may be freed only after that.  After `slice` the task is
   made to yield where it can be (then task->preempted), after `budget` as well
   (then not, but span->expired: it is not to be resumed). What cannot yield
   gets an error, again and again until it has left every pcall: Lua's own error
   for want of memory, the only one that calls no message handler (which would
   run without hooks).  Who leaves an expired span says what it was.
   Hooks are off, too, while Lua runs __gc: that cannot be interrupted. */
void rv_lua_watchdog_enter(struct rv_lua *lua, struct rv_lua_span *span,
    lua_State *thread, struct rv_lua_task *task, uint64_t budget);

/* ns that a task spent in the span; 0 for a protected call, whose clock starts
   when the hook first looks: what is short costs no reading. */
uint64_t rv_lua_watchdog_leave(struct rv_lua *lua, struct rv_lua_span *span);

/* The task that L runs, where it may yield; else NULL. */
struct rv_lua_task *rv_lua_task_that_may_wait(lua_State *L);

/* Raises unless the caller may yield: it runs in a task, not in a coroutine
   within it, nor below a C function that cannot be left. */
struct rv_lua_task *rv_lua_check_may_wait(lua_State *L, const char *what);

#endif
