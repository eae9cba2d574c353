/* SPDX-License-Identifier: MIT */
/* A call into Lua that may wait: one coroutine with at most one pending
   operation.  A registration, a request, or an event of a client is a task. */
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
  /* ns from start to end, waiting included.  0: the engine's task_timeout;
     REVERST_NEVER: no bound. */
  uint64_t timeout;
  uint64_t budget; /* ns of CPU time; 0: the engine's task_budget */
  /* The budget is for each stretch between two waits, not for all of them. */
  bool is_budget_renewed;
  /* Being made to yield counts as such a wait: only what cannot yield is ended
     by the budget. */
  bool may_compute;
};

/* An operation that a task waits for; embedded in what does it. Zero at first,
   but for `cancel`. */
struct rv_lua_wait {
  /* The task ends early: the operation is to be given up, and its memory may go
     as soon as this has returned (a userdata of the task's thread does).
     Exactly once, unless the task was woken; before the to-be-closed variables
     of the task are closed.  Must not enter Lua. */
  void (*cancel)(struct rv_lua_wait *wait);
  struct rv_lua_task *task; /* who waits; NULL: nobody (any more) */
};

/* Embedded in what it is for; only these functions, the scheduler and the
   watchdog touch its members. */
struct rv_lua_task {
  LIST_ENTRY(rv_lua_task) link;
  TAILQ_ENTRY(rv_lua_task) ready_link;
  const struct rv_lua_task_type *type;
  struct rv_lua *lua;
  lua_State *thread;
  int reference;            /* what keeps the thread; LUA_NOREF: none */
  struct rv_lua_wait *wait; /* the pending operation; NULL: none */
  struct rv_lua_wait sleep; /* that of rv_lua_task_sleep */
  struct event *timer;      /* made when it is first needed */
  uint64_t armed_at;        /* when the timer fires; REVERST_NEVER: not set */
  uint64_t wake_at;         /* the end of a sleep; REVERST_NEVER: none */
  uint64_t deadline;        /* all three: ns of CLOCK_MONOTONIC */
  const char *limit_option; /* what the deadline comes from; NULL: unnamed */
  uint64_t limit;           /* ns: its value */
  uint64_t used;            /* ns of CPU time, of what the budget is for */
  bool has_begun;
  bool ready;     /* goes on with the next turn */
  bool preempted; /* made to yield by the watchdog */
  bool is_held;   /* something of it is being read or made, which may run Lua */
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

/* The same with the next turn of the loop, for who is in the middle of
   something. */
void rv_lua_task_cancel_soon(struct rv_lua_task *task);

/* Nothing is left to cancel. */
bool rv_lua_task_is_over(const struct rv_lua_task *task);

/* It must end within so many ns from now, or at its deadline before;
   REVERST_NEVER: at that.  `option` (a literal, or NULL) says what can be set
   so that it may take longer, and is named when it did not end in time.
   on_ended does not come in here. */
void rv_lua_task_limit(
    struct rv_lua_task *task, uint64_t timeout, const char *option);

/* To be returned by a C function of Lua: goes on in `continuation` when the
   operation is over.  Where it cannot wait it raises, after `cancel`; who wants
   to know that before he begins calls rv_lua_check_may_wait (watchdog.h). */
int rv_lua_task_wait(lua_State *L, struct rv_lua_wait *wait,
    lua_KFunction continuation, lua_KContext context);

/* The operation is over: `cancel` will not come any more, and the task goes on
   with the next turn of the loop, never in here.  When it is ended before that,
   its continuation does not run: what holds a result has to be collectable.
   Harmless when nobody waits. */
void rv_lua_task_wake(struct rv_lua_wait *wait);

/* To be returned by a C function of Lua: goes on after `delay` ns.  Raises
   where it cannot wait. */
int rv_lua_task_sleep(lua_State *L, uint64_t delay);

/* ---- for the scheduler ---- */

/* Starts it, or goes on with it. */
void rv_lua_task_resume(struct rv_lua_task *task);

/* Ends it for this reason; it must not be running. */
void rv_lua_task_end(struct rv_lua_task *task, const char *error);

#endif
