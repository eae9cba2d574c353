/* SPDX-License-Identifier: MIT */
/* Reads a response into texts that are its own, then copies these: reading may
   raise, and run scripts that collect garbage. */
#include "lua/server/answer.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

enum { MAX_HEADERS = 100 };

/* One piece of memory: this, the fields, the texts, the body. */
struct answer {
  reverst_response response; /* first: the two are converted */
  reverst_field headers[];
};

/* What there is to copy. */
struct draft {
  int list; /* where the texts of headers are: names and values by turns */
  size_t header_count, text_size;
};

static void add_text(lua_State *L, struct draft *draft, int index) {
  lua_pushvalue(L, index);
  lua_rawseti(L, draft->list, (lua_Integer)lua_rawlen(L, draft->list) + 1);
  draft->text_size += lua_rawlen(L, index) + 1;
}

/* The texts at `name` and at the top of the stack. */
static void add_header(lua_State *L, struct draft *draft, int name) {
  size_t name_length, length;
  const char *key = lua_tolstring(L, name, &name_length), *value;

  if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
    luaL_error(L,
        "the response's headers[\"%s\"]: expected a text or a list of texts, "
        "got %s",
        key, luaL_typename(L, -1));
  /* a copy: what it is in the table must not change while that is read */
  lua_pushvalue(L, -1);
  value = lua_tolstring(L, -1, &length);
  if (strlen(key) != name_length || strlen(value) != length)
    luaL_error(L,
        "the response's headers[\"%s\"]: the text has a byte of value zero",
        key);
  if (++draft->header_count > MAX_HEADERS)
    luaL_error(L, "the response has more than %d headers", MAX_HEADERS);
  add_text(L, draft, name);
  add_text(L, draft, lua_gettop(L));
  lua_pop(L, 1);
}

/* The value at the top. */
static void add_headers_of(lua_State *L, struct draft *draft, int name) {
  lua_Integer i, count;

  if (lua_type(L, -1) != LUA_TTABLE) {
    add_header(L, draft, name);
    return;
  }
  count = (lua_Integer)lua_rawlen(L, -1);
  for (i = 1; i <= count; ++i) {
    lua_rawgeti(L, -1, i);
    add_header(L, draft, name);
    lua_pop(L, 1);
  }
}

static void add_headers(lua_State *L, struct draft *draft, int headers) {
  lua_pushnil(L);
  while (lua_next(L, headers)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L,
          "the response's headers: expected names as keys, got a %s (write "
          "{ location = \"/\" })",
          luaL_typename(L, -2));
    add_headers_of(L, draft, lua_gettop(L) - 1);
    lua_pop(L, 1);
  }
}

static void check_keys(lua_State *L, int index) {
  lua_pushnil(L);
  while (lua_next(L, index)) {
    const char *key =
        lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

    if (!key || (strcmp(key, "status") != 0 && strcmp(key, "headers") != 0 &&
                    strcmp(key, "body") != 0)) {
      luaL_tolstring(L, -2, NULL);
      luaL_error(L, "a response has status, headers and body, and no %s \"%s\"",
          luaL_typename(L, -3), lua_tostring(L, -1));
    }
    lua_pop(L, 1);
  }
}

static int read_status(lua_State *L, int index) {
  lua_Integer status = 200;

  if (lua_getfield(L, index, "status") != LUA_TNIL) {
    if (!lua_isinteger(L, -1))
      luaL_error(L, "the response's status: expected a whole number, got %s",
          luaL_typename(L, -1));
    status = lua_tointeger(L, -1);
    if (status < 200 || status > 599)
      luaL_error(L, "the response's status: expected 200 to 599, got %I",
          (LUAI_UACINT)status);
  }
  lua_pop(L, 1);
  return (int)status;
}

/* Leaves it on the stack; nil or a text. */
static const char *push_body(lua_State *L, int index, size_t *length) {
  int type = lua_getfield(L, index, "body");

  *length = 0;
  if (type != LUA_TNIL && type != LUA_TSTRING && type != LUA_TNUMBER)
    luaL_error(L, "the response's body: expected a text, got %s",
        luaL_typename(L, -1));
  return lua_tolstring(L, -1, length);
}

/* Nothing raises in here, nor collects garbage. */
static char *copy_texts(
    lua_State *L, const struct draft *draft, reverst_field *field, char *end) {
  lua_Integer i, count = (lua_Integer)draft->header_count;
  const char *text;
  size_t length;

  for (i = 1; i <= 2 * count; ++i) {
    lua_rawgeti(L, draft->list, i);
    text = lua_tolstring(L, -1, &length);
    memcpy(end, text, length + 1);
    if (i % 2)
      field->name = end;
    else
      (field++)->value = end;
    end += length + 1;
    lua_pop(L, 1);
  }
  return end;
}

/* NULL: there is no memory. */
static reverst_response *new_response(lua_State *L, const struct draft *draft,
    int status, const char *body, size_t body_length) {
  size_t fields = (draft->header_count + 1) * sizeof(reverst_field);
  struct answer *answer =
      calloc(1, sizeof(*answer) + fields + draft->text_size + body_length);
  char *place;

  if (!answer)
    return NULL;
  place = copy_texts(L, draft, answer->headers,
      (char *)&answer->headers[draft->header_count + 1]);
  if (body_length)
    memcpy(place, body, body_length);
  answer->response = (reverst_response){
    .status = status,
    .headers = answer->headers,
    .body = place,
    .body_length = body_length,
  };
  return &answer->response;
}

reverst_response *rv_lua_answer_read(lua_State *L, int index) {
  struct draft draft = { .header_count = 0 };
  reverst_response *response;
  const char *body;
  size_t body_length;
  int status, headers;

  index = lua_absindex(L, index);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  check_keys(L, index);
  status = read_status(L, index);
  lua_newtable(L);
  draft.list = lua_gettop(L);
  if (lua_getfield(L, index, "headers") == LUA_TNIL)
    lua_newtable(L);
  headers = lua_gettop(L);
  if (!lua_istable(L, headers))
    luaL_error(L, "the response's headers: expected a table, got %s",
        luaL_typename(L, headers));
  add_headers(L, &draft, headers);
  body = push_body(L, index, &body_length);
  response = new_response(L, &draft, status, body, body_length);
  if (!response)
    luaL_error(L, "not enough memory");
  return response;
}
