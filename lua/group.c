/* SPDX-License-Identifier: MIT */
/* Reads groups from tables, and owns what they refer to in Lua. */
#include "lua/group.h"

#include <stdlib.h>

#include <lauxlib.h>

#include "lua/engine.h"
#include "lua/fields.h"
#include "lua/registration.h"

/* The hosts of the group at `index`, ended by NULL; in a userdata that is left
   on the stack, as are the texts. */
static const char *const *push_hosts(lua_State *L, int index) {
  const char **hosts;
  size_t count, i;

  if (lua_getfield(L, index, "hosts") != LUA_TTABLE)
    luaL_error(L, "hosts: expected a list, got %s", luaL_typename(L, -1));
  count = lua_rawlen(L, -1);
  hosts = lua_newuserdatauv(L, (count + 1) * sizeof(*hosts), 0);
  for (i = 0; i < count; ++i) {
    if (lua_rawgeti(L, -2, (lua_Integer)i + 1) != LUA_TSTRING)
      luaL_error(L, "hosts: expected texts, got %s", luaL_typename(L, -1));
    /* the list goes on holding it */
    hosts[i] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  hosts[count] = NULL;
  return hosts;
}

struct rv_lua_group *rv_lua_group_new(struct rv_lua *lua) {
  struct rv_lua_group *group = calloc(1, sizeof(*group));

  if (!group)
    return NULL;
  group->lua = lua;
  group->authenticate = LUA_NOREF;
  LIST_INIT(&group->registrations);
  return group;
}

void rv_lua_group_free(struct rv_lua_group *group) {
  luaL_unref(group->lua->L, LUA_REGISTRYINDEX, group->authenticate);
  free(group);
}

void rv_lua_group_read(lua_State *L, int index, struct rv_lua_group *group,
    reverst_group_options *options) {
  *options = (reverst_group_options){
    .name = rv_lua_text_field(L, index, "name"),
    .hosts = push_hosts(L, index),
    .insecure = rv_lua_flag_field(L, index, "insecure"),
    .retries = rv_lua_optional_count_field(L, index, "retries"),
    .response_timeout = rv_lua_duration_field(L, index, "response_timeout"),
    .queue_timeout = rv_lua_duration_field(L, index, "queue_timeout"),
    .max_fails = rv_lua_optional_count_field(L, index, "max_fails"),
    .fail_duration = rv_lua_duration_field(L, index, "fail_duration"),
    .forget_credentials = rv_lua_flag_field(L, index, "forget_credentials"),
    .user_data = group,
  };
  group->authenticate = rv_lua_function_field(L, index, "authenticate");
  if (group->authenticate != LUA_NOREF)
    options->authenticate = rv_lua_authenticate;
}
