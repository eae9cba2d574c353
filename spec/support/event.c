/* SPDX-License-Identifier: MIT */
/* require "spec.event": loops, timers and jobs, for Lua. */
#include "event.h"

#include "base/log.h"
#include <event2/event.h>
#include <inttypes.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define CLASS "spec.event.loop"
enum { PATIENCE_SECONDS = 10 };

int luaopen_spec_event(lua_State *L);

/* ---- shared ---- */

void spec_new_class(
    lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  if (gc != NULL) {
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}

int spec_pin(lua_State *L) {
  lua_pushvalue(L, -1);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

void spec_unpin(lua_State *L, int *pin) {
  luaL_unref(L, LUA_REGISTRYINDEX, *pin);
  *pin = LUA_NOREF;
}

struct rv_address spec_check_address(lua_State *L, int index) {
  struct rv_address address;
  size_t length;
  const char *text = luaL_checklstring(L, index, &length);
  if (rv_address_parse(&address, (struct rv_span){ text, length }) < 0)
    luaL_error(L, "bad address %s", text);
  return address;
}

void spec_push_address(lua_State *L, const struct rv_address *address) {
  char text[RV_ADDRESS_TEXT_SIZE];
  lua_pushstring(L, rv_address_print(address, text));
}

struct spec_loop *spec_check_loop(lua_State *L, int index) {
  struct spec_loop *loop = luaL_checkudata(L, index, CLASS);
  luaL_argcheck(L, loop->base != NULL, index, "the loop is finished");
  return loop;
}

/* ---- loops ---- */

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  struct spec_loop *loop = user_data;
  char *end = loop->last_log + sizeof(loop->last_log);
  char *to = loop->last_log;
  loop->logged++;
  to += snprintf(to, (size_t)(end - to), "%s", entry->event);
  for (size_t i = 0; i < entry->field_count && to < end; i++) {
    const struct reverst_log_field *field = &entry->fields[i];
    if (field->text != NULL)
      to += snprintf(to, (size_t)(end - to), " %s=%.*s", field->key,
          (int)field->text_length, field->text);
    else
      to += snprintf(to, (size_t)(end - to), " %s=%" PRId64, field->key,
          (int64_t)field->number);
  }
}

/* loop() */
static int new_loop(lua_State *L) {
  struct spec_loop *loop = lua_newuserdatauv(L, sizeof(*loop), 0);
  *loop = (struct spec_loop){ .base = event_base_new() };
  luaL_setmetatable(L, CLASS);
  struct rv_loop_options options = {
    .log_level = REVERST_LOG_DEBUG,
    .log = on_log,
    .log_user_data = loop,
  };
  int r = rv_loop_new(&loop->loop, loop->base, &options);
  if (r < 0)
    return luaL_error(L, "loop: %s", reverst_strerror(r));
  return 1;
}

/* try_base_without_epoll(): the error's name */
static int try_base_without_epoll(lua_State *L) {
  struct event_config *config = event_config_new();
  event_config_avoid_method(config, "epoll");
  struct event_base *base = event_base_new_with_config(config);
  event_config_free(config);
  struct rv_loop *loop = NULL;
  int r = rv_loop_new(&loop, base, &(struct rv_loop_options){ 0 });
  rv_loop_free(loop);
  event_base_free(base);
  lua_pushstring(L, r < 0 ? reverst_error_name(r) : "none");
  return 1;
}

static void on_patience_lost(evutil_socket_t fd, short what, void *argument) {
  bool *lost = argument;
  (void)fd;
  (void)what;
  *lost = true;
}

/* loop:wait(condition): runs until it is true; an error after some seconds */
static int wait(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  const struct timeval patience = { PATIENCE_SECONDS, 0 };
  bool lost = false, met = false;
  struct event *guard = event_new(loop->base, -1, 0, on_patience_lost, &lost);
  int r = LUA_OK;
  event_add(guard, &patience);
  while (r == LUA_OK && !met && !lost) {
    lua_pushvalue(L, 2);
    r = lua_pcall(L, 0, 1, 0);
    met = r == LUA_OK && lua_toboolean(L, -1);
    if (r == LUA_OK && !met) {
      lua_pop(L, 1);
      event_base_loop(loop->base, EVLOOP_ONCE);
    }
  }
  event_free(guard);
  if (r != LUA_OK)
    return lua_error(L);
  return met ? 1 : luaL_error(L, "waited in vain");
}

/* loop:poll(): what is ready now */
static int poll_once(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  event_base_loop(loop->base, EVLOOP_NONBLOCK);
  return 0;
}

/* loop:dispatch(): returns when no event is left; the process ends when it
   does not */
static int dispatch(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  alarm(PATIENCE_SECONDS);
  event_base_dispatch(loop->base);
  alarm(0);
  return 0;
}

static void on_freed(void *user_data) {
  bool *freed = user_data;
  *freed = true;
}

/* loop:finish(): frees it; true when nothing was left over */
static int finish(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  rv_loop_free_later(loop->loop, on_freed, &loop->freed);
  dispatch(L);
  event_base_free(loop->base);
  loop->base = NULL;
  lua_pushboolean(L, loop->freed);
  return 1;
}

/* loop:free(): at once, without the base */
static int free_loop(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  rv_loop_free(loop->loop);
  event_base_free(loop->base);
  loop->base = NULL;
  return 0;
}

static int get_live_streams(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  lua_pushinteger(L, (lua_Integer)rv_loop_engine(loop->loop)->live.streams);
  return 1;
}

static int get_last_log(lua_State *L) {
  const struct spec_loop *loop = spec_check_loop(L, 1);
  lua_pushstring(L, loop->last_log);
  lua_pushinteger(L, loop->logged);
  return 2;
}

/* ---- timers and jobs ---- */

struct spec_timer {
  struct rv_timer timer;
  struct rv_engine *engine;
  uint64_t fired_at;
};

static void on_timer_fired(struct rv_timer *timer) {
  struct spec_timer *self = rv_container_of(timer, struct spec_timer, timer);
  self->fired_at = self->engine->now;
}

/* loop:time_timer(milliseconds): sets a timer outside of any turn, runs until
   the base is empty; how many milliseconds late it fired */
static int time_timer(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  struct spec_timer self = { .engine = rv_loop_engine(loop->loop) };
  rv_timer_init(&self.timer, on_timer_fired);
  rv_engine_refresh(self.engine);
  uint64_t deadline =
      self.engine->now + (uint64_t)luaL_checkinteger(L, 2) * RV_MILLISECOND;
  if (rv_timer_set(&self.engine->timers, &self.timer, deadline) < 0)
    return luaL_error(L, "out of memory");
  dispatch(L);
  rv_timer_stop(&self.engine->timers, &self.timer);
  lua_pushnumber(L, (double)((int64_t)(self.fired_at - deadline)) / 1000000.0);
  return 1;
}

struct spec_job {
  struct rv_job job;
  struct rv_turn *turn;
  int runs, until;
};

static void run_again(struct rv_job *job) {
  struct spec_job *self = rv_container_of(job, struct spec_job, job);
  if (++self->runs < self->until)
    rv_turn_add(self->turn, job, RV_PHASE_PROCESS);
}

/* loop:run_job(times): a job that adds itself again; runs of it in the first
   pass over the events, runs when the base is empty */
static int run_job(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  struct spec_job self = {
    .job = { .run = run_again },
    .turn = &rv_loop_engine(loop->loop)->turn,
    .until = (int)luaL_checkinteger(L, 2),
  };
  rv_turn_add(self.turn, &self.job, RV_PHASE_PROCESS);
  event_base_loop(loop->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
  lua_pushinteger(L, self.runs);
  dispatch(L);
  lua_pushinteger(L, self.runs);
  return 2;
}

/* limit_descriptors(n or nil): so many files may be open; nil: as before */
static int limit_descriptors(lua_State *L) {
  static struct rlimit before;
  struct rlimit limit;
  if (before.rlim_max == 0)
    getrlimit(RLIMIT_NOFILE, &before);
  limit = before;
  if (!lua_isnoneornil(L, 1))
    limit.rlim_cur = (rlim_t)luaL_checkinteger(L, 1);
  setrlimit(RLIMIT_NOFILE, &limit);
  return 0;
}

int luaopen_spec_event(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "wait", wait },
    { "poll", poll_once },
    { "dispatch", dispatch },
    { "finish", finish },
    { "free", free_loop },
    { "live_streams", get_live_streams },
    { "last_log", get_last_log },
    { "time_timer", time_timer },
    { "run_job", run_job },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = {
    { "loop", new_loop },
    { "try_base_without_epoll", try_base_without_epoll },
    { "limit_descriptors", limit_descriptors },
    { NULL, NULL },
  };
  spec_new_class(L, CLASS, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
