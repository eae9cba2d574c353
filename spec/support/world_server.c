/* SPDX-License-Identifier: MIT */
/* The server by its public functions, for behaviour specs. */
#include "world.h"
#include "world_group.h"
#include "world_visit.h"

#include <reverst/server.h>

#define SERVER "spec.world_server"

enum { MAX_GROUPS = 32, MAX_ADDRESSES = 20 };

int luaopen_spec_world_server(lua_State *L);

struct server {
  struct world *world;
  reverst_server *server; /* NULL: closed */
  bool closing;
};

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  struct server *server = user_data;

  world_log(server->world, server, entry);
}

/* ---- the server ---- */

static struct server *check_server(lua_State *L) {
  struct server *server = luaL_checkudata(L, 1, SERVER);

  luaL_argcheck(L, server->server != NULL, 1, "the server was closed");
  return server;
}

static reverst_server_options read_options(
    lua_State *L, int index, struct server *server) {
  reverst_server_options options = {
    .tunnel = {
      .address = world_text(L, index, "tunnel_address"),
      .certificate_path = world_text(L, index, "certificate"),
      .private_key_path = world_text(L, index, "private_key"),
      .max_idle_timeout = world_duration(L, index, "max_idle_timeout"),
      .keep_alive_period = world_duration(L, index, "keep_alive_period"),
      .registration_timeout = world_duration(L, index, "registration_timeout"),
      .max_pending = (unsigned)world_number(L, index, "max_pending", 0),
      .max_pending_per_address =
          (unsigned)world_number(L, index, "max_pending_per_address", 0),
    },
    .http = {
      .address = world_text(L, index, "http_address"),
      .default_host = world_text(L, index, "default_host"),
    },
    .secret_path = world_text(L, index, "secret_path"),
    .drain_timeout = world_duration(L, index, "drain_timeout"),
    .memory_budget = (size_t)world_number(L, index, "memory_budget", 0),
    .max_connections = (size_t)world_number(L, index, "max_connections", 0),
    .max_connections_per_address =
        (size_t)world_number(L, index, "max_connections_per_address", 0),
    .log_level = REVERST_LOG_DEBUG,
    .log = on_log,
    .log_user_data = server,
  };

  return options;
}

/* The texts stay in the table. */
static void read_list(lua_State *L, int index, const char **list) {
  int count = 0;

  while (
      count < MAX_ADDRESSES && lua_geti(L, index, count + 1) == LUA_TSTRING) {
    list[count++] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  lua_settop(L, index);
  list[count] = NULL;
}

/* new(world, options): options are also the handlers; nil, name of the error */
static int new_server(lua_State *L) {
  struct world *world = world_check(L, 1);
  const char *addresses[MAX_ADDRESSES + 1] = { NULL };
  struct server *server;
  reverst_server_options options;
  int r;

  luaL_checktype(L, 2, LUA_TTABLE);
  if (lua_getfield(L, 2, "http_addresses") == LUA_TTABLE)
    read_list(L, 3, addresses);
  lua_pop(L, 1);
  server = world_new_object(L, sizeof(*server), SERVER, 2);
  server->world = world;
  options = read_options(L, 2, server);
  options.http.addresses = addresses;
  r = reverst_server_new(&server->server, world->base, &options);
  if (r == 0)
    return 1;
  world_drop(world, server);
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

/* true; or nil, name of the error */
static int push_result(lua_State *L, int r) {
  if (r == 0) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

/* server:add_group(options): true; or nil, name of the error */
static int add_group(lua_State *L) {
  struct server *server = check_server(L);
  reverst_group_options options;

  luaL_checktype(L, 2, LUA_TTABLE);
  world_read_group(L, server->world, 2, &options);
  return push_result(L, reverst_server_add_group(server->server, &options));
}

/* server:set_routing { group, ..., on_route=, on_cancelled= }: likewise */
static int set_routing(lua_State *L) {
  struct server *server = check_server(L);
  reverst_group_options groups[MAX_GROUPS];
  reverst_routing routing = { .groups = groups };

  luaL_checktype(L, 2, LUA_TTABLE);
  world_read_route(L, server->world, 2, &routing);
  while (routing.group_count < MAX_GROUPS &&
         lua_geti(L, 2, (lua_Integer)routing.group_count + 1) == LUA_TTABLE)
    world_read_group(L, server->world, -1, &groups[routing.group_count++]);
  return push_result(L, reverst_server_set_routing(server->server, &routing));
}

/* server:reauthenticate(group, seconds): likewise */
static int reauthenticate(lua_State *L) {
  return push_result(
      L, reverst_server_reauthenticate(check_server(L)->server,
             luaL_checkstring(L, 2), (uint64_t)(luaL_checknumber(L, 3) * 1e9)));
}

static void add_tunnel(
    reverst_tunnel *tunnel, const char *group, void *user_data) {
  lua_State *L = user_data;

  world_push_tunnel(L, tunnel);
  lua_pushstring(L, group);
  lua_setfield(L, -2, "group");
  lua_seti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* server:tunnels([group]) -> a list */
static int tunnels(lua_State *L) {
  struct server *server = check_server(L);
  const char *group = luaL_optstring(L, 2, NULL);

  lua_newtable(L);
  reverst_server_each_tunnel(server->server, group, add_tunnel, L);
  return 1;
}

/* server:set_http_address(text | { text, ... }) */
static int set_http_address(lua_State *L) {
  struct server *server = check_server(L);
  const char *list[MAX_ADDRESSES + 1];

  if (!lua_istable(L, 2))
    return push_result(L, reverst_server_set_http_address(
                              server->server, luaL_checkstring(L, 2)));
  read_list(L, 2, list);
  return push_result(
      L, reverst_server_set_http_addresses(server->server, list));
}

static int set_drain_timeout(lua_State *L) {
  reverst_server_set_drain_timeout(
      check_server(L)->server, (uint64_t)(luaL_checknumber(L, 2) * 1e9));
  return 0;
}

static int set_log_level(lua_State *L) {
  reverst_server_set_log_level(
      check_server(L)->server, (enum reverst_log_level)luaL_checkinteger(L, 2));
  return 0;
}

/* server:http_address([number]): the first one; nil behind the last */
static int http_address(lua_State *L) {
  lua_pushstring(L, reverst_server_http_address_at(check_server(L)->server,
                        (size_t)luaL_optinteger(L, 2, 1) - 1));
  return 1;
}

static int tunnel_address(lua_State *L) {
  lua_pushstring(L, reverst_server_tunnel_address(check_server(L)->server));
  return 1;
}

static int stats(lua_State *L) {
  reverst_server_stats now;

  reverst_server_get_stats(check_server(L)->server, &now);
  lua_newtable(L);
  world_set_number(L, "tunnels", now.tunnels);
  world_set_number(L, "pending_registrations", now.pending_registrations);
  world_set_number(L, "connections", now.connections);
  world_set_number(L, "exchanges", now.exchanges);
  world_set_number(L, "registrations_accepted", now.registrations_accepted);
  world_set_number(L, "registrations_refused", now.registrations_refused);
  world_set_number(L, "requests", now.requests);
  world_set_number(L, "failures", now.failures);
  world_set_number(L, "retries", now.retries);
  world_set_number(L, "buffered_bytes", now.buffered_bytes);
  world_set_number(L, "live_objects", now.live_objects);
  return 1;
}

static void on_closed(void *user_data) {
  struct server *server = user_data;

  server->server = NULL;
  world_drop(server->world, server);
}

static int reload_certificates(lua_State *L) {
  return push_result(
      L, reverst_server_reload_certificates(check_server(L)->server));
}

/* server:set_certificate(certificate, private key) */
static int set_certificate(lua_State *L) {
  return push_result(L, reverst_server_set_certificate(check_server(L)->server,
                            luaL_checkstring(L, 2), luaL_checkstring(L, 3)));
}

static int close_server(lua_State *L) {
  struct server *server = check_server(L);

  reverst_server_close(server->server, on_closed, server);
  return 0;
}

static int drain_server(lua_State *L) {
  struct server *server = check_server(L);

  reverst_server_drain(server->server, on_closed, server);
  return 0;
}

static int is_closed(lua_State *L) {
  struct server *server = luaL_checkudata(L, 1, SERVER);

  lua_pushboolean(L, server->server == NULL);
  return 1;
}

int luaopen_spec_world_server(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "add_group", add_group },
    { "set_routing", set_routing },
    { "reauthenticate", reauthenticate },
    { "tunnels", tunnels },
    { "set_http_address", set_http_address },
    { "set_drain_timeout", set_drain_timeout },
    { "set_log_level", set_log_level },
    { "http_address", http_address },
    { "tunnel_address", tunnel_address },
    { "stats", stats },
    { "reload_certificates", reload_certificates },
    { "set_certificate", set_certificate },
    { "close", close_server },
    { "drain", drain_server },
    { "is_closed", is_closed },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = { { "new", new_server }, { NULL, NULL } };

  luaL_requiref(L, "spec.world_visit", luaopen_spec_world_visit, 0);
  lua_pop(L, 1);
  world_new_class(L, SERVER, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
