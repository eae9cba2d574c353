/* SPDX-License-Identifier: MIT */
/* The client by its public functions, for behaviour specs; and by its race,
   since no name of this machine has the addresses that a spec wants. */
#include "world_request.h"

#include "client/client.h"
#include <string.h>

#define CLIENT "spec.world_client"

enum { MAX_METADATA = 100 };

int luaopen_spec_world_client(lua_State *L);

struct client {
  struct world *world;
  reverst_client *client; /* NULL: closed */
};

static struct client *check_client(lua_State *L) {
  struct client *client = luaL_checkudata(L, 1, CLIENT);

  luaL_argcheck(L, client->client != NULL, 1, "the client was closed");
  return client;
}

/* ---- events ---- */

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  struct client *client = user_data;

  world_log(client->world, client, entry);
}

static void on_request(reverst_request *request, void *user_data) {
  struct client *client = user_data;

  if (!world_push_handler(client->world, client, "on_request"))
    return;
  world_push_request(client->world, request);
  world_call_handler(client->world, 1);
}

static void on_connected(reverst_client *unused, void *user_data) {
  struct client *client = user_data;

  (void)unused;
  if (world_push_handler(client->world, client, "on_connected"))
    world_call_handler(client->world, 0);
}

static void on_disconnected(reverst_client *unused,
    const reverst_disconnect *disconnect, void *user_data) {
  struct client *client = user_data;
  lua_State *L = client->world->L;

  (void)unused;
  if (!world_push_handler(client->world, client, "on_disconnected"))
    return;
  lua_newtable(L);
  lua_pushstring(L, reverst_error_name(disconnect->error));
  lua_setfield(L, -2, "error");
  lua_pushboolean(L, disconnect->refused);
  lua_setfield(L, -2, "refused");
  world_set_number(L, "code", disconnect->code);
  lua_pushstring(L, disconnect->reason);
  lua_setfield(L, -2, "reason");
  lua_pushnumber(L, (lua_Number)disconnect->retry_in / 1e9);
  lua_setfield(L, -2, "retry_in");
  world_call_handler(client->world, 1);
}

/* ---- making ---- */

static reverst_credentials read_credentials(lua_State *L, int index) {
  reverst_credentials credentials = {
    .username = world_text(L, index, "username"),
    .password = world_text(L, index, "password"),
    .token = world_text(L, index, "token"),
    .scheme = world_text(L, index, "scheme"),
    .payload = world_text(L, index, "payload"),
  };

  return credentials;
}

static reverst_client_options read_options(
    lua_State *L, int index, struct client *client) {
  reverst_client_options options = {
    .address = world_text(L, index, "address"),
    .server_name = world_text(L, index, "server_name"),
    .group = world_text(L, index, "group"),
    .ca_path = world_text(L, index, "ca"),
    .insecure = world_flag(L, index, "insecure"),
    .credentials = read_credentials(L, index),
    .max_idle_timeout = world_duration(L, index, "max_idle_timeout"),
    .keep_alive_period = world_duration(L, index, "keep_alive_period"),
    .registration_timeout = world_duration(L, index, "registration_timeout"),
    .max_streams = (uint64_t)world_number(L, index, "max_streams", 0),
    .origin = world_text(L, index, "origin"),
    .on_connected = on_connected,
    .on_disconnected = on_disconnected,
    .user_data = client,
    .log_level = REVERST_LOG_DEBUG,
    .log = on_log,
    .log_user_data = client,
  };

  lua_getfield(L, index, "on_request");
  if (!lua_isnil(L, -1))
    options.on_request = on_request;
  lua_pop(L, 1);
  return options;
}

/* The table's pairs, ended by a NULL name; the table keeps the texts alive. */
static void read_metadata(lua_State *L, int index, reverst_field *fields) {
  int count = 0;

  if (lua_getfield(L, index, "metadata") == LUA_TTABLE) {
    lua_pushnil(L);
    while (lua_next(L, -2) != 0 && count < MAX_METADATA) {
      fields[count].name = lua_tostring(L, -2);
      fields[count++].value = lua_tostring(L, -1);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

/* new(world, options): options are also the handlers; nil, name of the error */
static int new_client(lua_State *L) {
  struct world *world = world_check(L, 1);
  reverst_field metadata[MAX_METADATA + 1] = { { NULL, NULL } };
  reverst_client_options options;
  struct client *client;
  int r;

  luaL_checktype(L, 2, LUA_TTABLE);
  client = world_new_object(L, sizeof(*client), CLIENT, 2);
  client->world = world;
  options = read_options(L, 2, client);
  read_metadata(L, 2, metadata);
  options.metadata = metadata;
  r = reverst_client_new(&client->client, world->base, &options);
  if (r == 0)
    return 1;
  world_drop(world, client);
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

/* ---- the rest ---- */

/* race({address, …}): dials these instead of what it is about to dial, as if
   its name had them all */
static int race(lua_State *L) {
  struct reverst_client *client = check_client(L)->client;
  struct rv_address addresses[RV_RESOLVER_MAX_ADDRESSES];
  lua_Integer count = luaL_len(L, 2);

  luaL_argcheck(
      L, count >= 1 && count <= RV_RESOLVER_MAX_ADDRESSES, 2, "1 to 8");
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, 2, i + 1);
    luaL_argcheck(L,
        rv_address_parse(&addresses[i], rv_span_of(luaL_checkstring(L, -1))) ==
            0,
        2, "an address");
    lua_pop(L, 1);
  }
  rv_engine_refresh(client->engine);
  rv_client_race_stop(client);
  rv_resolver_cancel(client->resolution);
  client->resolution = NULL;
  rv_client_race_start(client, addresses, (size_t)count);
  return 0;
}

static int is_connected(lua_State *L) {
  lua_pushboolean(L, reverst_client_is_connected(check_client(L)->client));
  return 1;
}

static int stats(lua_State *L) {
  reverst_client_stats now;

  reverst_client_get_stats(check_client(L)->client, &now);
  lua_newtable(L);
  world_set_number(L, "exchanges", now.exchanges);
  world_set_number(L, "requests", now.requests);
  world_set_number(L, "connects", now.connects);
  world_set_number(L, "live_objects", now.live_objects);
  return 1;
}

static void on_closed(void *user_data) {
  struct client *client = user_data;

  client->client = NULL;
  world_drop(client->world, client);
}

static int close_client(lua_State *L) {
  struct client *client = check_client(L);

  reverst_client_close(client->client, on_closed, client);
  return 0;
}

static int is_closed(lua_State *L) {
  struct client *client = luaL_checkudata(L, 1, CLIENT);

  lua_pushboolean(L, client->client == NULL);
  return 1;
}

int luaopen_spec_world_client(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "is_connected", is_connected },
    { "stats", stats },
    { "race", race },
    { "close", close_client },
    { "is_closed", is_closed },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = { { "new", new_client }, { NULL, NULL } };

  luaL_requiref(L, "spec.world_request", luaopen_spec_world_request, 0);
  lua_pop(L, 1);
  world_new_class(L, CLIENT, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
