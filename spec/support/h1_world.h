/* SPDX-License-Identifier: MIT */
/* The world of one HTTP/1.1 connection: shared by h1.c (the stream, the clock)
   and h1_exchange.c (the other parties of its exchanges). */
#ifndef SPEC_H1_WORLD_H
#define SPEC_H1_WORLD_H

#include <lauxlib.h>

#include "h1/client.h"
#include "h1/server.h"

enum { MAX_EXCHANGES = 64, WRITE_VECTORS = 8, MAX_ROUNDS = 1000 };
#define WORLD "spec.h1.world"

/* The other party of an exchange: what a tunnel or an application would be. */
struct party {
  struct world *world;
  struct rv_exchange *exchange;
  struct rv_waker waker;
  struct rv_job job;
};

struct world {
  struct rv_engine engine;
  uint64_t clock;
  uint64_t seed;
  bool is_client, finished;
  struct rv_limits limits;

  struct rv_h1_server *server;
  struct rv_h1_client *client;
  struct rv_handler handler;
  bool ignores;       /* the handler attaches nobody */
  const char *answer; /* the handler answers each request at once, with this */
  unsigned ended, idle;
  char reported_id[33];
  const char *reported_failure;

  struct party parties[MAX_EXCHANGES];
  size_t count;

  struct rv_stream stream;
  struct rv_stream_user *user;
  struct rv_job write_job, free_job;
  struct rv_slices arriving;
  bool fin_arrives, connected, reading, gone;
  const char *closed;
  int error;
  size_t window; /* bytes the socket takes */
  size_t most_gathered, writes;
  char *out;
  size_t out_length;
};

static inline struct world *check(lua_State *L) {
  return luaL_checkudata(L, 1, WORLD);
}

/* Delivers what arrives, runs turns until nothing is left to do. */
void spec_h1_run(struct world *world);

/* The handler's function; and giving an exchange back. */
void spec_h1_handle(struct rv_handler *handler, struct rv_exchange *exchange);
void spec_h1_leave_exchange(struct party *party);

/* Leaves its methods as a table on the stack. */
int luaopen_spec_h1_exchange(lua_State *L);

/* ---- values of Lua ---- */

static inline struct rv_span to_span(lua_State *L, int index) {
  struct rv_span span;

  span.data = luaL_checklstring(L, index, &span.length);
  return span;
}

static inline enum rv_failure to_failure(lua_State *L, int index) {
  const char *word = luaL_checkstring(L, index);

  for (int i = 0; i < RV_FAILURE_COUNT; i++)
    if (strcmp(rv_failure_row((enum rv_failure)i)->word, word) == 0)
      return (enum rv_failure)i;
  luaL_error(L, "no failure %s", word);
  return RV_FAILURE_NONE;
}

/* { { "name", "value" }, ... } */
static inline void to_fields(
    lua_State *L, int index, struct rv_fields *fields) {
  lua_Integer n = lua_istable(L, index) ? luaL_len(L, index) : 0;

  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, index, i);
    lua_geti(L, -1, 1);
    lua_geti(L, -2, 2);
    if (rv_fields_add_copy(fields, to_span(L, -2), to_span(L, -1)) < 0)
      abort();
    lua_pop(L, 3);
  }
}

static inline void push_span(lua_State *L, struct rv_span span) {
  lua_pushlstring(L, span.data != NULL ? span.data : "", span.length);
}

static inline void push_fields(lua_State *L, const struct rv_fields *fields) {
  lua_newtable(L);
  for (size_t i = 0; i < fields->count; i++) {
    push_span(L, fields->items[i].name);
    lua_pushliteral(L, ": ");
    push_span(L, fields->items[i].value);
    lua_concat(L, 3);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static inline void set_span(
    lua_State *L, const char *key, struct rv_span span) {
  push_span(L, span);
  lua_setfield(L, -2, key);
}

static inline void set_number(lua_State *L, const char *key, int64_t number) {
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, key);
}

static inline void set_bool(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

static inline void set_text(lua_State *L, const char *key, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, key);
}

static inline void push_head(lua_State *L, const struct rv_head *head) {
  lua_newtable(L);
  set_span(L, "method", head->method);
  set_span(L, "scheme", head->scheme);
  set_span(L, "authority", head->authority);
  set_span(L, "path", head->path);
  set_number(L, "status", head->status);
  set_number(L, "length", head->content_length);
  set_bool(L, "no_body", head->no_body);
  push_fields(L, &head->fields);
  lua_setfield(L, -2, "fields");
}

static inline lua_Number number(lua_State *L, int index, const char *key) {
  lua_Number value;

  lua_getfield(L, index, key);
  value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

static inline uint64_t seconds(lua_State *L, int index, const char *key) {
  return (uint64_t)(number(L, index, key) * 1e9);
}

static inline bool flag(lua_State *L, int index, const char *key) {
  bool value;

  lua_getfield(L, index, key);
  value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* The string stays valid as long as the table of options: that is kept. */
static inline const char *text(lua_State *L, int index, const char *key) {
  const char *value;

  lua_getfield(L, index, key);
  value = lua_tostring(L, -1);
  lua_pop(L, 1);
  return value;
}

#endif
