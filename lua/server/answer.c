/* SPDX-License-Identifier: MIT */
/* Reads a response twice: first for what it weighs, then for the copy. */
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

/* What is counted, or filled. */
struct draft {
  size_t header_count, text_size;
  struct answer *answer; /* NULL: it is being counted */
  char *text;            /* where the next one goes */
};

static const char *put_text(
    struct draft *draft, const char *text, size_t length) {
  char *place = draft->text;

  draft->text_size += length + 1;
  if (!draft->answer)
    return NULL;
  memcpy(place, text, length);
  place[length] = '\0';
  draft->text += length + 1;
  return place;
}

/* The texts at `name` and at the top of the stack. */
static void put_header(lua_State *L, struct draft *draft, int name) {
  size_t name_length, length;
  const char *key = lua_tolstring(L, name, &name_length), *value;
  reverst_field field;

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
  field.name = put_text(draft, key, name_length);
  field.value = put_text(draft, value, length);
  if (draft->answer)
    draft->answer->headers[draft->header_count] = field;
  if (++draft->header_count > MAX_HEADERS)
    luaL_error(L, "the response has more than %d headers", MAX_HEADERS);
  lua_pop(L, 1);
}

/* The value at the top. */
static void put_headers_of(lua_State *L, struct draft *draft, int name) {
  lua_Integer i, count;

  if (lua_type(L, -1) != LUA_TTABLE) {
    put_header(L, draft, name);
    return;
  }
  count = (lua_Integer)lua_rawlen(L, -1);
  for (i = 1; i <= count; ++i) {
    lua_rawgeti(L, -1, i);
    put_header(L, draft, name);
    lua_pop(L, 1);
  }
}

static void put_headers(lua_State *L, struct draft *draft, int headers) {
  lua_pushnil(L);
  while (lua_next(L, headers)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L,
          "the response's headers: expected names as keys, got a %s (write "
          "{ location = \"/\" })",
          luaL_typename(L, -2));
    put_headers_of(L, draft, lua_gettop(L) - 1);
    lua_pop(L, 1);
  }
}

static void check_keys(lua_State *L, int index) {
  lua_pushnil(L);
  while (lua_next(L, index)) {
    const char *key =
        lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

    if (!key || (strcmp(key, "status") && strcmp(key, "headers") &&
                    strcmp(key, "body"))) {
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

static struct answer *new_answer(
    lua_State *L, const struct draft *draft, size_t body_length) {
  size_t fields = (draft->header_count + 1) * sizeof(reverst_field);
  struct answer *answer =
      calloc(1, sizeof(*answer) + fields + draft->text_size + body_length);

  if (!answer)
    luaL_error(L, "not enough memory");
  return answer;
}

reverst_response *rv_lua_answer_read(lua_State *L, int index) {
  struct draft draft = { .answer = NULL };
  struct answer *answer;
  const char *body;
  size_t body_length;
  int status, headers;

  index = lua_absindex(L, index);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  check_keys(L, index);
  status = read_status(L, index);
  if (lua_getfield(L, index, "headers") == LUA_TNIL)
    lua_newtable(L);
  headers = lua_gettop(L);
  if (!lua_istable(L, headers))
    luaL_error(L, "the response's headers: expected a table, got %s",
        luaL_typename(L, headers));
  put_headers(L, &draft, headers);
  body = push_body(L, index, &body_length);
  answer = new_answer(L, &draft, body_length);
  draft = (struct draft){
    .answer = answer,
    .text = (char *)&answer->headers[draft.header_count + 1],
  };
  /* nothing raises from here on: it did not just now */
  put_headers(L, &draft, headers);
  if (body_length)
    memcpy(draft.text, body, body_length);
  answer->response = (reverst_response){
    .status = status,
    .headers = answer->headers,
    .body = draft.text,
    .body_length = body_length,
  };
  return &answer->response;
}
