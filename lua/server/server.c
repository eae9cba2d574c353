/* SPDX-License-Identifier: MIT */
/* Servers as objects of Lua, with their groups. */
#include "lua/server/server.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <reverst/server.h>

#include "lua/server/routing.h"
#include "lua/server/server_live.h"
#include "lua/value/fields.h"
#include "lua/value/handle.h"

enum { EXPLANATION_SIZE = 512 };

static const char type_name[] = "reverst.server";

struct server {
  struct rv_lua_object object;
  reverst_server *server;
  struct rv_lua_routing *routing; /* NULL: none yet */
  bool draining, closing;
};

static void on_closed(void *user_data) {
  struct server *server = user_data;

  rv_lua_routing_release(server->routing);
  rv_lua_object_unlink(&server->object);
  free(server);
}

static void stop(struct rv_lua_object *object, bool drain) {
  struct server *server = (struct server *)object;

  if (server->closing || (drain && server->draining))
    return;
  server->draining = true;
  server->closing = !drain;
  if (server->routing)
    rv_lua_routing_stop(server->routing);
  if (!drain)
    reverst_server_close(server->server, on_closed, server);
  else if (!server->closing) /* what a task closed may have closed this */
    reverst_server_drain(server->server, on_closed, server);
}

/* What goes wrong is in the log. */
static void reload(struct rv_lua_object *object) {
  (void)reverst_server_reload_certificates(((struct server *)object)->server);
}

/* nil and "closed" are on the stack when it gives NULL */
static struct server *check_server(lua_State *L) {
  struct rv_lua_object *object = rv_lua_handle_get(L, type_name);

  if (!object) {
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
  }
  return (struct server *)object;
}

reverst_server *rv_lua_server_get(lua_State *L) {
  struct server *server = check_server(L);

  return server ? server->server : NULL;
}

static int set_routing(lua_State *L) {
  struct server *server = check_server(L);
  int count;

  if (!server)
    return 2;
  count = rv_lua_routing_set(L, server->server, &server->routing);
  if (count == 1 && server->object.lua->adopted == &server->object)
    server->object.lua->is_settled = true;
  return count;
}

/* derive_secret(label): 32 bytes; or nil, why, and the error's name */
static int derive_secret(lua_State *L) {
  struct server *server = check_server(L);
  const char *label = luaL_checkstring(L, 2);
  unsigned char secret[32];
  int r;

  if (!server)
    return 2;
  r = reverst_server_derive_secret(server->server, label, secret);
  if (r < 0)
    return rv_lua_push_error(L, r);
  lua_pushlstring(L, (const char *)secret, sizeof(secret));
  explicit_bzero(secret, sizeof(secret));
  return 1;
}

static int tunnel_address(lua_State *L) {
  struct server *server = check_server(L);

  if (!server)
    return 2;
  lua_pushstring(L, reverst_server_tunnel_address(server->server));
  return 1;
}

static int http_address(lua_State *L) {
  struct server *server = check_server(L);

  if (!server)
    return 2;
  lua_pushstring(L, reverst_server_http_address(server->server));
  return 1;
}

static int http_addresses(lua_State *L) {
  struct server *server = check_server(L);
  const char *address;
  size_t i;

  if (!server)
    return 2;
  lua_newtable(L);
  for (i = 0; (address = reverst_server_http_address_at(server->server, i));
       ++i) {
    lua_pushstring(L, address);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int stats(lua_State *L) {
  struct server *server = check_server(L);
  reverst_server_stats stats;

  if (!server)
    return 2;
  reverst_server_get_stats(server->server, &stats);
  lua_newtable(L);
  rv_lua_set_integer(L, "tunnels", (int64_t)stats.tunnels);
  rv_lua_set_integer(
      L, "pending_registrations", (int64_t)stats.pending_registrations);
  rv_lua_set_integer(L, "connections", (int64_t)stats.connections);
  rv_lua_set_integer(L, "exchanges", (int64_t)stats.exchanges);
  rv_lua_set_integer(
      L, "registrations_accepted", (int64_t)stats.registrations_accepted);
  rv_lua_set_integer(
      L, "registrations_refused", (int64_t)stats.registrations_refused);
  rv_lua_set_integer(L, "requests", (int64_t)stats.requests);
  rv_lua_set_integer(L, "failures", (int64_t)stats.failures);
  rv_lua_set_integer(L, "retries", (int64_t)stats.retries);
  rv_lua_set_integer(L, "buffered_bytes", (int64_t)stats.buffered_bytes);
  rv_lua_set_integer(L, "live_objects", (int64_t)stats.live_objects);
  return 1;
}

/* true; or nil, why and the error's name */
static int reload_certificates(lua_State *L) {
  struct server *server = check_server(L);

  if (!server)
    return 2;
  return rv_lua_push_result(
      L, reverst_server_reload_certificates(server->server));
}

static int drain(lua_State *L) {
  struct server *server = check_server(L);

  if (!server)
    return 2;
  stop(&server->object, true);
  return 0;
}

static int close_server(lua_State *L) {
  struct server *server = check_server(L);

  if (!server)
    return 2;
  stop(&server->object, false);
  return 0;
}

static const luaL_Reg methods[] = {
  { "set_routing", set_routing },
  { "derive_secret", derive_secret },
  { "tunnel_address", tunnel_address },
  { "http_address", http_address },
  { "http_addresses", http_addresses },
  { "stats", stats },
  { "reload_certificates", reload_certificates },
  { "tunnels", rv_lua_server_tunnels },
  { "set_http_addresses", rv_lua_server_set_http_addresses },
  { "set_drain_timeout", rv_lua_server_set_drain_timeout },
  { "set_log_level", rv_lua_server_set_log_level },
  { "set_certificate", rv_lua_server_set_certificate },
  { "reauthenticate", rv_lua_server_reauthenticate },
  { "record", rv_lua_server_record },
  { "set_record", rv_lua_server_set_record },
  { "drain", drain },
  { "close", close_server },
  { NULL, NULL },
};

static void read_options(
    lua_State *L, struct rv_lua *lua, reverst_server_options *options) {
  int tunnel, http;

  lua_getfield(L, 1, "tunnel");
  tunnel = lua_gettop(L);
  luaL_argcheck(L, lua_istable(L, tunnel), 1, "tunnel is not a table");
  lua_getfield(L, 1, "http");
  http = lua_gettop(L);
  luaL_argcheck(L, lua_istable(L, http), 1, "http is not a table");
  *options = (reverst_server_options){
    .tunnel = {
      .address = rv_lua_text_field(L, tunnel, "address"),
      .server_name = rv_lua_text_field(L, tunnel, "server_name"),
      .certificate_path = rv_lua_text_field(L, tunnel, "certificate_path"),
      .private_key_path = rv_lua_text_field(L, tunnel, "private_key_path"),
      .max_idle_timeout = rv_lua_duration_field(L, tunnel, "max_idle_timeout"),
      .keep_alive_period =
          rv_lua_duration_field(L, tunnel, "keep_alive_period"),
      .retry_threshold =
          rv_lua_optional_count_field(L, tunnel, "retry_threshold"),
      .registration_timeout =
          rv_lua_duration_field(L, tunnel, "registration_timeout"),
      .max_pending = rv_lua_optional_count_field(L, tunnel, "max_pending"),
      .max_pending_per_address =
          rv_lua_optional_count_field(L, tunnel, "max_pending_per_address"),
    },
    .http = {
      .addresses = rv_lua_texts_field(L, http, "address"),
      .default_host = rv_lua_text_field(L, http, "default_host"),
    },
    .drain_timeout = rv_lua_duration_field(L, 1, "drain_timeout"),
    .secret_path = rv_lua_text_field(L, 1, "secret_path"),
    .memory_budget = rv_lua_count_field(L, 1, "memory_budget"),
    .max_connections = rv_lua_count_field(L, http, "max_connections"),
    .max_connections_per_address =
        rv_lua_count_field(L, http, "max_connections_per_address"),
    .log_level = lua->log_level,
    .log = lua->options.log,
    .log_user_data = lua->options.log_user_data,
  };
}

int rv_lua_server_check(lua_State *L) {
  char explanation[EXPLANATION_SIZE] = "";
  reverst_server_options options;
  int r;

  luaL_checktype(L, 1, LUA_TTABLE);
  read_options(L, rv_lua_of(L), &options);
  options.explanation = explanation;
  options.explanation_size = sizeof(explanation);
  r = reverst_server_check(&options);
  return r < 0 ? rv_lua_push_failure(L, r, explanation)
               : rv_lua_push_result(L, r);
}

int rv_lua_server_new(lua_State *L) {
  struct rv_lua *lua = rv_lua_of(L);
  char explanation[EXPLANATION_SIZE] = "";
  struct rv_lua_object **handle;
  reverst_server_options options;
  struct server *server;
  int r;

  luaL_checktype(L, 1, LUA_TTABLE);
  read_options(L, lua, &options);
  options.explanation = explanation;
  options.explanation_size = sizeof(explanation);
  handle = rv_lua_handle_push(L, type_name, methods);
  server = calloc(1, sizeof(*server));
  if (!server)
    return rv_lua_push_error(L, REVERST_ERR_NO_MEMORY);
  server->object.type = type_name;
  server->object.methods = methods;
  server->object.stop = stop;
  server->object.reload = reload;
  r = reverst_server_new(&server->server, lua->options.base, &options);
  if (r < 0) {
    free(server);
    return rv_lua_push_failure(L, r, explanation);
  }
  rv_lua_object_link(lua, &server->object, handle);
  return 1;
}
