/* SPDX-License-Identifier: MIT */
/* What a script does to a session from the transport's side, and the field
   sections that it writes and reads. Included by h3.c alone. */
#ifndef SPEC_H3_SCRIPT_H
#define SPEC_H3_SCRIPT_H

#include "h3/qpack.h"

/* world:feed(stream_id, bytes, [fin], [cut]): in pieces of `cut` bytes. Each
   piece has memory of its own, so that reading beyond it is seen. */
static int world_feed(lua_State *L) {
  struct wire *wire = script_wire(check_world(L));
  int64_t id = luaL_checkinteger(L, 2);
  size_t length, at = 0;
  const char *bytes = luaL_checklstring(L, 3, &length);
  bool fin = lua_toboolean(L, 4);
  size_t cut = (size_t)luaL_optinteger(L, 5, LUA_MAXINTEGER);
  do {
    size_t n = length - at < cut ? length - at : cut;
    uint8_t *piece = malloc(n > 0 ? n : 1);
    assert(piece != NULL);
    memcpy(piece, bytes + at, n);
    at += n;
    wire_arrive(wire, id, piece, n, fin && at == length);
    free(piece);
  } while (at < length);
  return 0;
}

/* world:reset(stream_id, code), world:stop(stream_id, code): by the peer */
static int world_reset(lua_State *L) {
  struct wire *wire = script_wire(check_world(L));
  int64_t id = luaL_checkinteger(L, 2);
  (void)wire_side(wire, id); /* it may be the first that is heard of it */
  rv_h3_session_stream_reset(
      wire->session, id, (uint64_t)luaL_checkinteger(L, 3));
  return 0;
}

static int world_stop(lua_State *L) {
  struct wire *wire = script_wire(check_world(L));
  rv_h3_session_stream_stopped(wire->session, luaL_checkinteger(L, 2),
      (uint64_t)luaL_checkinteger(L, 3));
  return 0;
}

/* world:close_stream(stream_id): both directions are done */
static int world_close_stream(lua_State *L) {
  struct wire *wire = script_wire(check_world(L));
  int64_t id = luaL_checkinteger(L, 2);
  struct side *side = wire_find(wire, id);
  if (side != NULL)
    wire_finish(wire, side);
  else
    rv_h3_session_stream_closed(wire->session, id);
  return 0;
}

/* world:grow(stream_id or -1, bytes, [quietly]): the peer opens a window
   further; quietly: the session is not told */
static int world_grow(lua_State *L) {
  struct wire *wire = script_wire(check_world(L));
  int64_t id = luaL_checkinteger(L, 2);
  uint64_t bytes = (uint64_t)luaL_checkinteger(L, 3);
  if (id < 0)
    wire->window += bytes;
  else
    wire_side(wire, id)->window += bytes;
  if (!lua_toboolean(L, 4))
    rv_h3_session_credited(wire->session, id);
  return 0;
}

/* world:hold{ acks = bool, delivery = bool, uni = number, streams = number } */
static int world_hold(lua_State *L) {
  struct world *world = check_world(L);
  for (int i = 0; i < 2; i++) {
    struct wire *wire = &world->wires[i];
    wire->hold_acks = flag_of(L, 2, "acks");
    wire->hold_delivery = flag_of(L, 2, "delivery");
    wire->uni_left =
        (uint64_t)integer_of(L, 2, "uni", (lua_Integer)wire->uni_left);
    wire->streams_left =
        (uint64_t)integer_of(L, 2, "streams", (lua_Integer)wire->streams_left);
  }
  return 0;
}

static void push_number(lua_State *L, const char *key, uint64_t number) {
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, key);
}

/* world:stream(stream_id, [role]): what the session did there; nil: nothing */
static int world_stream(lua_State *L) {
  struct side *side = wire_find(wire_at(L, 3), luaL_checkinteger(L, 2));
  if (side == NULL)
    return 0;
  lua_newtable(L);
  push_span(L, "bytes",
      (struct rv_span){ side->log.data ? (const char *)side->log.data : "",
          side->log.length });
  push_number(L, "reset", side->reset_code);
  push_number(L, "stop", side->stop_code);
  push_number(L, "received", side->received);
  push_number(L, "credited", side->credited);
  push_number(L, "written", side->written);
  lua_pushboolean(L, side->fin_written);
  lua_setfield(L, -2, "fin");
  return 1;
}

/* world:totals([role]) */
static int world_totals(lua_State *L) {
  struct world *world = check_world(L);
  struct wire *wire = wire_at(L, 2);
  lua_newtable(L);
  push_number(L, "close", wire->close_code);
  push_number(L, "released", wire->released);
  push_number(L, "received", wire->received);
  push_number(L, "credited", wire->credited);
  push_number(L, "window", wire->window);
  push_number(L, "news", world->news);
  push_number(L, "exchanges", world->engine.live.exchanges);
  push_number(L, "streams", world->engine.live.h3_streams);
  push_number(L, "chunks", world->engine.chunks.live);
  if (wire->session == NULL)
    return 1;
  push_number(L, "active", rv_h3_session_active(wire->session));
  push_number(L, "streams_left", rv_h3_session_streams_left(wire->session));
  lua_pushboolean(L, rv_h3_session_is_draining(wire->session));
  lua_setfield(L, -2, "draining");
  lua_pushboolean(L, rv_h3_session_can_connect_protocol(wire->session));
  lua_setfield(L, -2, "connect_protocol");
  return 1;
}

static int world_drain(lua_State *L) {
  rv_h3_session_drain(wire_at(L, 2)->session);
  return 0;
}

/* world:set_budget(bytes): of chunks */
static int world_set_budget(lua_State *L) {
  check_world(L)->engine.memory_budget = (size_t)luaL_checkinteger(L, 2);
  return 0;
}

/* world:lend(bytes): occupies chunks, until the end */
static int world_lend(lua_State *L) {
  struct world *world = check_world(L);
  struct party *party = new_party(world, false);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  party->exchange = rv_exchange_new(&world->engine, &party->waker);
  (void)rv_pipe_push_copy(
      &party->exchange->request_body, &world->engine.chunks, bytes, length);
  return 0;
}

/* h3.encode{ { name, value }, ... }: a field section */
static int h3_encode(lua_State *L) {
  struct rv_qpack *qpack;
  struct rv_span parts[2];
  assert(rv_qpack_new(&qpack) == 0);
  rv_qpack_begin(qpack);
  int top = lua_gettop(L);
  for (lua_Integer i = 1; i <= luaL_len(L, 1); i++) {
    struct rv_span name, value;
    luaL_checkstack(L, 4, NULL);
    lua_geti(L, 1, i);
    lua_geti(L, -1, 1);
    lua_geti(L, -2, 2);
    name.data = lua_tolstring(L, -2, &name.length);
    value.data = lua_tolstring(L, -1, &value.length);
    rv_qpack_add(qpack, name, value);
    lua_settop(L, top); /* the table keeps the strings */
  }
  assert(rv_qpack_encode(qpack, parts) == 0);
  lua_pushlstring(L, parts[0].data, parts[0].length);
  lua_pushlstring(L, parts[1].data, parts[1].length);
  lua_concat(L, 2);
  rv_qpack_free(qpack);
  return 1;
}

struct collector {
  struct rv_qpack_sink sink;
  lua_State *L;
};

static int collect(
    struct rv_qpack_sink *sink, struct rv_span name, struct rv_span value) {
  lua_State *L = rv_container_of(sink, struct collector, sink)->L;
  lua_pushlstring(L, name.data, name.length);
  lua_pushliteral(L, ": ");
  lua_pushlstring(L, value.data ? value.data : "", value.length);
  lua_concat(L, 3);
  lua_seti(L, -2, luaL_len(L, -2) + 1);
  return 0;
}

/* h3.fields(section): { "name: value", ... }; or nil */
static int h3_decode(lua_State *L) {
  struct collector collector = { .sink.on_field = collect, .L = L };
  struct rv_qpack *qpack;
  size_t length;
  const char *bytes = luaL_checklstring(L, 1, &length);
  assert(rv_qpack_new(&qpack) == 0);
  lua_newtable(L);
  int r =
      rv_qpack_decode(qpack, (const uint8_t *)bytes, length, &collector.sink);
  rv_qpack_free(qpack);
  return r == 0 ? 1 : 0;
}

#endif
