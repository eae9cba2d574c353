/* SPDX-License-Identifier: MIT */
/* require "spec.pipe": a pipe with counting wakers at both ends. */
#include "http/pipe.h"
#include "engine.h"
#include "fields.h"

struct counter {
  struct rv_waker waker;
  unsigned count;
};

struct pipe {
  struct rv_pipe pipe;
  struct rv_chunk_pool *pool;
  struct counter producer, consumer;
};

static const char type[] = "spec.pipe";

int luaopen_spec_pipe(lua_State *L);

static void on_woken(struct rv_waker *waker) {
  rv_container_of(waker, struct counter, waker)->count++;
}

static struct pipe *check(lua_State *L) {
  return luaL_checkudata(L, 1, type);
}

static int new_pipe(lua_State *L) {
  struct rv_engine *engine = spec_check_engine(L, 1);
  size_t mark = (size_t)luaL_optinteger(L, 2, RV_PIPE_MARK);
  struct pipe *self = spec_new(L, sizeof(*self), type, 1);

  self->pool = &engine->chunks;
  self->producer.waker.wake = on_woken;
  self->consumer.waker.wake = on_woken;
  rv_pipe_init(&self->pipe, mark);
  self->pipe.producer = &self->producer.waker;
  self->pipe.consumer = &self->consumer.waker;
  return 1;
}

static int close_pipe(lua_State *L) {
  rv_pipe_deinit(&check(L)->pipe);
  return 0;
}

/* ---- producer ---- */

static int push_copy(lua_State *L) {
  struct pipe *self = check(L);
  struct rv_span bytes = spec_check_span(L, 2);

  return spec_push_result(
      L, rv_pipe_push_copy(&self->pipe, self->pool, bytes.data, bytes.length));
}

/* Pushes a slice of at most one chunk. */
static int push(lua_State *L) {
  struct pipe *self = check(L);
  struct rv_span bytes = spec_check_span(L, 2);
  struct rv_slices slices;
  struct rv_slice slice = { 0 };
  int r;

  rv_slices_init(&slices);
  r = rv_slices_copy(&slices, self->pool, bytes.data, bytes.length);
  if (r == 0)
    (void)rv_slices_take(&slices, SIZE_MAX, &slice);
  if (r == 0 && slices.length > 0)
    r = luaL_argerror(L, 2, "does not fit the current chunk");
  else
    r = rv_pipe_push(&self->pipe, slice);
  rv_slices_deinit(&slices);
  return spec_push_result(L, r);
}

/* pipe:finish({ { name, value }, ... }) */
static int finish(lua_State *L) {
  struct pipe *self = check(L);
  struct rv_arena arena;
  struct rv_fields trailers;
  int r;

  rv_arena_init(&arena);
  rv_fields_init(&trailers, &arena);
  if (lua_istable(L, 2))
    spec_read_fields(L, 2, &trailers);
  r = rv_pipe_end(&self->pipe, lua_istable(L, 2) ? &trailers : NULL);
  rv_arena_deinit(&arena);
  return spec_push_result(L, r);
}

static int abort_pipe(lua_State *L) {
  rv_pipe_abort(&check(L)->pipe, (enum rv_failure)luaL_checkinteger(L, 2));
  return 0;
}

/* ---- consumer ---- */

/* pipe:take(max) -> bytes or nil */
static int take(lua_State *L) {
  struct rv_slice slice;

  if (!rv_pipe_take(
          &check(L)->pipe, (size_t)luaL_optinteger(L, 2, 1 << 30), &slice))
    return 0;
  lua_pushlstring(L, (const char *)slice.data, slice.length);
  rv_slice_release(&slice);
  return 1;
}

static int stop(lua_State *L) {
  rv_pipe_stop(&check(L)->pipe);
  return 0;
}

/* ---- replay ---- */

static int keep_replay(lua_State *L) {
  rv_pipe_keep_replay(&check(L)->pipe);
  return 0;
}

static int drop_replay(lua_State *L) {
  rv_pipe_drop_replay(&check(L)->pipe);
  return 0;
}

static int rewind_pipe(lua_State *L) {
  struct rv_pipe *pipe = &check(L)->pipe;
  bool can = rv_pipe_can_rewind(pipe);

  lua_pushboolean(L, rv_pipe_rewind(pipe));
  if (can != (bool)lua_toboolean(L, -1))
    return luaL_error(L, "can_rewind and rewind disagree");
  return 1;
}

/* ---- what it looks like ---- */

static void set_integer(lua_State *L, const char *key, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

static void set_boolean(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

/* pipe:look() -> a table of everything */
static int look(lua_State *L) {
  static const char *const states[] = { "open", "ended", "aborted", "stopped" };
  const struct pipe *self = check(L);
  const struct rv_pipe *pipe = &self->pipe;

  lua_newtable(L);
  lua_pushstring(L, states[pipe->state]);
  lua_setfield(L, -2, "state");
  set_integer(L, "cause", pipe->cause);
  set_integer(L, "pushed", pipe->pushed);
  set_integer(L, "taken", pipe->taken);
  set_integer(L, "released", pipe->released);
  set_integer(L, "available", rv_pipe_available(pipe));
  set_integer(L, "replayable", pipe->replay.length);
  set_boolean(L, "wants", rv_pipe_wants(pipe));
  set_boolean(L, "finished", rv_pipe_finished(pipe));
  set_boolean(L, "unwanted", rv_pipe_is_unwanted(pipe));
  set_boolean(L, "replaying", pipe->replaying);
  if (pipe->has_trailers) {
    spec_push_fields(L, &pipe->trailers);
    lua_setfield(L, -2, "trailers");
  }
  return 1;
}

/* pipe:wakes() -> of the producer, of the consumer, since the last call */
static int wakes(lua_State *L) {
  struct pipe *self = check(L);

  lua_pushinteger(L, self->producer.count);
  lua_pushinteger(L, self->consumer.count);
  self->producer.count = self->consumer.count = 0;
  return 2;
}

int luaopen_spec_pipe(lua_State *L) {
  static const luaL_Reg methods[] = { { "push", push },
    { "push_copy", push_copy }, { "finish", finish }, { "abort", abort_pipe },
    { "take", take }, { "stop", stop }, { "keep_replay", keep_replay },
    { "drop_replay", drop_replay }, { "rewind", rewind_pipe }, { "look", look },
    { "wakes", wakes }, { "close", close_pipe }, { NULL, NULL } };
  static const luaL_Reg functions[] = { { "new", new_pipe }, { NULL, NULL } };

  spec_new_type(L, type, methods, close_pipe);
  luaL_newlib(L, functions);
  return 1;
}
