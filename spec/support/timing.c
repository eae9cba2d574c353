/* SPDX-License-Identifier: MIT */
/* require "spec.timing": timers and turns whose callbacks are Lua functions,
   called with the number of the timer or job. */
#include <string.h>

#include "base/timer.h"
#include "base/turn.h"
#include "engine.h"

static const char timers_type[] = "spec.timers";
static const char turn_type[] = "spec.turn";

int luaopen_spec_timing(lua_State *L);

enum { MAX_OBJECTS = 256 };

/* Calls the function at stack index 2 with a number; an error is kept there in
   its place, for lua_error after the run. */
static void call(lua_State *L, size_t number) {
  if (!lua_isfunction(L, 2))
    return;
  lua_pushvalue(L, 2);
  lua_pushinteger(L, (lua_Integer)number);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    lua_replace(L, 2);
}

static int finish_run(lua_State *L) {
  lua_settop(L, 2);
  return lua_isfunction(L, 2) ? 0 : lua_error(L);
}

/* ---- timers ---- */

struct timers {
  struct rv_timers timers;
  struct item {
    struct rv_timer timer;
    struct timers *owner;
  } items[MAX_OBJECTS];
  lua_State *running;
};

static void on_fired(struct rv_timer *timer) {
  struct item *item = rv_container_of(timer, struct item, timer);
  call(item->owner->running, (size_t)(item - item->owner->items) + 1);
}

static struct timers *check_timers(lua_State *L) {
  return luaL_checkudata(L, 1, timers_type);
}

static int new_timers(lua_State *L) {
  struct timers *self = spec_new(L, sizeof(*self), timers_type, 0);

  rv_timers_init(&self->timers);
  for (size_t i = 0; i < MAX_OBJECTS; i++) {
    rv_timer_init(&self->items[i].timer, on_fired);
    self->items[i].owner = self;
  }
  return 1;
}

static int close_timers(lua_State *L) {
  struct timers *self = check_timers(L);

  for (size_t i = 0; i < MAX_OBJECTS; i++)
    rv_timer_stop(&self->timers, &self->items[i].timer);
  rv_timers_deinit(&self->timers);
  return 0;
}

static struct rv_timer *check_timer(lua_State *L, struct timers *self) {
  lua_Integer i = luaL_checkinteger(L, 2);

  luaL_argcheck(L, i >= 1 && i <= MAX_OBJECTS, 2, "no such timer");
  return &self->items[i - 1].timer;
}

/* timers:set(number, deadline); no deadline: never */
static int timers_set(lua_State *L) {
  struct timers *self = check_timers(L);
  uint64_t deadline =
      lua_isnoneornil(L, 3) ? RV_NEVER : (uint64_t)luaL_checkinteger(L, 3);

  return spec_push_result(
      L, rv_timer_set(&self->timers, check_timer(L, self), deadline));
}

static int timers_stop(lua_State *L) {
  struct timers *self = check_timers(L);
  rv_timer_stop(&self->timers, check_timer(L, self));
  return 0;
}

/* timers:next() -> the time, or nil for never */
static int timers_next(lua_State *L) {
  uint64_t next = rv_timers_next(&check_timers(L)->timers);

  if (next == RV_NEVER)
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)next);
  return 1;
}

/* timers:run(on_fired, now) */
static int timers_run(lua_State *L) {
  struct timers *self = check_timers(L);
  uint64_t now = (uint64_t)luaL_checkinteger(L, 3);

  self->running = L;
  rv_timers_run(&self->timers, now);
  return finish_run(L);
}

/* How many are in the heap, set or not */
static int timers_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_timers(L)->timers.count);
  return 1;
}

/* ---- turn ---- */

struct turn {
  struct rv_turn turn;
  struct job {
    struct rv_job job;
    struct turn *owner;
  } jobs[MAX_OBJECTS];
  lua_State *running;
  unsigned requested;
};

static void run_job(struct rv_job *job) {
  struct job *item = rv_container_of(job, struct job, job);
  call(item->owner->running, (size_t)(item - item->owner->jobs) + 1);
}

static void on_requested(struct rv_turn *turn) {
  rv_container_of(turn, struct turn, turn)->requested++;
}

static struct turn *check_turn(lua_State *L) {
  return luaL_checkudata(L, 1, turn_type);
}

static int new_turn(lua_State *L) {
  struct turn *self = spec_new(L, sizeof(*self), turn_type, 0);

  rv_turn_init(&self->turn, on_requested);
  for (size_t i = 0; i < MAX_OBJECTS; i++)
    self->jobs[i] = (struct job){ { .run = run_job }, self };
  return 1;
}

static struct rv_job *check_job(lua_State *L, struct turn *self) {
  lua_Integer i = luaL_checkinteger(L, 2);

  luaL_argcheck(L, i >= 1 && i <= MAX_OBJECTS, 2, "no such job");
  return &self->jobs[i - 1].job;
}

/* turn:add(number, "process" | "script" | "write" | "free") */
static int turn_add(lua_State *L) {
  static const char *const phases[] = { "process", "script", "write", "free",
    NULL };
  struct turn *self = check_turn(L);
  struct rv_job *job = check_job(L, self);

  rv_turn_add(
      &self->turn, job, (enum rv_phase)luaL_checkoption(L, 3, NULL, phases));
  return 0;
}

static int turn_remove(lua_State *L) {
  rv_turn_remove(check_job(L, check_turn(L)));
  return 0;
}

/* turn:run(on_job) */
static int turn_run(lua_State *L) {
  struct turn *self = check_turn(L);

  self->running = L;
  rv_turn_run(&self->turn);
  return finish_run(L);
}

static int turn_requested(lua_State *L) {
  lua_pushinteger(L, check_turn(L)->requested);
  return 1;
}

static int turn_idle(lua_State *L) {
  lua_pushboolean(L, rv_turn_idle(&check_turn(L)->turn));
  return 1;
}

int luaopen_spec_timing(lua_State *L) {
  static const luaL_Reg timers[] = { { "set", timers_set },
    { "stop", timers_stop }, { "next", timers_next }, { "run", timers_run },
    { "count", timers_count }, { NULL, NULL } };
  static const luaL_Reg turn[] = { { "add", turn_add },
    { "remove", turn_remove }, { "run", turn_run },
    { "requested", turn_requested }, { "idle", turn_idle }, { NULL, NULL } };
  static const luaL_Reg functions[] = { { "timers", new_timers },
    { "turn", new_turn }, { NULL, NULL } };

  spec_new_type(L, timers_type, timers, close_timers);
  spec_new_type(L, turn_type, turn, NULL);
  luaL_newlib(L, functions);
  return 1;
}
