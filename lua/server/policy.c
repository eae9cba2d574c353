/* SPDX-License-Identifier: MIT */
/* Calls a policy: once per request, so with as little as can be. */
#include "lua/server/policy.h"

#include <stdio.h>

#include <lauxlib.h>

#include "lua/engine/engine.h"
#include "lua/server/group.h"
#include "lua/server/routing.h"
#include "lua/server/tunnel.h"
#include "lua/server/visit.h"

enum { ERROR_SIZE = 4096 };

struct call {
  struct rv_lua_group *group;
  reverst_visit *visit;
  const reverst_choice *choice;
  struct rv_lua_visit *request; /* what the policy was called with */
  reverst_tunnel *chosen;
  const char *problem; /* what it returned instead of a tunnel */
};

/* ---- the sequence of tunnels ---- */

/* The upvalue: how many there are. */
static int count_tunnels(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

static int refuse_change(lua_State *L) {
  return luaL_error(L, "the tunnels cannot be changed: make a table of your "
                       "own, { table.unpack(tunnels) }");
}

static int next_tunnel(lua_State *L) {
  lua_Integer place = luaL_optinteger(L, 2, 0) + 1;

  lua_pushinteger(L, place);
  return lua_geti(L, 1, place) == LUA_TNIL ? 1 : 2;
}

static int each_tunnel(lua_State *L) {
  lua_pushcfunction(L, next_tunnel);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  return 3;
}

/* An empty table in front of the list: what is not in it is looked up there,
   and what is written to it fails. */
static void push_guard(lua_State *L, const reverst_choice *choice) {
  lua_newtable(L);
  lua_createtable(L, 0, 5);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  lua_pushinteger(L, (lua_Integer)choice->count);
  lua_pushcclosure(L, count_tunnels, 1);
  lua_setfield(L, -2, "__len");
  lua_pushcfunction(L, refuse_change);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, each_tunnel);
  lua_setfield(L, -2, "__pairs");
  lua_pushliteral(L, "tunnels");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

static void make_tunnels(lua_State *L, const struct call *call) {
  const reverst_choice *choice = call->choice;
  size_t i;

  lua_createtable(L, (int)choice->count, 0);
  for (i = 0; i < choice->count; ++i) {
    rv_lua_tunnel_push(L, call->group->routing, choice->tunnels[i])->position =
        i;
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  push_guard(L, choice);
}

/* Makes `*reference` refer to what is at the top, which stays there. */
static void keep(lua_State *L, int *reference) {
  lua_pushvalue(L, -1);
  if (*reference == LUA_NOREF)
    *reference = luaL_ref(L, LUA_REGISTRYINDEX);
  else
    lua_rawseti(L, LUA_REGISTRYINDEX, *reference);
}

static void push_tunnels(lua_State *L, const struct call *call) {
  struct rv_lua_choice *known = &call->group->choice;
  uint64_t generation = call->choice->generation;

  if (generation && generation == known->generation) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, known->tunnels);
    return;
  }
  make_tunnels(L, call);
  if (generation) {
    known->generation = 0; /* until it is kept */
    keep(L, &known->tunnels);
    known->generation = generation;
  }
}

/* ---- the call ---- */

static bool is_offered(
    const struct rv_lua_tunnel *cell, const reverst_choice *choice) {
  size_t i;

  if (!cell->tunnel)
    return false;
  if (cell->position < choice->count &&
      choice->tunnels[cell->position] == cell->tunnel)
    return true;
  for (i = 0; i < choice->count; ++i) {
    if (choice->tunnels[i] == cell->tunnel)
      return true;
  }
  return false;
}

static void take_result(lua_State *L, struct call *call) {
  const struct rv_lua_tunnel *cell;

  if (lua_isnil(L, -1)) {
    call->problem = "it returned nil (is \"return\" missing?)";
    return;
  }
  cell = rv_lua_tunnel_test(L, -1);
  if (!cell)
    call->problem = "it returned something else than a tunnel";
  else if (!is_offered(cell, call->choice))
    call->problem = "it returned a tunnel that is not among those it was given";
  else
    call->chosen = cell->tunnel;
}

/* Kept, so that it can be emptied whatever the call does. */
static void push_request(lua_State *L, struct call *call) {
  struct rv_lua_visit *request = rv_lua_visit_push(L, call->visit);

  keep(L, &call->group->choice.request);
  call->request = request;
}

static int call_policy(lua_State *L) {
  struct call *call = lua_touserdata(L, 1);
  const struct rv_lua_group *group = call->group;

  lua_rawgeti(L, LUA_REGISTRYINDEX, group->balance);
  push_tunnels(L, call);
  if (!group->balances_blindly)
    push_request(L, call);
  lua_call(L, group->balances_blindly ? 1 : 2, 1);
  take_result(L, call);
  return 0;
}

reverst_tunnel *rv_lua_choose(
    reverst_visit *visit, const reverst_choice *choice, void *user_data) {
  struct rv_lua_group *group = user_data;
  struct rv_lua *lua = group->lua;
  struct call call = { .group = group, .visit = visit, .choice = choice };
  char error[ERROR_SIZE];

  /* what it calls may exchange the routing */
  rv_lua_routing_ref(group->routing);
  if (rv_lua_protect_within(lua, lua->options.resume_budget, call_policy, &call,
          error, sizeof(error)) < 0)
    call.problem = error;
  if (call.request)
    call.request->visit = NULL;
  if (call.problem)
    rv_lua_complain(lua, &group->policy_complaint,
        &(struct rv_lua_problem){ .event = "policy_failed",
            .group = group->name,
            .function = "balance",
            .request = reverst_visit_id(visit),
            .error = call.problem });
  rv_lua_routing_unref(group->routing);
  return call.problem ? NULL : call.chosen;
}
