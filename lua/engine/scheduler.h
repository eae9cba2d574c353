/* SPDX-License-Identifier: MIT */
/* When tasks go on: those that are ready, in order, as many in a turn of the
   loop as its time allows; and one timer for each that sleeps or waits with a
   deadline. */
#ifndef REVERST_LUA_SCHEDULER_H
#define REVERST_LUA_SCHEDULER_H

#include <stdint.h>
#include <sys/queue.h>

struct event;
struct rv_lua;
struct rv_lua_task;

struct rv_lua_scheduler {
  TAILQ_HEAD(rv_lua_ready, rv_lua_task) ready;
  struct event *event; /* set while there are any */
};

/* REVERST_ERR_NO_MEMORY. */
__attribute__((warn_unused_result)) int rv_lua_scheduler_init(
    struct rv_lua *lua);

/* No task may be left. Harmless for zeros. */
void rv_lua_scheduler_deinit(struct rv_lua *lua);

/* ns of CLOCK_MONOTONIC. */
uint64_t rv_lua_scheduler_now(void);

/* The task goes on in the next turn; harmless when it will already. */
void rv_lua_scheduler_add(struct rv_lua_task *task);

/* Sees to it that the task goes on at `wake_at`, and ends at `deadline`.
   REVERST_ERR_NO_MEMORY. */
__attribute__((warn_unused_result)) int rv_lua_scheduler_arm(
    struct rv_lua_task *task);

/* The task leaves: nothing of it comes any more. */
void rv_lua_scheduler_remove(struct rv_lua_task *task);

#endif
