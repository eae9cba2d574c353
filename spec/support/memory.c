/* SPDX-License-Identifier: MIT */
/* require "spec.memory": slices, arenas and buffers. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slices.h"
#include "engine.h"

static const char slices_type[] = "spec.slices";
static const char slice_type[] = "spec.slice";
static const char arena_type[] = "spec.arena";
static const char buffer_type[] = "spec.buffer";

int luaopen_spec_memory(lua_State *L);

/* ---- slices ---- */

struct slices {
  struct rv_slices slices;
  struct rv_chunk_pool *pool;
};

static struct slices *check_slices(lua_State *L, int index) {
  return luaL_checkudata(L, index, slices_type);
}

static int new_slices(lua_State *L) {
  struct rv_engine *engine = spec_check_engine(L, 1);
  struct slices *self = spec_new(L, sizeof(*self), slices_type, 1);

  self->pool = &engine->chunks;
  rv_slices_init(&self->slices);
  return 1;
}

static int close_slices(lua_State *L) {
  rv_slices_deinit(&check_slices(L, 1)->slices);
  return 0;
}

static int slices_copy(lua_State *L) {
  struct slices *self = check_slices(L, 1);
  struct rv_span span = spec_check_span(L, 2);

  return spec_push_result(
      L, rv_slices_copy(&self->slices, self->pool, span.data, span.length));
}

static int slices_push(lua_State *L) {
  struct slices *self = check_slices(L, 1);
  struct rv_slice *slice = luaL_checkudata(L, 2, slice_type);
  struct rv_slice moved = *slice;

  *slice = (struct rv_slice){ 0 };
  return spec_push_result(L, rv_slices_push(&self->slices, moved));
}

/* slices:take(max) -> a slice, or nil */
static int slices_take(lua_State *L) {
  struct slices *self = check_slices(L, 1);
  size_t max = (size_t)luaL_checkinteger(L, 2);
  struct rv_slice *slice = spec_new(L, sizeof(*slice), slice_type, 1);

  if (!rv_slices_take(&self->slices, max, slice))
    lua_pushnil(L);
  return 1;
}

static int slices_consume(lua_State *L) {
  rv_slices_consume(
      &check_slices(L, 1)->slices, (size_t)luaL_checkinteger(L, 2));
  return 0;
}

static int slices_clear(lua_State *L) {
  rv_slices_clear(&check_slices(L, 1)->slices);
  return 0;
}

static int slices_append(lua_State *L) {
  return spec_push_result(L, rv_slices_append(&check_slices(L, 1)->slices,
                                 &check_slices(L, 2)->slices));
}

/* slices:peek(offset, vectors) -> the bytes, how many vectors */
static int slices_peek(lua_State *L) {
  struct slices *self = check_slices(L, 1);
  struct iovec vectors[64];
  size_t max = (size_t)luaL_checkinteger(L, 3);
  size_t count;
  luaL_Buffer bytes;

  luaL_argcheck(L, max <= 64, 3, "at most 64");
  count = rv_slices_peek(
      &self->slices, (size_t)luaL_checkinteger(L, 2), vectors, max);
  luaL_buffinit(L, &bytes);
  for (size_t i = 0; i < count; i++)
    luaL_addlstring(&bytes, vectors[i].iov_base, vectors[i].iov_len);
  luaL_pushresult(&bytes);
  lua_pushinteger(L, (lua_Integer)count);
  return 2;
}

/* slices:size() -> bytes, slices */
static int slices_size(lua_State *L) {
  const struct slices *self = check_slices(L, 1);

  lua_pushinteger(L, (lua_Integer)self->slices.length);
  lua_pushinteger(L, (lua_Integer)self->slices.count);
  return 2;
}

static int slice_text(lua_State *L) {
  const struct rv_slice *slice = luaL_checkudata(L, 1, slice_type);

  lua_pushlstring(L, (const char *)slice->data, slice->length);
  return 1;
}

static int slice_release(lua_State *L) {
  rv_slice_release(luaL_checkudata(L, 1, slice_type));
  return 0;
}

/* ---- arena ---- */

enum { MAX_PIECES = 1000 };

struct arena {
  struct rv_arena arena;
  struct {
    unsigned char *data;
    size_t size;
  } pieces[MAX_PIECES];
  size_t count;
};

static int new_arena(lua_State *L) {
  struct arena *self = spec_new(L, sizeof(*self), arena_type, 0);
  rv_arena_init(&self->arena);
  return 1;
}

static struct arena *check_arena(lua_State *L) {
  return luaL_checkudata(L, 1, arena_type);
}

static int close_arena(lua_State *L) {
  rv_arena_deinit(&check_arena(L)->arena);
  return 0;
}

/* arena:allocate(size) -> the number of the piece; every byte of it is set to
   something that arena:check() knows. */
static int arena_allocate(lua_State *L) {
  struct arena *self = check_arena(L);
  size_t size = (size_t)luaL_checkinteger(L, 2);
  size_t i = self->count;

  luaL_argcheck(L, i < MAX_PIECES, 1, "too many pieces");
  self->pieces[i].data = rv_arena_allocate(&self->arena, size);
  self->pieces[i].size = size;
  memset(self->pieces[i].data, (int)(i % 251), size);
  lua_pushinteger(L, (lua_Integer)++self->count);
  return 1;
}

static int arena_grow(lua_State *L) {
  struct arena *self = check_arena(L);
  size_t i = (size_t)luaL_checkinteger(L, 2) - 1;
  size_t size = (size_t)luaL_checkinteger(L, 3);
  size_t old = self->pieces[i].size;

  self->pieces[i].data =
      rv_arena_grow(&self->arena, self->pieces[i].data, old, size);
  if (size > old)
    memset(self->pieces[i].data + old, (int)(i % 251), size - old);
  self->pieces[i].size = size > old ? size : old;
  return 0;
}

static int arena_copy(lua_State *L) {
  struct rv_span copy =
      rv_arena_copy(&check_arena(L)->arena, spec_check_span(L, 2));

  if (copy.data[copy.length] != '\0')
    return luaL_error(L, "no NUL behind a copy");
  spec_push_span(L, copy);
  return 1;
}

/* Is every piece whole, and aligned for any type? */
static int arena_check(lua_State *L) {
  const struct arena *self = check_arena(L);

  for (size_t i = 0; i < self->count; i++) {
    const unsigned char *data = self->pieces[i].data;
    if ((uintptr_t)data % _Alignof(max_align_t) != 0)
      return luaL_error(L, "piece %d is not aligned", (int)i + 1);
    for (size_t j = 0; j < self->pieces[i].size; j++) {
      if (data[j] != i % 251)
        return luaL_error(L, "piece %d was overwritten", (int)i + 1);
    }
  }
  return 0;
}

static int arena_used(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_arena(L)->arena.used);
  return 1;
}

/* ---- buffer ---- */

static struct rv_buffer *check_buffer(lua_State *L) {
  return luaL_checkudata(L, 1, buffer_type);
}

static int new_buffer(lua_State *L) {
  size_t limit = (size_t)luaL_optinteger(L, 1, 0);
  rv_buffer_init(spec_new(L, sizeof(struct rv_buffer), buffer_type, 0), limit);
  return 1;
}

static int close_buffer(lua_State *L) {
  rv_buffer_deinit(check_buffer(L));
  return 0;
}

static int buffer_append(lua_State *L) {
  rv_buffer_append_span(check_buffer(L), spec_check_span(L, 2));
  return 0;
}

static int buffer_clear(lua_State *L) {
  rv_buffer_clear(check_buffer(L));
  return 0;
}

/* buffer:get() -> the bytes, did something fail? */
static int buffer_get(lua_State *L) {
  const struct rv_buffer *self = check_buffer(L);

  lua_pushlstring(
      L, self->length > 0 ? (const char *)self->data : "", self->length);
  lua_pushboolean(L, self->failed);
  return 2;
}

static void new_types(lua_State *L) {
  static const luaL_Reg slices[] = { { "copy", slices_copy },
    { "push", slices_push }, { "take", slices_take },
    { "consume", slices_consume }, { "clear", slices_clear },
    { "append", slices_append }, { "peek", slices_peek },
    { "size", slices_size }, { "close", close_slices }, { NULL, NULL } };
  static const luaL_Reg slice[] = { { "text", slice_text },
    { "release", slice_release }, { NULL, NULL } };
  static const luaL_Reg arena[] = { { "allocate", arena_allocate },
    { "grow", arena_grow }, { "copy", arena_copy }, { "check", arena_check },
    { "used", arena_used }, { NULL, NULL } };
  static const luaL_Reg buffer[] = { { "append", buffer_append },
    { "clear", buffer_clear }, { "get", buffer_get }, { NULL, NULL } };

  spec_new_type(L, slices_type, slices, close_slices);
  spec_new_type(L, slice_type, slice, slice_release);
  spec_new_type(L, arena_type, arena, close_arena);
  spec_new_type(L, buffer_type, buffer, close_buffer);
}

int luaopen_spec_memory(lua_State *L) {
  static const luaL_Reg functions[] = { { "slices", new_slices },
    { "arena", new_arena }, { "buffer", new_buffer }, { NULL, NULL } };

  new_types(L);
  luaL_newlib(L, functions);
  return 1;
}
