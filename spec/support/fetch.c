/* SPDX-License-Identifier: MIT */
/* require "spec.fetch": fetchers, for Lua.  A fetch keeps its result; a spec
   waits for it. */
#include "event.h"

#include "origin/fetcher.h"
#include <reverst/error.h>
#include <stdlib.h>

#define FETCHER "spec.fetcher"
#define FETCH "spec.fetch"
enum { MAX_FIELDS = 128 };

int luaopen_spec_fetch(lua_State *L);

struct spec_fetcher {
  struct reverst_fetcher *fetcher; /* NULL: closing */
  struct spec_loop *loop;
  bool closed;
  int logged;
  lua_State *L;
  int pin;
};

struct spec_fetch {
  struct reverst_fetch *fetch; /* NULL: done or cancelled */
  struct spec_fetcher *closes; /* on_done closes this one */
  bool done;
  int result; /* of the Lua registry */
  lua_State *L;
  int pin;
};

static lua_State *main_thread(lua_State *L) {
  lua_State *main;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main;
}

static uint64_t number_field(lua_State *L, int index, const char *key) {
  uint64_t number;
  lua_getfield(L, index, key);
  number = (uint64_t)luaL_optinteger(L, -1, 0);
  lua_pop(L, 1);
  return number;
}

static const char *text_field(
    lua_State *L, int index, const char *key, size_t *length) {
  const char *text;
  lua_getfield(L, index, key);
  text = luaL_optlstring(L, -1, NULL, length);
  lua_pop(L, 1); /* the table keeps it */
  return text;
}

/* ---- fetchers ---- */

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  struct spec_fetcher *self = user_data;
  (void)entry;
  self->logged++;
}

/* new(loop, { ca_path, max_connections, max_waiting, max_origins,
   idle_timeout }): times in milliseconds */
static int new_fetcher(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  struct spec_fetcher *self;
  size_t length;
  int r;
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
    lua_replace(L, 2);
  }
  self = lua_newuserdatauv(L, sizeof(*self), 0);
  *self = (struct spec_fetcher){ .loop = loop, .L = main_thread(L) };
  luaL_setmetatable(L, FETCHER);
  self->pin = spec_pin(L);
  r = reverst_fetcher_new(&self->fetcher, loop->base,
      &(reverst_fetcher_options){
          .ca_path = text_field(L, 2, "ca_path", &length),
          .max_connections = (size_t)number_field(L, 2, "max_connections"),
          .max_waiting = (size_t)number_field(L, 2, "max_waiting"),
          .max_origins = (size_t)number_field(L, 2, "max_origins"),
          .idle_timeout = number_field(L, 2, "idle_timeout") * RV_MILLISECOND,
          .log_level = REVERST_LOG_INFO,
          .log = on_log,
          .log_user_data = self,
      });
  return r < 0 ? luaL_error(L, "fetcher: %s", reverst_strerror(r)) : 1;
}

static struct spec_fetcher *check_fetcher(lua_State *L) {
  return luaL_checkudata(L, 1, FETCHER);
}

static struct spec_fetcher *check_open_fetcher(lua_State *L) {
  struct spec_fetcher *self = check_fetcher(L);
  luaL_argcheck(L, self->fetcher != NULL, 1, "the fetcher is closed");
  return self;
}

static void on_closed(void *user_data) {
  struct spec_fetcher *self = user_data;
  self->closed = true;
  spec_unpin(self->L, &self->pin);
}

static void close_fetcher(struct spec_fetcher *self) {
  struct reverst_fetcher *fetcher = self->fetcher;
  self->fetcher = NULL;
  reverst_fetcher_close(fetcher, on_closed, self);
}

static int fetcher_close(lua_State *L) {
  close_fetcher(check_open_fetcher(L));
  return 0;
}

static int fetcher_is_closed(lua_State *L) {
  lua_pushboolean(L, check_fetcher(L)->closed);
  return 1;
}

/* live objects, origins, entries logged */
static int fetcher_counts(lua_State *L) {
  struct spec_fetcher *self = check_open_fetcher(L);
  lua_pushinteger(
      L, (lua_Integer)rv_counters_sum(&self->fetcher->engine->live));
  lua_pushinteger(L, (lua_Integer)self->fetcher->origins.count);
  lua_pushinteger(L, self->logged);
  return 3;
}

/* ---- fetches ---- */

static void set_text(lua_State *L, const char *key, const char *text) {
  if (text != NULL) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
  }
}

/* { error, message } or { status, body, headers = { {name, value} ... } } */
static void push_result(lua_State *L, const reverst_fetch_result *result) {
  lua_newtable(L);
  if (result->error != 0) {
    set_text(L, "error", reverst_error_name(result->error));
    set_text(L, "message", result->message);
    return;
  }
  lua_pushinteger(L, result->status);
  lua_setfield(L, -2, "status");
  lua_pushlstring(L, result->body, result->body_length);
  lua_setfield(L, -2, "body");
  lua_pushboolean(L, result->body[result->body_length] == '\0');
  lua_setfield(L, -2, "terminated");
  lua_newtable(L);
  for (size_t i = 0; result->headers[i].name != NULL; i++) {
    lua_newtable(L);
    lua_pushstring(L, result->headers[i].name);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, result->headers[i].value);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "headers");
}

static void on_done(const reverst_fetch_result *result, void *user_data) {
  struct spec_fetch *self = user_data;
  lua_State *L = self->L;
  self->fetch = NULL;
  push_result(L, result);
  self->result = luaL_ref(L, LUA_REGISTRYINDEX);
  self->done = true;
  spec_unpin(L, &self->pin);
  if (self->closes != NULL)
    close_fetcher(self->closes);
}

/* The table { {name, value} ... } of the options. */
static void read_headers(
    lua_State *L, int index, reverst_field fields[static MAX_FIELDS]) {
  size_t count = 0;
  lua_getfield(L, index, "headers");
  if (lua_istable(L, -1)) {
    lua_Integer length = luaL_len(L, -1);
    for (; (lua_Integer)count < length && count + 1 < MAX_FIELDS; count++) {
      lua_rawgeti(L, -1, (lua_Integer)count + 1);
      lua_rawgeti(L, -1, 1);
      lua_rawgeti(L, -2, 2);
      fields[count] =
          (reverst_field){ lua_tostring(L, -2), lua_tostring(L, -1) };
      lua_pop(L, 3); /* the tables keep them */
    }
  }
  lua_pop(L, 1);
  fields[count] = (reverst_field){ NULL, NULL };
}

/* fetcher:start{ url, method, headers, body, connect_timeout, timeout,
   max_body, ca_path, closes = true }: a fetch; nil and the error's name */
static int fetcher_start(lua_State *L) {
  struct spec_fetcher *fetcher = check_open_fetcher(L);
  reverst_field fields[MAX_FIELDS];
  reverst_fetch_options options = { .headers = fields };
  struct spec_fetch *self;
  size_t length;
  int r;
  luaL_checktype(L, 2, LUA_TTABLE);
  read_headers(L, 2, fields);
  options.url = text_field(L, 2, "url", &length);
  options.method = text_field(L, 2, "method", &length);
  options.ca_path = text_field(L, 2, "ca_path", &length);
  options.body = text_field(L, 2, "body", &options.body_length);
  options.connect_timeout =
      number_field(L, 2, "connect_timeout") * RV_MILLISECOND;
  options.timeout = number_field(L, 2, "timeout") * RV_MILLISECOND;
  options.max_body = (size_t)number_field(L, 2, "max_body");
  if (options.body == NULL)
    options.body_length = 0;
  lua_getfield(L, 2, "closes");
  self = lua_newuserdatauv(L, sizeof(*self), 0);
  *self = (struct spec_fetch){
    .closes = lua_toboolean(L, -2) ? fetcher : NULL,
    .result = LUA_NOREF,
    .L = main_thread(L),
  };
  luaL_setmetatable(L, FETCH);
  r = reverst_fetch_start(
      &self->fetch, fetcher->fetcher, &options, on_done, self);
  if (r < 0) {
    lua_pushnil(L);
    lua_pushstring(L, reverst_error_name(r));
    return 2;
  }
  self->pin = spec_pin(L);
  return 1;
}

static struct spec_fetch *check_fetch(lua_State *L) {
  return luaL_checkudata(L, 1, FETCH);
}

static int fetch_is_done(lua_State *L) {
  lua_pushboolean(L, check_fetch(L)->done);
  return 1;
}

/* nil before it is done */
static int fetch_result(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, check_fetch(L)->result);
  return 1;
}

static int fetch_cancel(lua_State *L) {
  struct spec_fetch *self = check_fetch(L);
  luaL_argcheck(L, self->fetch != NULL, 1, "it is done");
  reverst_fetch_cancel(self->fetch);
  self->fetch = NULL;
  spec_unpin(L, &self->pin);
  return 0;
}

static int fetch_gc(lua_State *L) {
  luaL_unref(L, LUA_REGISTRYINDEX, check_fetch(L)->result);
  return 0;
}

/* ---- URLs ---- */

/* parse_url(text): { origin, label, authority, target }; nil and the error */
static int parse_url(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  struct rv_arena arena;
  struct rv_url url;
  int r;
  rv_arena_init(&arena);
  r = rv_url_parse(&url, &arena, (struct rv_span){ text, length });
  if (r == 0) {
    lua_newtable(L);
    set_text(L, "origin", url.origin.data);
    set_text(L, "label", url.label.data);
    lua_pushlstring(L, url.authority.data, url.authority.length);
    lua_setfield(L, -2, "authority");
    set_text(L, "target", url.target.data);
  } else {
    lua_pushnil(L);
    lua_pushstring(L, reverst_error_name(r));
  }
  rv_arena_deinit(&arena);
  return r == 0 ? 1 : 2;
}

int luaopen_spec_fetch(lua_State *L) {
  static const luaL_Reg fetcher_methods[] = {
    { "start", fetcher_start },
    { "close", fetcher_close },
    { "is_closed", fetcher_is_closed },
    { "counts", fetcher_counts },
    { NULL, NULL },
  };
  static const luaL_Reg fetch_methods[] = {
    { "is_done", fetch_is_done },
    { "result", fetch_result },
    { "cancel", fetch_cancel },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = {
    { "new", new_fetcher },
    { "parse_url", parse_url },
    { NULL, NULL },
  };
  spec_new_class(L, FETCHER, fetcher_methods, NULL);
  spec_new_class(L, FETCH, fetch_methods, fetch_gc);
  luaL_newlib(L, functions);
  return 1;
}
