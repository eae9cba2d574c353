/* SPDX-License-Identifier: MIT */
/* A server's groups, from the table that describes them to their end. */
#include "lua/server/routing.h"

#include <stdlib.h>

#include <lauxlib.h>
#include <reverst/error.h>

#include "lua/engine/engine.h"
#include "lua/server/group.h"
#include "lua/server/hook.h"
#include "lua/server/registration.h"
#include "lua/server/tunnel.h"
#include "lua/value/fields.h"
#include "lua/value/handle.h"

static struct rv_lua_routing *new_routing(struct rv_lua *lua) {
  struct rv_lua_routing *routing = calloc(1, sizeof(*routing));

  if (!routing)
    return NULL;
  routing->lua = lua;
  routing->references = 1;
  routing->route = LUA_NOREF;
  SLIST_INIT(&routing->groups);
  LIST_INIT(&routing->tunnels);
  return routing;
}

void rv_lua_routing_ref(struct rv_lua_routing *routing) {
  routing->references++;
}

void rv_lua_routing_unref(struct rv_lua_routing *routing) {
  struct rv_lua_group *group;

  if (--routing->references > 0)
    return;
  while ((group = SLIST_FIRST(&routing->groups))) {
    SLIST_REMOVE_HEAD(&routing->groups, link);
    rv_lua_group_free(group);
  }
  luaL_unref(routing->lua->L, LUA_REGISTRYINDEX, routing->route);
  free(routing);
}

/* Scripts keep what is known now. */
static void detach_tunnels(struct rv_lua_routing *routing) {
  struct rv_lua_group *group;
  struct rv_lua_tunnel *cell;

  while ((cell = LIST_FIRST(&routing->tunnels)))
    rv_lua_tunnel_detach(routing, cell->tunnel);
  SLIST_FOREACH(group, &routing->groups, link) {
    group->choice.generation = 0;
  }
}

void rv_lua_routing_release(struct rv_lua_routing *routing) {
  if (!routing)
    return;
  detach_tunnels(routing);
  rv_lua_routing_unref(routing);
}

void rv_lua_routing_stop(struct rv_lua_routing *routing) {
  struct rv_lua_group *group;

  routing->stopping = true;
  rv_lua_routing_ref(routing);
  SLIST_FOREACH(group, &routing->groups, link) {
    rv_lua_group_stop(group);
  }
  rv_lua_routing_unref(routing);
}

/* ---- reading ---- */

/* While it is read, a userdata owns it: reading may raise. */
static int collect(lua_State *L) {
  struct rv_lua_routing **cell = lua_touserdata(L, 1);

  if (*cell)
    rv_lua_routing_unref(*cell);
  *cell = NULL;
  return 0;
}

static struct rv_lua_routing **push_owner(lua_State *L) {
  struct rv_lua_routing **cell = lua_newuserdatauv(L, sizeof(void *), 0);

  *cell = NULL;
  if (luaL_newmetatable(L, "reverst.routing")) {
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return cell;
}

static void read_group(lua_State *L, int index, struct rv_lua_routing *routing,
    reverst_group_options *options) {
  struct rv_lua_group *group;

  luaL_argcheck(L, lua_istable(L, index), 2, "a group is not a table");
  group = rv_lua_group_new(routing);
  if (!group)
    luaL_error(L, "not enough memory");
  SLIST_INSERT_HEAD(&routing->groups, group, link);
  rv_lua_group_read(L, index, group, options);
}

/* Leaves on the stack what `options` points to. */
static void read_routing(
    lua_State *L, struct rv_lua_routing *routing, reverst_routing *options) {
  reverst_group_options *groups;
  int list;

  lua_getfield(L, 2, "groups");
  list = lua_gettop(L);
  luaL_argcheck(L, lua_istable(L, list), 2, "groups is not a table");
  *options = (reverst_routing){
    .group_count = (size_t)lua_rawlen(L, list),
    .user_data = routing,
  };
  groups =
      lua_newuserdatauv(L, (options->group_count + 1) * sizeof(*groups), 0);
  options->groups = groups;
  for (size_t i = 0; i < options->group_count; ++i) {
    luaL_checkstack(L, LUA_MINSTACK, "too many groups");
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    read_group(L, lua_gettop(L), routing, &groups[i]);
  }
  routing->hook_timeout = rv_lua_duration_field(L, 2, "hook_timeout");
  if (!routing->hook_timeout)
    routing->hook_timeout = RV_LUA_HOOK_TIMEOUT;
  routing->route = rv_lua_function_field(L, 2, "route");
  if (routing->route != LUA_NOREF) {
    options->on_route = rv_lua_on_route;
    options->on_cancelled = rv_lua_on_visit_cancelled;
  }
}

int rv_lua_routing_set(
    lua_State *L, reverst_server *server, struct rv_lua_routing **current) {
  struct rv_lua_routing **owner;
  struct rv_lua_routing *before;
  reverst_routing options;
  int r;

  luaL_checktype(L, 2, LUA_TTABLE);
  owner = push_owner(L);
  *owner = new_routing(rv_lua_of(L));
  if (!*owner)
    return rv_lua_push_error(L, REVERST_ERR_NO_MEMORY);
  read_routing(L, *owner, &options);
  r = reverst_server_set_routing(server, &options);
  if (r < 0)
    return rv_lua_push_error(L, r);
  before = *current;
  *current = *owner;
  *owner = NULL;
  rv_lua_routing_release(before);
  lua_pushboolean(L, 1);
  return 1;
}
