/* SPDX-License-Identifier: MIT */
/* A call into Lua that may wait: one coroutine with at most one pending
   operation.  A registration, or an event of a client, is a task. */
#ifndef REVERST_LUA_TASK_H
#define REVERST_LUA_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <lua.h>

struct event;
struct rv_lua;
struct rv_lua_task;

/* What kinds of tasks differ in. */
struct rv_lua_task_type {
  /* Pushes the arguments; how many.  Runs protected. */
  int (*push_arguments)(struct rv_lua_task *task, lua_State *L);
  /* The function returned: L holds its first two results at -2 and -1 (nil
     where there were fewer).  Runs protected; an error in here is passed to
     on_ended.  May be NULL. */
  void (*on_returned)(struct rv_lua_task *task, lua_State *L);
  /* The last call, exactly once: the memory is the owner's again.  `error`:
     why it failed, with a traceback; NULL: it returned. */
  void (*on_ended)(struct rv_lua_task *task, const char *error);
};

/* Embedded in what it is for; only these functions and the watchdog touch its
   members. */
struct rv_lua_task {
  LIST_ENTRY(rv_lua_task) link;
  const struct rv_lua_task_type *type;
  struct rv_lua *lua;
  lua_State *thread;
  int reference;       /* what keeps the thread; LUA_NOREF: none */
  struct event *timer; /* goes on when it fires */
  uint64_t used;       /* ns of CPU time */
  uint64_t deadline;   /* ns of CLOCK_MONOTONIC */
  uint64_t wake_at;    /* likewise: not before */
  bool preempted;      /* made to yield by the watchdog */
  bool waiting;        /* yielded by rv_lua_task_sleep */
  bool cancelled;
  bool ending; /* its thread is being closed, which runs Lua once more */
};

/* Calls a function, given as a reference into the registry.  on_ended may come
   before this returns; when Lua is running already, the call comes with the
   next turn of the loop.  Failures are reported by on_ended alone. */
void rv_lua_task_start(struct rv_lua_task *task, struct rv_lua *lua,
    const struct rv_lua_task_type *type, int function);

/* Ends a task that waits: on_ended comes before this returns, except when the
   task is the one that runs: then when it stops running. What it holds open is
   closed, and that may cancel any other task: whoever cancels several looks for
   the next one anew. Harmless for one that is ending. */
void rv_lua_task_cancel(struct rv_lua_task *task);

/* Nothing is left to cancel. */
bool rv_lua_task_is_over(const struct rv_lua_task *task);

/* To be returned by a C function of Lua: goes on after `delay` ns.  Raises
   where it cannot wait. */
int rv_lua_task_sleep(lua_State *L, uint64_t delay);

#endif
