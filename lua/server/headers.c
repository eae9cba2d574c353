/* SPDX-License-Identifier: MIT */
/* The fields of requests and responses, by name or one after the other. */
#include <string.h>

#include <reverst/error.h>

#include "lua/server/visit.h"
#include "lua/value/lazy.h"

enum { MAX_NAME = 256 };

/* In a userdata, whose user value is what holds `request`. */
struct headers {
  const struct rv_lua_visit *request;
  bool of_response;
};

static reverst_visit *check(lua_State *L, const struct headers *headers) {
  return rv_lua_visit_check(L, headers->request, "headers");
}

/* In lower case; NULL: no field has such a name. */
static const char *normal_name(
    lua_State *L, int index, char name[static MAX_NAME + 1]) {
  size_t length, i;
  const char *given;

  if (lua_type(L, index) != LUA_TSTRING)
    return NULL;
  given = lua_tolstring(L, index, &length);
  if (length > MAX_NAME || memchr(given, '\0', length))
    return NULL;
  for (i = 0; i < length; ++i)
    name[i] =
        given[i] >= 'A' && given[i] <= 'Z' ? (char)(given[i] | 0x20) : given[i];
  name[length] = '\0';
  return name;
}

static int read_field(lua_State *L) {
  const struct headers *headers = lua_touserdata(L, 1);
  const reverst_visit *visit = check(L, headers);
  char name[MAX_NAME + 1];
  reverst_text value = { NULL, 0 };

  if (normal_name(L, 2, name))
    value = headers->of_response ? reverst_visit_response_header(visit, name)
                                 : reverst_visit_header(visit, name);
  if (!value.data)
    return 0;
  lua_pushlstring(L, value.data, value.length);
  return 1;
}

static int set(const struct headers *headers, reverst_visit *visit,
    const char *name, const char *value) {
  return headers->of_response
             ? reverst_visit_set_response_header(visit, name, value)
             : reverst_visit_set_header(visit, name, value);
}

static int write_field(lua_State *L) {
  const struct headers *headers = lua_touserdata(L, 1);
  reverst_visit *visit = check(L, headers);
  char name[MAX_NAME + 1];
  const char *value = NULL;

  if (!normal_name(L, 2, name))
    return luaL_error(
        L, "the name of a field is a text of at most %d bytes", MAX_NAME);
  if (!lua_isnil(L, 3))
    value = rv_lua_visit_check_text(L, 3, name);
  switch (set(headers, visit, name, value)) {
  case 0:
    return 0;
  case REVERST_ERR_NO_MEMORY:
    return luaL_error(L, "not enough memory");
  case REVERST_ERR_LIMIT:
    return luaL_error(
        L, "headers[\"%s\"]: too long, or one field too many", name);
  case REVERST_ERR_CLOSED:
    return luaL_error(L,
        "headers cannot be changed any more: route and on_request may change "
        "the request's, on_response the response's");
  default:
    return luaL_error(L,
        "headers[\"%s\"]: a name or a value that cannot be sent, or a field "
        "that only the proxy sets",
        name);
  }
}

/* The upvalues: the headers, and the place of the next field. */
static int read_next(lua_State *L) {
  const struct headers *headers = lua_touserdata(L, lua_upvalueindex(1));
  lua_Integer place = lua_tointeger(L, lua_upvalueindex(2));
  const reverst_visit *visit = check(L, headers);
  reverst_text name, value;
  bool is_there = headers->of_response ? reverst_visit_response_header_at(visit,
                                             (size_t)place, &name, &value)
                                       : reverst_visit_header_at(visit,
                                             (size_t)place, &name, &value);

  if (!is_there)
    return 0;
  lua_pushinteger(L, place + 1);
  lua_replace(L, lua_upvalueindex(2));
  lua_pushlstring(L, name.data, name.length);
  lua_pushlstring(L, value.data, value.length);
  return 2;
}

static int each_field(lua_State *L) {
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, read_next, 2);
  return 1;
}

static const luaL_Reg metamethods[] = {
  { "__index", read_field },
  { "__newindex", write_field },
  { "__pairs", each_field },
  { NULL, NULL },
};

static const struct rv_lua_lazy_type type = {
  .name = "headers",
  .metamethods = metamethods,
};

void rv_lua_headers_push(lua_State *L, int index, bool of_response) {
  struct headers *headers;

  index = lua_absindex(L, index);
  headers = lua_newuserdatauv(L, sizeof(*headers), 1);
  headers->request = lua_touserdata(L, index);
  headers->of_response = of_response;
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, 1);
  rv_lua_lazy_set(L, &type);
}
