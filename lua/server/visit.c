/* SPDX-License-Identifier: MIT */
/* Requests, and the changes that hooks make to them. */
#include "lua/server/visit.h"

#include <string.h>

#include <reverst/error.h>

#include "lua/value/lazy.h"

enum { HEADERS = 1, COOKIES, USER_VALUES = COOKIES };

enum place {
  METHOD = 1,
  HOST,
  PATH,
  QUERY,
  SCHEME,
  PEER,
  GROUP,
  ID,
  HEADERS_FIELD,
  COOKIES_FIELD,
};

static const char *const fields[] = { "method", "host", "path", "query",
  "scheme", "peer", "group", "id", "headers", "cookies", NULL };

reverst_visit *rv_lua_visit_check(
    lua_State *L, const struct rv_lua_visit *request, const char *what) {
  if (!request->visit)
    luaL_error(L,
        "%s: closed: the request is over; what is needed later has to be read "
        "before",
        what);
  return request->visit;
}

const char *rv_lua_visit_check_text(lua_State *L, int index, const char *name) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);

  if (!text)
    luaL_error(L, "%s: expected a text, got %s", name, luaL_typename(L, index));
  else if (strlen(text) != length)
    luaL_error(L, "%s: the text has a byte of value zero", name);
  return text;
}

static void push_text(lua_State *L, reverst_text text) {
  if (text.data)
    lua_pushlstring(L, text.data, text.length);
  else
    lua_pushnil(L);
}

/* ---- reading ---- */

/* Where the query's "?" is; the end when there is none. */
static size_t path_length(reverst_text path) {
  const char *mark = memchr(path.data, '?', path.length);

  return mark ? (size_t)(mark - path.data) : path.length;
}

static void push_path(lua_State *L, reverst_text path) {
  lua_pushlstring(L, path.data, path.data ? path_length(path) : 0);
}

static void push_query(lua_State *L, reverst_text path) {
  size_t length = path.data ? path_length(path) : 0;

  if (length == path.length)
    lua_pushnil(L);
  else
    lua_pushlstring(L, path.data + length + 1, path.length - length - 1);
}

/* What is made once, at first use. */
static void push_kept(
    lua_State *L, int user_value, const reverst_visit *visit) {
  if (lua_getiuservalue(L, 1, user_value) != LUA_TNIL)
    return;
  lua_pop(L, 1);
  if (user_value == HEADERS)
    rv_lua_headers_push(L, 1, false);
  else
    rv_lua_cookies_push(L, visit);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, user_value);
}

static void push_field(
    lua_State *L, enum place place, const reverst_visit *visit) {
  switch (place) {
  case METHOD:
    push_text(L, reverst_visit_method(visit));
    break;
  case HOST:
    push_text(L, reverst_visit_host(visit));
    break;
  case PATH:
    push_path(L, reverst_visit_path(visit));
    break;
  case QUERY:
    push_query(L, reverst_visit_path(visit));
    break;
  case SCHEME:
    push_text(L, reverst_visit_scheme(visit));
    break;
  case PEER:
    lua_pushstring(L, reverst_visit_peer(visit));
    break;
  case GROUP:
    lua_pushstring(L, reverst_visit_group(visit));
    break;
  case ID:
    lua_pushstring(L, reverst_visit_id(visit));
    break;
  case HEADERS_FIELD:
    push_kept(L, HEADERS, visit);
    break;
  case COOKIES_FIELD:
    push_kept(L, COOKIES, visit);
    break;
  }
}

static const struct rv_lua_lazy_type type;

static int read_field(lua_State *L) {
  const struct rv_lua_visit *request = lua_touserdata(L, 1);
  int place = rv_lua_lazy_place(L, &type);

  if (place)
    push_field(L, (enum place)place,
        rv_lua_visit_check(L, request, fields[place - 1]));
  return 1;
}

/* ---- writing ---- */

/* Joins what is at the top (a path) and above it (a query, or nil). */
static void set_path(lua_State *L, reverst_visit *visit, const char *name) {
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
  } else {
    lua_pushliteral(L, "?");
    lua_insert(L, -2);
    lua_concat(L, 3);
  }
  switch (reverst_visit_set_path(visit, lua_tostring(L, -1))) {
  case 0:
    break;
  case REVERST_ERR_CLOSED:
    luaL_error(L,
        "%s cannot be changed any more: only route and on_request may do that",
        name);
    break;
  case REVERST_ERR_NO_MEMORY:
    luaL_error(L, "not enough memory");
    break;
  default:
    luaL_error(L,
        "%s: %s that cannot be sent; it %shas visible ASCII characters only "
        "(a blank is written %%20)",
        name, strcmp(name, "query") == 0 ? "one" : "a path",
        strcmp(name, "query") == 0 ? "" : "begins with \"/\", and ");
  }
}

static void write_path(lua_State *L, reverst_visit *visit) {
  if (strchr(rv_lua_visit_check_text(L, 3, "path"), '?'))
    luaL_error(L, "path: it is without its query; set request.query");
  lua_pushvalue(L, 3);
  push_query(L, reverst_visit_path(visit));
  set_path(L, visit, "path");
}

static void write_query(lua_State *L, reverst_visit *visit) {
  if (!lua_isnil(L, 3))
    rv_lua_visit_check_text(L, 3, "query");
  push_path(L, reverst_visit_path(visit));
  lua_pushvalue(L, 3);
  set_path(L, visit, "query");
}

static int write_field(lua_State *L) {
  const struct rv_lua_visit *request = lua_touserdata(L, 1);
  int place = rv_lua_lazy_place(L, &type);
  reverst_visit *visit;

  if (place != PATH && place != QUERY)
    return luaL_error(L,
        "%s cannot be set; path, query and fields of headers can",
        lua_tostring(L, 2));
  visit = rv_lua_visit_check(L, request, fields[place - 1]);
  if (place == PATH)
    write_path(L, visit);
  else
    write_query(L, visit);
  return 0;
}

/* ---- and the rest ---- */

static int add_response_header(lua_State *L) {
  const struct rv_lua_visit *request = rv_lua_lazy_test(L, 1, &type);
  const char *name, *value;
  int r;

  luaL_argexpected(L, request, 1, "request");
  name = rv_lua_visit_check_text(L, 2, "the field's name");
  value = rv_lua_visit_check_text(L, 3, "the field's value");
  r = reverst_visit_add_response_header(
      rv_lua_visit_check(L, request, "add_response_header"), name, value);
  if (r == REVERST_ERR_NO_MEMORY)
    return luaL_error(L, "not enough memory");
  if (r < 0)
    return luaL_error(L, "%s: a name or a value that cannot be sent", name);
  return 0;
}

static const luaL_Reg methods[] = {
  { "add_response_header", add_response_header },
  { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
  { "__index", read_field },
  { "__newindex", write_field },
  { NULL, NULL },
};

static const struct rv_lua_lazy_type type = {
  .name = "request",
  .fields = fields,
  .metamethods = metamethods,
  .methods = methods,
};

struct rv_lua_visit *rv_lua_visit_push(lua_State *L, reverst_visit *visit) {
  struct rv_lua_visit *request =
      lua_newuserdatauv(L, sizeof(*request), USER_VALUES);

  request->visit = visit;
  rv_lua_lazy_set(L, &type);
  return request;
}
