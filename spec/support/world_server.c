/* SPDX-License-Identifier: MIT */
/* The server by its public functions, for behaviour specs. */
#include "world.h"

#include <reverst/server.h>

#define SERVER "spec.world_server"
#define GROUP "spec.world_group"
#define REGISTRATION "spec.world_registration"

enum { MAX_HOSTS = 16 };

int luaopen_spec_world_server(lua_State *L);

struct server {
  struct world *world;
  reverst_server *server; /* NULL: closed */
  bool closing;
};

/* Only carries the handler `authenticate`. */
struct group {
  struct world *world;
};

struct registration {
  reverst_registration *registration; /* NULL: decided */
};

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  struct server *server = user_data;

  world_log(server->world, server, entry);
}

/* ---- registrations ---- */

static struct registration *check_registration(lua_State *L) {
  struct registration *registration = luaL_checkudata(L, 1, REGISTRATION);

  luaL_argcheck(L, registration->registration != NULL, 1, "it was decided");
  return registration;
}

static void authenticate(reverst_registration *registration, void *user_data) {
  struct group *group = user_data;
  struct registration *object;

  if (!world_push_handler(group->world, group, "authenticate"))
    return;
  object = lua_newuserdatauv(group->world->L, sizeof(*object), 0);
  object->registration = registration;
  luaL_setmetatable(group->world->L, REGISTRATION);
  world_call_handler(group->world, 1);
}

static int accept_registration(lua_State *L) {
  struct registration *registration = check_registration(L);

  reverst_registration_accept(registration->registration);
  registration->registration = NULL;
  return 0;
}

static int reject_registration(lua_State *L) {
  struct registration *registration = check_registration(L);

  reverst_registration_reject(
      registration->registration, luaL_optstring(L, 2, NULL));
  registration->registration = NULL;
  return 0;
}

/* registration:facts() -> a table of all that it says */
static int registration_facts(lua_State *L) {
  const reverst_registration *registration =
      check_registration(L)->registration;
  const char *key, *value;

  lua_newtable(L);
  lua_pushstring(L, reverst_registration_group(registration));
  lua_setfield(L, -2, "group");
  lua_pushstring(L, reverst_registration_peer(registration));
  lua_setfield(L, -2, "peer");
  lua_pushstring(L, reverst_registration_server_name(registration));
  lua_setfield(L, -2, "server_name");
  lua_pushstring(L, reverst_registration_scheme(registration));
  lua_setfield(L, -2, "scheme");
  lua_pushstring(L, reverst_registration_credentials(registration));
  lua_setfield(L, -2, "credentials");
  lua_newtable(L);
  for (size_t i = 0;
       reverst_registration_metadata_at(registration, i, &key, &value); i++) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
  }
  lua_setfield(L, -2, "metadata");
  return 1;
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
    },
    .http = { .address = world_text(L, index, "http_address") },
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

/* new(world, options): options are also the handlers; nil, name of the error */
static int new_server(lua_State *L) {
  struct world *world = world_check(L, 1);
  struct server *server;
  reverst_server_options options;
  int r;

  luaL_checktype(L, 2, LUA_TTABLE);
  server = world_new_object(L, sizeof(*server), SERVER, 2);
  server->world = world;
  options = read_options(L, 2, server);
  r = reverst_server_new(&server->server, world->base, &options);
  if (r == 0)
    return 1;
  world_drop(world, server);
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

static void read_hosts(lua_State *L, int index, const char **hosts) {
  lua_getfield(L, index, "hosts");
  for (int i = 0; i < MAX_HOSTS && lua_istable(L, -1); i++) {
    lua_geti(L, -1, i + 1);
    hosts[i] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* server:add_group(options): true; or nil, name of the error */
static int add_group(lua_State *L) {
  struct server *server = check_server(L);
  const char *hosts[MAX_HOSTS + 1] = { NULL };
  struct group *group;
  reverst_group_options options;
  int r;

  luaL_checktype(L, 2, LUA_TTABLE);
  group = world_new_object(L, sizeof(*group), GROUP, 2);
  group->world = server->world;
  read_hosts(L, 2, hosts);
  options = (reverst_group_options){
    .name = world_text(L, 2, "name"),
    .hosts = hosts,
    .insecure = world_flag(L, 2, "insecure"),
    .retries = (unsigned)world_number(L, 2, "retries", 0),
    .response_timeout = world_duration(L, 2, "response_timeout"),
    .queue_timeout = world_duration(L, 2, "queue_timeout"),
    .user_data = group,
  };
  lua_getfield(L, 2, "authenticate");
  if (!lua_isnil(L, -1))
    options.authenticate = authenticate;
  r = reverst_server_add_group(server->server, &options);
  if (r == 0) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

static int http_address(lua_State *L) {
  lua_pushstring(L, reverst_server_http_address(check_server(L)->server));
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
  int r = reverst_server_reload_certificates(check_server(L)->server);

  if (r == 0) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
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
  static const luaL_Reg registration_methods[] = {
    { "facts", registration_facts },
    { "accept", accept_registration },
    { "reject", reject_registration },
    { NULL, NULL },
  };
  static const luaL_Reg methods[] = {
    { "add_group", add_group },
    { "http_address", http_address },
    { "tunnel_address", tunnel_address },
    { "stats", stats },
    { "reload_certificates", reload_certificates },
    { "close", close_server },
    { "drain", drain_server },
    { "is_closed", is_closed },
    { NULL, NULL },
  };
  static const luaL_Reg no_methods[] = { { NULL, NULL } };
  static const luaL_Reg functions[] = { { "new", new_server }, { NULL, NULL } };

  world_new_class(L, SERVER, methods, NULL);
  world_new_class(L, GROUP, no_methods, NULL);
  world_new_class(L, REGISTRATION, registration_methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
