/* SPDX-License-Identifier: MIT */
/* Fetches as operations that tasks wait for. */
#include "lua/module/http.h"

#include <stdlib.h>

#include <lauxlib.h>
#include <reverst/fetch.h>

#include "lua/engine/engine.h"
#include "lua/engine/task.h"
#include "lua/value/fields.h"
#include "lua/value/handle.h"
#include "lua/value/pairs.h"

/* The fetcher of an engine; outlives it until it has closed. */
struct rv_lua_http {
  struct rv_lua *lua;       /* NULL: it has gone */
  reverst_fetcher *fetcher; /* NULL: closing */
  LIST_HEAD(, fetch) fetches;
};

/* A userdata of the thread that waits; its user value is the outcome. */
struct fetch {
  struct rv_lua_wait wait; /* first: the two are converted */
  LIST_ENTRY(fetch) link;
  struct rv_lua *lua;
  reverst_fetch *fetch;
  int reference; /* what finds it until it is done */
  int error;     /* when there is no outcome */
};

static void leave(struct fetch *fetch) {
  LIST_REMOVE(fetch, link);
  fetch->fetch = NULL;
  luaL_unref(fetch->lua->L, LUA_REGISTRYINDEX, fetch->reference);
}

static void cancel_fetch(struct rv_lua_wait *wait) {
  struct fetch *fetch = (struct fetch *)wait;

  reverst_fetch_cancel(fetch->fetch);
  leave(fetch);
}

/* ---- the outcome ---- */

struct outcome {
  const struct fetch *fetch;
  const reverst_fetch_result *result;
};

static void push_failure(lua_State *L, const reverst_fetch_result *result) {
  lua_createtable(L, 2, 0);
  lua_pushstring(L, result->message);
  lua_rawseti(L, -2, 1);
  lua_pushstring(L, reverst_error_name(result->error));
  lua_rawseti(L, -2, 2);
}

static void push_response(lua_State *L, const reverst_fetch_result *result) {
  const reverst_field *field = result->headers;
  size_t i;

  lua_createtable(L, 0, 3);
  lua_pushinteger(L, result->status);
  lua_setfield(L, -2, "status");
  lua_newtable(L);
  for (i = 0; field && field[i].name; ++i)
    rv_lua_add_pair(L, i, field[i].name, field[i].value);
  lua_setfield(L, -2, "headers");
  lua_pushlstring(L, result->body ? result->body : "", result->body_length);
  lua_setfield(L, -2, "body");
}

static int keep_outcome(lua_State *L) {
  const struct outcome *outcome = lua_touserdata(L, 1);

  lua_rawgeti(L, LUA_REGISTRYINDEX, outcome->fetch->reference);
  if (outcome->result->error)
    push_failure(L, outcome->result);
  else
    push_response(L, outcome->result);
  lua_setiuservalue(L, -2, 1);
  return 0;
}

static void on_done(const reverst_fetch_result *result, void *user_data) {
  struct fetch *fetch = user_data;
  struct outcome outcome = { fetch, result };
  char error[256];

  if (rv_lua_protect(fetch->lua, keep_outcome, &outcome, error, sizeof(error)) <
      0)
    fetch->error = REVERST_ERR_NO_MEMORY;
  leave(fetch);
  rv_lua_task_wake(&fetch->wait);
}

/* The userdata is at the top. */
static int after_fetch(lua_State *L, int status, lua_KContext context) {
  const struct fetch *fetch = lua_touserdata(L, -1);

  (void)status;
  (void)context;
  if (fetch->error)
    return rv_lua_push_error(L, fetch->error);
  lua_getiuservalue(L, -1, 1);
  if (lua_rawgeti(L, -1, 1) == LUA_TNIL) {
    lua_pop(L, 1);
    return 1;
  }
  lua_rawgeti(L, -2, 2);
  lua_pushnil(L);
  lua_insert(L, -3);
  return 3;
}

/* ---- the fetcher ---- */

static void on_closed(void *user_data) {
  struct rv_lua_http *http = user_data;
  struct rv_lua *lua = http->lua;

  if (lua)
    lua->http = NULL;
  free(http);
  if (lua)
    rv_lua_report_stopped(lua);
}

/* NULL: out of memory, or closing. */
static struct rv_lua_http *open_http(struct rv_lua *lua, int *error) {
  const reverst_fetcher_options options = {
    .log_level = lua->log_level,
    .log = lua->options.log,
    .log_user_data = lua->options.log_user_data,
  };
  struct rv_lua_http *http;

  *error = REVERST_ERR_CLOSED;
  if (lua->http)
    return lua->http->fetcher ? lua->http : NULL;
  *error = REVERST_ERR_NO_MEMORY;
  http = calloc(1, sizeof(*http));
  if (!http)
    return NULL;
  *error = reverst_fetcher_new(&http->fetcher, lua->options.base, &options);
  if (*error < 0) {
    free(http);
    return NULL;
  }
  http->lua = lua;
  LIST_INIT(&http->fetches);
  lua->http = http;
  return http;
}

static void close_http(struct rv_lua_http *http) {
  struct fetch *fetch;
  reverst_fetcher *fetcher = http->fetcher;

  http->fetcher = NULL;
  while ((fetch = LIST_FIRST(&http->fetches))) {
    reverst_fetch_cancel(fetch->fetch);
    leave(fetch);
    fetch->error = REVERST_ERR_CLOSED;
    rv_lua_task_wake(&fetch->wait);
  }
  if (fetcher)
    reverst_fetcher_close(fetcher, on_closed, http);
}

bool rv_lua_http_close(struct rv_lua *lua) {
  if (!lua->http)
    return false;
  close_http(lua->http);
  return true;
}

void rv_lua_http_abandon(struct rv_lua *lua) {
  struct rv_lua_http *http = lua->http;

  if (!http)
    return;
  http->lua = NULL;
  lua->http = NULL;
  close_http(http);
}

/* ---- Lua ---- */

static void read_options(
    lua_State *L, int index, reverst_fetch_options *options) {
  *options = (reverst_fetch_options){
    .url = rv_lua_text_field(L, index, "url"),
    .method = rv_lua_text_field(L, index, "method"),
    .body = rv_lua_text_field(L, index, "body"),
    .ca_path = rv_lua_text_field(L, index, "ca_path"),
    .timeout = rv_lua_duration_field(L, index, "timeout"),
    .connect_timeout = rv_lua_duration_field(L, index, "connect_timeout"),
    .max_body = (size_t)rv_lua_count_field(L, index, "max_body"),
  };
  if (options->body) {
    lua_getfield(L, index, "body");
    options->body_length = lua_rawlen(L, -1);
  }
  lua_getfield(L, index, "headers");
  options->headers = rv_lua_check_pairs(L, lua_gettop(L));
}

int rv_lua_fetch(lua_State *L) {
  struct rv_lua *lua = rv_lua_of(L);
  reverst_fetch_options options;
  struct rv_lua_http *http;
  struct fetch *fetch;
  int r;

  luaL_checktype(L, 1, LUA_TTABLE);
  rv_lua_check_may_wait(L, "reverst.http");
  read_options(L, 1, &options);
  http = open_http(lua, &r);
  if (!http)
    return rv_lua_push_error(L, r);
  fetch = lua_newuserdatauv(L, sizeof(*fetch), 1);
  *fetch = (struct fetch){ .wait = { .cancel = cancel_fetch }, .lua = lua };
  lua_pushvalue(L, -1);
  fetch->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  r = reverst_fetch_start(
      &fetch->fetch, http->fetcher, &options, on_done, fetch);
  if (r < 0) {
    luaL_unref(L, LUA_REGISTRYINDEX, fetch->reference);
    return rv_lua_push_error(L, r);
  }
  LIST_INSERT_HEAD(&http->fetches, fetch, link);
  return rv_lua_task_wait(L, &fetch->wait, after_fetch, 0);
}
