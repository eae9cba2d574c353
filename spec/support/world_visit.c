/* SPDX-License-Identifier: MIT */
/* Visits by their public functions. */
#include "world_visit.h"

#include "world_group.h"
#include "world_request.h"

#define CLASS "spec.world_visit"

struct visit {
  struct world *world;
  reverst_visit *visit;   /* NULL: decided, or cancelled */
  reverst_tunnel *picked; /* by a policy */
  bool by_policy;
};

static struct world *world_of(void *user_data) {
  return *(struct world **)user_data;
}

static struct visit *check(lua_State *L) {
  struct visit *visit = luaL_checkudata(L, 1, CLASS);

  luaL_argcheck(L, visit->visit != NULL, 1, "the visit was decided");
  return visit;
}

/* A new object, which is found by the visit from now on. */
static struct visit *push_visit(struct world *world, reverst_visit *visit) {
  struct visit *object = lua_newuserdatauv(world->L, sizeof(*object), 0);

  *object = (struct visit){ .world = world, .visit = visit };
  luaL_setmetatable(world->L, CLASS);
  lua_pushvalue(world->L, -1);
  lua_rawsetp(world->L, LUA_REGISTRYINDEX, visit);
  return object;
}

static void let_go(struct visit *object) {
  world_drop(object->world, object->visit);
  object->visit = NULL;
}

/* ---- callbacks ---- */

static void call(reverst_visit *visit, void *user_data, const char *name) {
  struct world *world = world_of(user_data);

  if (!world_push_handler(world, user_data, name))
    return;
  push_visit(world, visit);
  world_call_handler(world, 1);
}

static void on_route(reverst_visit *visit, void *user_data) {
  call(visit, user_data, "on_route");
}

static void on_request(reverst_visit *visit, void *user_data) {
  call(visit, user_data, "on_request");
}

static void on_response(reverst_visit *visit, void *user_data) {
  call(visit, user_data, "on_response");
}

static void on_cancelled(reverst_visit *visit, void *user_data) {
  struct world *world = world_of(user_data);
  lua_State *L = world->L;
  struct visit *object;

  lua_rawgetp(L, LUA_REGISTRYINDEX, visit);
  object = luaL_testudata(L, -1, CLASS);
  if (object == NULL)
    luaL_error(L, "a visit is cancelled that nobody decides on");
  else
    let_go(object);
  if (world_push_handler(world, user_data, "on_cancelled")) {
    lua_pushvalue(L, -3);
    world_call_handler(world, 1);
  }
  lua_pop(L, 1);
}

static void push_tunnel(lua_State *L, reverst_tunnel *tunnel) {
  world_push_tunnel(L, tunnel);
  lua_pushlightuserdata(L, tunnel);
  lua_setfield(L, -2, "pointer");
}

static reverst_tunnel *choose(
    reverst_visit *visit, const reverst_choice *choice, void *user_data) {
  struct world *world = world_of(user_data);
  lua_State *L = world->L;
  struct visit *object;
  reverst_tunnel *picked;

  object = push_visit(world, visit); /* kept alive by the registry */
  lua_pop(L, 1);
  object->by_policy = true;
  if (world_push_handler(world, user_data, "choose")) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, visit);
    lua_createtable(L, (int)choice->count, 0);
    for (size_t i = 0; i < choice->count; i++) {
      push_tunnel(L, choice->tunnels[i]);
      lua_seti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushinteger(L, (lua_Integer)choice->generation);
    world_call_handler(world, 3);
  }
  picked = object->picked;
  let_go(object);
  return picked;
}

static bool has(lua_State *L, int index, const char *name) {
  bool is_there;

  lua_getfield(L, index, name);
  is_there = lua_isfunction(L, -1);
  lua_pop(L, 1);
  return is_there;
}

void world_set_hooks(lua_State *L, int index, reverst_group_options *options) {
  options->on_cancelled = on_cancelled;
  if (has(L, index, "choose"))
    options->choose = choose;
  if (has(L, index, "on_request"))
    options->on_request = on_request;
  if (has(L, index, "on_response"))
    options->on_response = on_response;
}

void world_set_route(lua_State *L, int index, reverst_routing *routing) {
  routing->on_cancelled = on_cancelled;
  if (has(L, index, "on_route"))
    routing->on_route = on_route;
}

/* ---- reading ---- */

static void push_text(lua_State *L, reverst_text text) {
  if (text.data == NULL)
    lua_pushnil(L);
  else
    lua_pushlstring(L, text.data, text.length);
}

static void set_text(lua_State *L, const char *key, reverst_text text) {
  push_text(L, text);
  lua_setfield(L, -2, key);
}

static void push_fields(lua_State *L, const reverst_visit *visit,
    bool (*at)(const reverst_visit *visit, size_t index, reverst_text *name,
        reverst_text *value)) {
  reverst_text name, value;

  lua_newtable(L);
  for (size_t i = 0; at(visit, i, &name, &value); i++) {
    lua_createtable(L, 2, 0);
    push_text(L, name);
    lua_seti(L, -2, 1);
    push_text(L, value);
    lua_seti(L, -2, 2);
    lua_seti(L, -2, (lua_Integer)i + 1);
  }
}

/* visit:facts() -> a table of all that it says of the request */
static int facts(lua_State *L) {
  const reverst_visit *visit = check(L)->visit;

  lua_newtable(L);
  set_text(L, "method", reverst_visit_method(visit));
  set_text(L, "scheme", reverst_visit_scheme(visit));
  set_text(L, "host", reverst_visit_host(visit));
  set_text(L, "path", reverst_visit_path(visit));
  lua_pushstring(L, reverst_visit_peer(visit));
  lua_setfield(L, -2, "peer");
  lua_pushstring(L, reverst_visit_id(visit));
  lua_setfield(L, -2, "id");
  lua_pushstring(L, reverst_visit_group(visit));
  lua_setfield(L, -2, "group");
  push_fields(L, visit, reverst_visit_header_at);
  lua_setfield(L, -2, "headers");
  return 1;
}

/* visit:response() -> its status and headers */
static int response(lua_State *L) {
  const reverst_visit *visit = check(L)->visit;

  lua_newtable(L);
  world_set_number(L, "status", (uint64_t)reverst_visit_status(visit));
  push_fields(L, visit, reverst_visit_response_header_at);
  lua_setfield(L, -2, "headers");
  return 1;
}

static int header(lua_State *L) {
  push_text(L, reverst_visit_header(check(L)->visit, luaL_checkstring(L, 2)));
  return 1;
}

static int response_header(lua_State *L) {
  push_text(L,
      reverst_visit_response_header(check(L)->visit, luaL_checkstring(L, 2)));
  return 1;
}

/* ---- changing: true; or nil, name of the error ---- */

static int push_result(lua_State *L, int r) {
  if (r == 0) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

static int set_header(lua_State *L) {
  return push_result(L, reverst_visit_set_header(check(L)->visit,
                            luaL_checkstring(L, 2), lua_tostring(L, 3)));
}

static int set_path(lua_State *L) {
  return push_result(
      L, reverst_visit_set_path(check(L)->visit, luaL_checkstring(L, 2)));
}

static int set_status(lua_State *L) {
  return push_result(L,
      reverst_visit_set_status(check(L)->visit, (int)luaL_checkinteger(L, 2)));
}

static int set_response_header(lua_State *L) {
  return push_result(L, reverst_visit_set_response_header(check(L)->visit,
                            luaL_checkstring(L, 2), lua_tostring(L, 3)));
}

static int add_response_header(lua_State *L) {
  return push_result(L, reverst_visit_add_response_header(check(L)->visit,
                            luaL_checkstring(L, 2), luaL_checkstring(L, 3)));
}

/* ---- deciding ---- */

/* visit:pick(tunnel), in a policy: one that it was shown, now or earlier */
static int pick(lua_State *L) {
  struct visit *object = check(L);

  lua_getfield(L, 2, "pointer");
  object->picked = lua_touserdata(L, -1);
  return 0;
}

static reverst_visit *decide(lua_State *L) {
  struct visit *object = check(L);
  reverst_visit *visit = object->visit;

  luaL_argcheck(L, !object->by_policy, 1, "a policy only picks");
  let_go(object);
  return visit;
}

static int go_on(lua_State *L) {
  reverst_visit_continue(decide(L));
  return 0;
}

static int go_on_to(lua_State *L) {
  const char *group = luaL_checkstring(L, 2);

  lua_pushboolean(L, reverst_visit_continue_to(decide(L), group));
  return 1;
}

static int fail(lua_State *L) {
  reverst_visit_fail(decide(L));
  return 0;
}

/* visit:respond{status=, headers=, body=} */
static int respond(lua_State *L) {
  struct visit *object = check(L);
  reverst_field fields[WORLD_MAX_FIELDS + 1];
  reverst_response answer = world_read_response(L, 2, fields);
  int r = reverst_visit_respond(object->visit, &answer);

  if (r == 0)
    let_go(object);
  return push_result(L, r);
}

static int is_decided(lua_State *L) {
  const struct visit *object = luaL_checkudata(L, 1, CLASS);

  lua_pushboolean(L, object->visit == NULL);
  return 1;
}

int luaopen_spec_world_visit(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "facts", facts },
    { "header", header },
    { "response", response },
    { "response_header", response_header },
    { "set_header", set_header },
    { "set_path", set_path },
    { "set_status", set_status },
    { "set_response_header", set_response_header },
    { "add_response_header", add_response_header },
    { "pick", pick },
    { "continue", go_on },
    { "continue_to", go_on_to },
    { "fail", fail },
    { "respond", respond },
    { "is_decided", is_decided },
    { NULL, NULL },
  };

  world_new_class(L, CLASS, methods, NULL);
  lua_newtable(L);
  return 1;
}
