/* SPDX-License-Identifier: MIT */
/* The registration messages, for specs. */
#include "tunnel/message.h"

#include <lauxlib.h>

int luaopen_spec_message(lua_State *L);

static struct rv_span check_span(lua_State *L, int index) {
  struct rv_span span;

  span.data = luaL_checklstring(L, index, &span.length);
  return span;
}

static void read_metadata(lua_State *L, int index, struct rv_message *message) {
  if (lua_getfield(L, index, "metadata") == LUA_TTABLE) {
    message->has_metadata = true;
    for (lua_Integer i = 1; lua_geti(L, -1, i) == LUA_TTABLE; i++) {
      lua_geti(L, -1, 1);
      lua_geti(L, -2, 2);
      rv_fields_add(&message->metadata,
          rv_arena_copy(&message->arena, check_span(L, -2)),
          rv_arena_copy(&message->arena, check_span(L, -1)));
      lua_pop(L, 3);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void read_message(lua_State *L, struct rv_message *message) {
  luaL_checktype(L, 1, LUA_TTABLE);
  rv_message_init(message);
  lua_getfield(L, 1, "version");
  message->version = (uint8_t)luaL_optinteger(L, -1, 1);
  lua_getfield(L, 1, "code");
  message->code = (uint8_t)luaL_optinteger(L, -1, 0);
  if (lua_getfield(L, 1, "group") == LUA_TSTRING)
    message->group = rv_arena_copy(&message->arena, check_span(L, -1));
  if (lua_getfield(L, 1, "body") == LUA_TSTRING)
    message->body = rv_arena_copy(&message->arena, check_span(L, -1));
  lua_pop(L, 4);
  read_metadata(L, 1, message);
}

static int encode(lua_State *L,
    void (*encoder)(const struct rv_message *message, struct rv_buffer *out)) {
  struct rv_message message;
  struct rv_buffer out;

  read_message(L, &message);
  rv_buffer_init(&out, 0);
  encoder(&message, &out);
  lua_pushlstring(L, (const char *)out.data, out.length);
  rv_buffer_deinit(&out);
  rv_message_deinit(&message);
  return 1;
}

static int encode_request(lua_State *L) {
  return encode(L, rv_message_encode_request);
}

static int encode_response(lua_State *L) {
  return encode(L, rv_message_encode_response);
}

static int check_request(lua_State *L) {
  struct rv_message message;
  const char *fault;

  read_message(L, &message);
  rv_message_check_request(&message, &fault);
  rv_message_deinit(&message);
  lua_pushstring(L, fault);
  return 1;
}

static void push_message(lua_State *L, const struct rv_message *message) {
  lua_newtable(L);
  lua_pushinteger(L, message->code);
  lua_setfield(L, -2, "code");
  lua_pushlstring(L, message->group.length ? message->group.data : "",
      message->group.length);
  lua_setfield(L, -2, "group");
  if (message->body.data != NULL) {
    lua_pushlstring(L, message->body.data, message->body.length);
    lua_setfield(L, -2, "body");
  }
  lua_newtable(L);
  for (size_t i = 0; i < message->metadata.count; i++) {
    const struct rv_field *field = &message->metadata.items[i];
    lua_pushlstring(L, field->name.data, field->name.length);
    lua_pushlstring(L, field->value.data, field->value.length);
    lua_settable(L, -3);
  }
  lua_setfield(L, -2, "metadata");
}

/* decode(kind, {piece, …}, fin) -> result, message or fault */
static int decode(lua_State *L) {
  static const char *const kinds[] = { "request", "response", NULL };
  static const char *const results[] = { "more", "complete", "bad",
    "no_group" };
  struct rv_message_decoder *decoder;
  enum rv_message_result result = RV_MESSAGE_MORE;
  enum rv_message_kind kind =
      (enum rv_message_kind)luaL_checkoption(L, 1, NULL, kinds);
  lua_Integer count = luaL_len(L, 2);

  if (rv_message_decoder_new(&decoder, kind) < 0)
    return luaL_error(L, "out of memory");
  for (lua_Integer i = 1; i <= count && result == RV_MESSAGE_MORE; i++) {
    size_t length;
    const char *piece;
    lua_geti(L, 2, i);
    piece = lua_tolstring(L, -1, &length);
    result = rv_message_decoder_feed(decoder, (const uint8_t *)piece, length,
        i == count && lua_toboolean(L, 3));
    lua_pop(L, 1);
  }
  lua_pushstring(L, results[result]);
  if (result == RV_MESSAGE_BAD)
    lua_pushstring(L, rv_message_decoder_fault(decoder));
  else
    push_message(L, rv_message_decoder_message(decoder));
  rv_message_decoder_free(decoder);
  return 2;
}

int luaopen_spec_message(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "encode_request", encode_request },
    { "encode_response", encode_response },
    { "check_request", check_request },
    { "decode", decode },
    { NULL, NULL },
  };

  luaL_newlib(L, functions);
  return 1;
}
