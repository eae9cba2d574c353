/* SPDX-License-Identifier: MIT */
/* require "spec.fields": fields, heads and the filter. */
#include "fields.h"

#include "http/filter.h"

int luaopen_spec_fields(lua_State *L);

static struct rv_span copy_at(lua_State *L, int index, struct rv_arena *arena) {
  return rv_arena_copy(arena, spec_check_span(L, index));
}

void spec_read_fields(lua_State *L, int index, struct rv_fields *fields) {
  lua_Integer count = luaL_len(L, index);

  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, index, i);
    lua_geti(L, -1, 1);
    lua_geti(L, -2, 2);
    if (rv_fields_add(fields, copy_at(L, -2, fields->arena),
            copy_at(L, -1, fields->arena)) < 0)
      luaL_error(L, "out of memory");
    lua_pop(L, 3);
  }
}

void spec_push_fields(lua_State *L, const struct rv_fields *fields) {
  lua_newtable(L);
  for (size_t i = 0; i < fields->count; i++) {
    lua_createtable(L, 2, 0);
    spec_push_span(L, fields->items[i].name);
    lua_seti(L, -2, 1);
    spec_push_span(L, fields->items[i].value);
    lua_seti(L, -2, 2);
    lua_seti(L, -2, (lua_Integer)i + 1);
  }
}

static void read_part(lua_State *L, int index, const char *key,
    struct rv_arena *arena, struct rv_span *part) {
  if (lua_getfield(L, index, key) != LUA_TNIL)
    *part = copy_at(L, -1, arena);
  lua_pop(L, 1);
}

void spec_read_head(lua_State *L, int index, struct rv_head *head) {
  luaL_checktype(L, index, LUA_TTABLE);
  read_part(L, index, "method", &head->arena, &head->method);
  read_part(L, index, "scheme", &head->arena, &head->scheme);
  read_part(L, index, "authority", &head->arena, &head->authority);
  read_part(L, index, "path", &head->arena, &head->path);
  read_part(L, index, "protocol", &head->arena, &head->protocol);
  lua_getfield(L, index, "status");
  head->status = (int)luaL_optinteger(L, -1, 0);
  lua_getfield(L, index, "no_body");
  head->no_body = lua_toboolean(L, -1);
  if (lua_getfield(L, index, "fields") == LUA_TTABLE)
    spec_read_fields(L, lua_absindex(L, -1), &head->fields);
  lua_pop(L, 3);
}

static void push_part(lua_State *L, const char *key, struct rv_span part) {
  if (part.data == NULL)
    return;
  spec_push_span(L, part);
  lua_setfield(L, -2, key);
}

void spec_push_head(lua_State *L, const struct rv_head *head) {
  lua_newtable(L);
  push_part(L, "method", head->method);
  push_part(L, "scheme", head->scheme);
  push_part(L, "authority", head->authority);
  push_part(L, "path", head->path);
  push_part(L, "protocol", head->protocol);
  if (head->status != 0) {
    lua_pushinteger(L, head->status);
    lua_setfield(L, -2, "status");
  }
  if (head->content_length != RV_NO_LENGTH) {
    lua_pushinteger(L, head->content_length);
    lua_setfield(L, -2, "content_length");
  }
  if (head->no_body) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "no_body");
  }
  spec_push_fields(L, &head->fields);
  lua_setfield(L, -2, "fields");
}

/* ---- operations on a section ---- */

struct section {
  struct rv_arena arena;
  struct rv_fields fields;
};

static void read_section(lua_State *L, struct section *section) {
  rv_arena_init(&section->arena);
  rv_fields_init(&section->fields, &section->arena);
  spec_read_fields(L, 1, &section->fields);
}

static int finish_section(lua_State *L, struct section *section) {
  spec_push_fields(L, &section->fields);
  rv_arena_deinit(&section->arena);
  return 1;
}

/* add(fields, name, value): by the copying form */
static int add(lua_State *L) {
  struct section section;

  read_section(L, &section);
  if (rv_fields_add_copy(
          &section.fields, spec_check_span(L, 2), spec_check_span(L, 3)) < 0)
    return luaL_error(L, "out of memory");
  return finish_section(L, &section);
}

static int set(lua_State *L) {
  struct section section;

  read_section(L, &section);
  if (rv_fields_set(
          &section.fields, spec_check_span(L, 2), spec_check_span(L, 3)) < 0)
    return luaL_error(L, "out of memory");
  return finish_section(L, &section);
}

static int remove_fields(lua_State *L) {
  struct section section;

  read_section(L, &section);
  rv_fields_remove(&section.fields, spec_check_span(L, 2));
  return finish_section(L, &section);
}

/* find(fields, name) -> the first value or nil, how many */
static int find(lua_State *L) {
  struct section section;
  const struct rv_span *value;

  read_section(L, &section);
  value = rv_fields_find(&section.fields, spec_check_span(L, 2));
  if (value != NULL)
    spec_push_span(L, *value);
  else
    lua_pushnil(L);
  lua_pushinteger(L,
      (lua_Integer)rv_fields_count_of(&section.fields, spec_check_span(L, 2)));
  rv_arena_deinit(&section.arena);
  return 2;
}

static int hop_by_hop(lua_State *L) {
  struct section section;

  read_section(L, &section);
  rv_filter_hop_by_hop(&section.fields);
  return finish_section(L, &section);
}

static int trailers(lua_State *L) {
  struct section section;

  read_section(L, &section);
  rv_filter_trailers(&section.fields);
  return finish_section(L, &section);
}

/* ---- checks ---- */

static const struct rv_limits *limits_at(lua_State *L, int index) {
  return lua_toboolean(L, index) ? &rv_limits_forwarded : &rv_limits_default;
}

/* check_fields(fields, forwarded) -> the failure's word */
static int check_fields(lua_State *L) {
  struct section section;
  enum rv_failure failure;

  read_section(L, &section);
  failure = rv_filter_check_fields(&section.fields, limits_at(L, 2));
  rv_arena_deinit(&section.arena);
  lua_pushstring(L, rv_failure_row(failure)->word);
  return 1;
}

/* check_head(head) -> the failure's word, the head as it is then */
static int check_head(lua_State *L) {
  struct rv_head head;
  enum rv_failure failure;

  rv_head_init(&head);
  spec_read_head(L, 1, &head);
  failure = rv_filter_check_head(&head, limits_at(L, 2));
  lua_pushstring(L, rv_failure_row(failure)->word);
  spec_push_head(L, &head);
  rv_head_deinit(&head);
  return 2;
}

/* move_head(head) -> after a move, the first one gone, and with a field more */
static int move_head(lua_State *L) {
  struct rv_head head, moved;

  rv_head_init(&head);
  spec_read_head(L, 1, &head);
  rv_head_move(&moved, &head);
  rv_head_deinit(&head);
  if (rv_fields_add_copy(&moved.fields, RV_SPAN("added-since"), RV_SPAN("1")) <
      0)
    return luaL_error(L, "out of memory");
  spec_push_head(L, &moved);
  rv_head_deinit(&moved);
  return 1;
}

/* is("token" | ..., text) */
static int is(lua_State *L) {
  static const char *const names[] = { "token", "field_name", "field_value",
    "authority", "path", "idempotent", NULL };
  static bool (*const functions[])(struct rv_span) = { rv_is_token,
    rv_is_field_name, rv_is_field_value, rv_is_authority, rv_is_path,
    rv_is_idempotent };
  int i = luaL_checkoption(L, 1, NULL, names);

  lua_pushboolean(L, functions[i](spec_check_span(L, 2)));
  return 1;
}

static int is_connection_specific(lua_State *L) {
  lua_pushboolean(L,
      rv_is_connection_specific(spec_check_span(L, 1), spec_check_span(L, 2)));
  return 1;
}

/* is_proxy_field(name, in_request) */
static int is_proxy_field(lua_State *L) {
  lua_pushboolean(
      L, rv_is_proxy_field(spec_check_span(L, 1), lua_toboolean(L, 2)));
  return 1;
}

static int is_bodyless(lua_State *L) {
  lua_pushboolean(
      L, rv_is_bodyless(spec_check_span(L, 1), (int)luaL_checkinteger(L, 2)));
  return 1;
}

static int host_of_authority(lua_State *L) {
  struct rv_arena arena;

  rv_arena_init(&arena);
  spec_push_span(L, rv_host_of_authority(&arena, spec_check_span(L, 1)));
  lua_pushboolean(L, arena.used > 0);
  rv_arena_deinit(&arena);
  return 2;
}

int luaopen_spec_fields(lua_State *L) {
  static const luaL_Reg functions[] = { { "add", add }, { "set", set },
    { "remove", remove_fields }, { "find", find }, { "hop_by_hop", hop_by_hop },
    { "trailers", trailers }, { "check_fields", check_fields },
    { "check_head", check_head }, { "move_head", move_head }, { "is", is },
    { "is_connection_specific", is_connection_specific },
    { "is_proxy_field", is_proxy_field }, { "is_bodyless", is_bodyless },
    { "host_of_authority", host_of_authority }, { NULL, NULL } };

  luaL_newlib(L, functions);
  return 1;
}
