/* SPDX-License-Identifier: MIT */
/* Responses on their way to a visitor, for on_response. */
#include <reverst/error.h>

#include "lua/server/visit.h"
#include "lua/value/lazy.h"

/* In a userdata with two user values: what holds `request`, and the fields. */
struct response {
  const struct rv_lua_visit *request;
};

enum { REQUEST = 1, HEADERS, USER_VALUES = HEADERS };

enum place { STATUS = 1, HEADERS_FIELD };

static const char *const fields[] = { "status", "headers", NULL };

static const struct rv_lua_lazy_type type;

static int read_field(lua_State *L) {
  const struct response *response = lua_touserdata(L, 1);
  int place = rv_lua_lazy_place(L, &type);

  if (place == STATUS)
    lua_pushinteger(L, reverst_visit_status(
                           rv_lua_visit_check(L, response->request, "status")));
  else
    lua_getiuservalue(L, 1, HEADERS);
  return 1;
}

static int write_field(lua_State *L) {
  const struct response *response = lua_touserdata(L, 1);
  int r;

  if (rv_lua_lazy_place(L, &type) != STATUS)
    return luaL_error(L, "headers cannot be set, but its fields can");
  if (!lua_isinteger(L, 3))
    return luaL_error(
        L, "status: expected a whole number, got %s", luaL_typename(L, 3));
  /* what no int holds is no status either */
  r = lua_tointeger(L, 3) < 200 || lua_tointeger(L, 3) > 599
          ? REVERST_ERR_INVALID
          : reverst_visit_set_status(
                rv_lua_visit_check(L, response->request, "status"),
                (int)lua_tointeger(L, 3));
  if (r == REVERST_ERR_INVALID)
    return luaL_error(L,
        "status: %d cannot be (200 to 599, and 204 and 304 neither come nor "
        "go)",
        (int)lua_tointeger(L, 3));
  if (r < 0)
    return luaL_error(L, "status: %s", reverst_strerror(r));
  return 0;
}

static const luaL_Reg metamethods[] = {
  { "__index", read_field },
  { "__newindex", write_field },
  { NULL, NULL },
};

static const struct rv_lua_lazy_type type = {
  .name = "response",
  .fields = fields,
  .metamethods = metamethods,
};

void rv_lua_visit_push_response(lua_State *L, int index) {
  struct response *response;

  index = lua_absindex(L, index);
  response = lua_newuserdatauv(L, sizeof(*response), USER_VALUES);
  response->request = lua_touserdata(L, index);
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, REQUEST);
  rv_lua_headers_push(L, index, true);
  lua_setiuservalue(L, -2, HEADERS);
  rv_lua_lazy_set(L, &type);
}
