/* SPDX-License-Identifier: MIT */
/* Reads groups from tables, and owns what they refer to in Lua. */
#include "lua/server/group.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "lua/engine/engine.h"
#include "lua/server/hook.h"
#include "lua/server/notification.h"
#include "lua/server/policy.h"
#include "lua/server/registration.h"
#include "lua/server/routing.h"
#include "lua/value/fields.h"

struct rv_lua_group *rv_lua_group_new(struct rv_lua_routing *routing) {
  struct rv_lua_group *group = calloc(1, sizeof(*group));

  if (!group)
    return NULL;
  group->lua = routing->lua;
  group->routing = routing;
  group->authenticate = LUA_NOREF;
  group->balance = LUA_NOREF;
  group->on_request = LUA_NOREF;
  group->on_response = LUA_NOREF;
  group->on_tunnel_up = LUA_NOREF;
  group->on_tunnel_down = LUA_NOREF;
  group->choice.tunnels = LUA_NOREF;
  group->choice.request = LUA_NOREF;
  LIST_INIT(&group->registrations);
  return group;
}

void rv_lua_group_free(struct rv_lua_group *group) {
  const int references[] = { group->authenticate, group->balance,
    group->on_request, group->on_response, group->on_tunnel_up,
    group->on_tunnel_down, group->choice.tunnels, group->choice.request };
  size_t i;

  for (i = 0; i < sizeof(references) / sizeof(references[0]); ++i)
    luaL_unref(group->lua->L, LUA_REGISTRYINDEX, references[i]);
  free(group->name);
  free(group);
}

/* Does the function take but one argument? Making another for it costs as much
   as the call. */
static bool takes_one(lua_State *L, int reference) {
  lua_Debug function;

  if (lua_rawgeti(L, LUA_REGISTRYINDEX, reference) != LUA_TFUNCTION) {
    lua_pop(L, 1);
    return false;
  }
  lua_getinfo(L, ">u", &function);
  return !function.isvararg && function.nparams == 1;
}

static void read_functions(lua_State *L, int index, struct rv_lua_group *group,
    reverst_group_options *options) {
  group->authenticate = rv_lua_function_field(L, index, "authenticate");
  group->balance = rv_lua_function_field(L, index, "balance");
  group->balances_blindly = takes_one(L, group->balance);
  group->on_request = rv_lua_function_field(L, index, "on_request");
  group->on_response = rv_lua_function_field(L, index, "on_response");
  group->on_tunnel_up = rv_lua_function_field(L, index, "on_tunnel_up");
  group->on_tunnel_down = rv_lua_function_field(L, index, "on_tunnel_down");
  if (group->authenticate != LUA_NOREF)
    options->authenticate = rv_lua_authenticate;
  if (group->balance != LUA_NOREF)
    options->choose = rv_lua_choose;
  if (group->on_request != LUA_NOREF)
    options->on_request = rv_lua_on_request;
  if (group->on_response != LUA_NOREF)
    options->on_response = rv_lua_on_response;
  if (options->on_request || options->on_response)
    options->on_cancelled = rv_lua_on_visit_cancelled;
  if (group->on_tunnel_up != LUA_NOREF)
    options->on_tunnel_up = rv_lua_on_tunnel_up;
  /* also for what scripts have seen of it elsewhere */
  options->on_tunnel_down = rv_lua_on_tunnel_down;
}

void rv_lua_group_read(lua_State *L, int index, struct rv_lua_group *group,
    reverst_group_options *options) {
  *options = (reverst_group_options){
    .name = rv_lua_text_field(L, index, "name"),
    .hosts = rv_lua_texts_field(L, index, "hosts"),
    .insecure = rv_lua_flag_field(L, index, "insecure"),
    .forget_credentials = rv_lua_flag_field(L, index, "forget_credentials"),
    .retries = rv_lua_optional_count_field(L, index, "retries"),
    .response_timeout = rv_lua_duration_field(L, index, "response_timeout"),
    .queue_timeout = rv_lua_duration_field(L, index, "queue_timeout"),
    .max_fails = rv_lua_optional_count_field(L, index, "max_fails"),
    .fail_duration = rv_lua_duration_field(L, index, "fail_duration"),
    .user_data = group,
  };
  group->hook_timeout = rv_lua_duration_field(L, index, "hook_timeout");
  if (!group->hook_timeout)
    group->hook_timeout = RV_LUA_HOOK_TIMEOUT;
  group->name = strdup(options->name ? options->name : "");
  if (!group->name)
    luaL_error(L, "not enough memory");
  read_functions(L, index, group, options);
}
