/* SPDX-License-Identifier: MIT */
/* A queue of tasks that can go on, and their timers. */
#include "lua/engine/scheduler.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <event2/event.h>
#include <reverst/error.h>
#include <reverst/values.h>

#include "lua/engine/engine.h"
#include "lua/engine/task.h"

#define MAX_DELAY UINT64_C(1000000000000000000) /* ns: 31 years */
#define TURN_BUDGET UINT64_C(300000)            /* ns, of many tasks at once */

uint64_t rv_lua_scheduler_now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void request_turn(struct rv_lua_scheduler *scheduler) {
  /* not event_active: that would come before what the loop has yet to poll */
  const struct timeval at_once = { 0, 0 };

  if (!event_pending(scheduler->event, EV_TIMEOUT, NULL))
    event_add(scheduler->event, &at_once);
}

/* Those that were ready at first; what takes long leaves others for the next
   turn. */
static void on_turn(evutil_socket_t fd, short what, void *user_data) {
  struct rv_lua *lua = user_data;
  struct rv_lua_scheduler *scheduler = &lua->scheduler;
  struct rv_lua_task *task, *last;
  uint64_t end = rv_lua_scheduler_now() + TURN_BUDGET;
  bool is_last;

  (void)fd;
  (void)what;
  last = TAILQ_LAST(&scheduler->ready, rv_lua_ready);
  while ((task = TAILQ_FIRST(&scheduler->ready))) {
    /* where the last one was ended meanwhile, the time bounds the turn */
    is_last = task == last;
    TAILQ_REMOVE(&scheduler->ready, task, ready_link);
    task->ready = false;
    rv_lua_task_resume(task);
    if (is_last || rv_lua_scheduler_now() >= end)
      break;
  }
  if (!TAILQ_EMPTY(&scheduler->ready))
    request_turn(scheduler);
}

int rv_lua_scheduler_init(struct rv_lua *lua) {
  TAILQ_INIT(&lua->scheduler.ready);
  lua->scheduler.event = event_new(lua->options.base, -1, 0, on_turn, lua);
  return lua->scheduler.event ? 0 : REVERST_ERR_NO_MEMORY;
}

void rv_lua_scheduler_deinit(struct rv_lua *lua) {
  if (lua->scheduler.event)
    event_free(lua->scheduler.event);
}

void rv_lua_scheduler_add(struct rv_lua_task *task) {
  struct rv_lua_scheduler *scheduler = &task->lua->scheduler;

  if (task->ready)
    return;
  task->ready = true;
  TAILQ_INSERT_TAIL(&scheduler->ready, task, ready_link);
  request_turn(scheduler);
}

static uint64_t next_of(const struct rv_lua_task *task) {
  return task->wake_at < task->deadline ? task->wake_at : task->deadline;
}

static int set_timer(struct rv_lua_task *task, uint64_t at) {
  uint64_t now = rv_lua_scheduler_now(), delay = at > now ? at - now : 0;
  struct timeval wait;

  if (delay > MAX_DELAY)
    delay = MAX_DELAY;
  delay += 999; /* not before its time */
  wait.tv_sec = (time_t)(delay / 1000000000U);
  wait.tv_usec = (suseconds_t)(delay % 1000000000U / 1000U);
  if (event_add(task->timer, &wait) < 0)
    return REVERST_ERR_NO_MEMORY;
  task->armed_at = at;
  return 0;
}

/* Why it ends, with what can be done about it. */
static void end_late(struct rv_lua_task *task) {
  uint64_t milliseconds = task->limit / 1000000U;
  bool is_whole = milliseconds % 1000U == 0;
  char error[128];

  snprintf(error, sizeof(error), "it took too long");
  if (task->limit_option)
    snprintf(error, sizeof(error),
        "it took too long (%s is %" PRIu64 "%s; it can be set higher)",
        task->limit_option, is_whole ? milliseconds / 1000U : milliseconds,
        is_whole ? "s" : "ms");
  rv_lua_task_end(task, error);
}

static void on_timer(evutil_socket_t fd, short what, void *user_data) {
  struct rv_lua_task *task = user_data;
  uint64_t now = rv_lua_scheduler_now();

  (void)fd;
  (void)what;
  task->armed_at = REVERST_NEVER;
  if (now >= task->deadline) {
    end_late(task);
  } else if (now >= task->wake_at) {
    task->wake_at = REVERST_NEVER;
    rv_lua_task_wake(task->wait);
  } else if (rv_lua_scheduler_arm(task) < 0) {
    rv_lua_task_end(task, "not enough memory");
  }
}

int rv_lua_scheduler_arm(struct rv_lua_task *task) {
  uint64_t at = next_of(task);

  /* one that fires too early sets itself again */
  if (at >= task->armed_at || at == REVERST_NEVER)
    return 0;
  if (!task->timer)
    task->timer = event_new(task->lua->options.base, -1, 0, on_timer, task);
  return task->timer ? set_timer(task, at) : REVERST_ERR_NO_MEMORY;
}

void rv_lua_scheduler_remove(struct rv_lua_task *task) {
  if (task->ready)
    TAILQ_REMOVE(&task->lua->scheduler.ready, task, ready_link);
  task->ready = false;
  if (task->timer)
    event_free(task->timer);
  task->timer = NULL;
}
