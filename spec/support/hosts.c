/* SPDX-License-Identifier: MIT */
/* The table of hosts, for specs: patterns in, who gets a host out. */
#include "server/hosts.h"

#include "http/filter.h"
#include <lauxlib.h>
#include <reverst/error.h>
#include <stdlib.h>

#define CLASS "spec.hosts"

enum { MAX_HOSTS = 32 };

int luaopen_spec_hosts(lua_State *L);

struct table {
  struct rv_hosts hosts;
  struct rv_host items[MAX_HOSTS];
  size_t count;
};

static struct table *check(lua_State *L) {
  return luaL_checkudata(L, 1, CLASS);
}

static int new_table(lua_State *L) {
  static const uint64_t secret[2] = { 1, 2 };
  struct table *table = lua_newuserdatauv(L, sizeof(*table), 0);

  *table = (struct table){ 0 };
  rv_hosts_init(&table->hosts, secret);
  luaL_setmetatable(L, CLASS);
  return 1;
}

/* table:add(pattern) -> its number; or nil, error, fault or other's number */
static int add(lua_State *L) {
  struct table *table = check(L);
  struct rv_host *host = &table->items[table->count];
  const struct rv_host *other = NULL;
  const char *fault;
  int r;

  luaL_argcheck(L, table->count < MAX_HOSTS, 1, "too many hosts");
  *host = (struct rv_host){ 0 };
  r = rv_host_init(host, NULL, luaL_checkstring(L, 2), &fault);
  if (r == 0)
    r = rv_hosts_add(&table->hosts, host, &other);
  if (r == 0) {
    lua_pushinteger(L, (lua_Integer)++table->count);
    return 1;
  }
  rv_host_deinit(host);
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  if (other != NULL)
    lua_pushinteger(L, other - table->items + 1);
  else
    lua_pushstring(L, fault);
  return 3;
}

/* table:remove(number) */
static int remove_host(lua_State *L) {
  struct table *table = check(L);
  lua_Integer number = luaL_checkinteger(L, 2);

  luaL_argcheck(L, number > 0 && number <= (lua_Integer)table->count, 2,
      "there is no such host");
  rv_hosts_remove(&table->hosts, &table->items[number - 1]);
  return 0;
}

/* table:find(authority) -> number; or nil */
static int find(lua_State *L) {
  struct table *table = check(L);
  struct rv_arena arena;
  struct rv_span authority;
  struct rv_host *found;

  authority.data = luaL_checklstring(L, 2, &authority.length);
  rv_arena_init(&arena);
  found = rv_hosts_find(&table->hosts, rv_host_of_authority(&arena, authority));
  rv_arena_deinit(&arena);
  if (found == NULL)
    return 0;
  lua_pushinteger(L, found - table->items + 1);
  return 1;
}

static int free_table(lua_State *L) {
  struct table *table = check(L);

  rv_hosts_deinit(&table->hosts);
  for (size_t i = 0; i < table->count; i++)
    rv_host_deinit(&table->items[i]);
  table->count = 0;
  return 0;
}

int luaopen_spec_hosts(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "add", add },
    { "remove", remove_host },
    { "find", find },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = { { "new", new_table }, { NULL, NULL } };

  luaL_newmetatable(L, CLASS);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, free_table);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
