/* SPDX-License-Identifier: MIT */
/* require "spec.quic": a world of QUIC endpoints on the simulated network.
   Endpoints and peers are numbers from 1; a world frees all it holds. */
#include "quic_world.h"

#include <assert.h>
#include <reverst/error.h>
#include <stdlib.h>

struct world *quic_world_check(lua_State *L) {
  struct world *world = luaL_checkudata(L, 1, "spec.quic.world");

  luaL_argcheck(L, world->net, 1, "freed");
  return world;
}

struct endpoint *quic_world_check_endpoint(lua_State *L, int index) {
  struct world *world = quic_world_check(L);
  lua_Integer i = luaL_checkinteger(L, index);

  luaL_argcheck(
      L, i >= 1 && (size_t)i <= world->endpoint_count, index, "no endpoint");
  return &world->endpoints[i - 1];
}

struct quic_peer *quic_world_check_peer(lua_State *L, int index) {
  struct world *world = quic_world_check(L);
  lua_Integer i = luaL_checkinteger(L, index);

  luaL_argcheck(L, i >= 1 && (size_t)i <= world->peer_count, index, "no peer");
  return world->peers[i - 1];
}

static lua_Integer get_integer(lua_State *L, int table, const char *key) {
  lua_Integer value;

  lua_getfield(L, table, key);
  value = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return value;
}

static bool get_boolean(lua_State *L, int table, const char *key) {
  bool value;

  lua_getfield(L, table, key);
  value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* Valid as long as the table holds it. */
static const char *get_string(lua_State *L, int table, const char *key) {
  const char *value;

  lua_getfield(L, table, key);
  value = lua_tostring(L, -1);
  lua_pop(L, 1);
  return value;
}

int quic_world_push_result(lua_State *L, int r) {
  if (r >= 0) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

/* ---- endpoints ---- */

static void on_datagram(const struct rv_datagram *datagram, void *user_data) {
  struct endpoint *endpoint = user_data;

  if (endpoint->endpoint)
    rv_quic_endpoint_receive(endpoint->endpoint, datagram);
}

static void on_writable(void *user_data) {
  struct endpoint *endpoint = user_data;

  if (endpoint->endpoint)
    rv_quic_endpoint_writable(endpoint->endpoint);
}

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  struct world *world = user_data;
  size_t length = strlen(world->log);

  for (size_t i = 0; i < entry->field_count; ++i)
    length += (size_t)snprintf(world->log + length, MAX_LOG - length,
        "%s %s=%.*s\n", entry->event, entry->fields[i].key,
        (int)entry->fields[i].text_length,
        entry->fields[i].text ? entry->fields[i].text : "");
}

static size_t add_peer(struct endpoint *endpoint) {
  struct world *world = endpoint->world;
  struct quic_peer *peer = malloc(sizeof(*peer));

  assert(peer && world->peer_count < MAX_PEERS);
  quic_peer_init(peer);
  world->peer_endpoint[world->peer_count] =
      (size_t)(endpoint - world->endpoints) + 1;
  world->peers[world->peer_count] = peer;
  return ++world->peer_count;
}

static void on_accept(
    struct rv_quic_endpoint *below, struct rv_quic_connection *connection) {
  struct endpoint *endpoint = rv_quic_endpoint_user_data(below);
  struct quic_peer *peer = endpoint->world->peers[add_peer(endpoint) - 1];

  peer->echo = endpoint->echo;
  peer->connection = connection;
  rv_quic_connection_set_application(connection, &peer->application);
  if (endpoint->accept)
    rv_quic_connection_accept(connection);
}

static struct rv_quic_settings get_settings(lua_State *L, int table) {
  return (struct rv_quic_settings){
    .max_idle_timeout = (uint64_t)get_integer(L, table, "max_idle_timeout"),
    .keep_alive_period = (uint64_t)get_integer(L, table, "keep_alive_period"),
    .max_streams_bidi = (uint64_t)get_integer(L, table, "max_streams_bidi"),
    .max_streams_uni = (uint64_t)get_integer(L, table, "max_streams_uni"),
    .connection_window = (uint64_t)get_integer(L, table, "connection_window"),
    .stream_window = (uint64_t)get_integer(L, table, "stream_window"),
  };
}

static void add_host(struct world *world, struct endpoint *endpoint) {
  endpoint->world = world;
  endpoint->host = simnet_host_new(world->net,
      &(struct rv_engine_options){ .log = on_log, .log_user_data = world });
  endpoint->socket = simnet_socket_new(&(struct simnet_socket_options){
      .host = endpoint->host,
      .on_datagram = on_datagram,
      .on_writable = on_writable,
      .user_data = endpoint,
  });
}

/* all bytes of both are the number `secret` */
static struct rv_quic_secrets get_secrets(lua_State *L) {
  struct rv_quic_secrets secrets;

  memset(&secrets, (int)get_integer(L, 2, "secret"), sizeof(secrets));
  return secrets;
}

static int open_endpoint(lua_State *L, struct endpoint *endpoint,
    struct rv_tls_context *server_tls) {
  const struct rv_quic_secrets secrets = get_secrets(L);
  lua_Integer threshold = get_integer(L, 2, "retry_threshold");
  const struct rv_quic_endpoint_options options = {
    .engine = simnet_host_engine(endpoint->host),
    .sink = simnet_socket_sink(endpoint->socket),
    .settings = get_settings(L, 2),
    .server_tls = server_tls,
    .alpn = get_boolean(L, 2, "no_alpn") ? NULL
            : get_string(L, 2, "alpn")   ? get_string(L, 2, "alpn")
                                         : "quic-h3-tunnel",
    .max_pending = (size_t)get_integer(L, 2, "max_pending"),
    .max_pending_per_address =
        (size_t)get_integer(L, 2, "max_pending_per_address"),
    .retry_threshold = threshold < 0 ? RV_QUIC_ALWAYS : (size_t)threshold,
    .secrets = get_integer(L, 2, "secret") ? &secrets : NULL,
    .on_accept = on_accept,
    .user_data = endpoint,
  };

  endpoint->echo = get_boolean(L, 2, "echo");
  endpoint->accept = !get_boolean(L, 2, "strangers");
  return rv_quic_endpoint_new(&endpoint->endpoint, &options);
}

static int open_server(lua_State *L, struct endpoint *endpoint) {
  struct rv_tls_context *tls;
  const struct rv_tls_server_options options = {
    .certificate_path = get_string(L, 2, "certificate"),
    .private_key_path = get_string(L, 2, "key"),
  };
  int r = rv_tls_server_context_new(
      &tls, simnet_host_engine(endpoint->host), &options);

  if (r == 0) {
    r = open_endpoint(L, endpoint, tls);
    rv_tls_context_unref(tls);
  }
  return r;
}

/* world:server{certificate=, key=, echo=, strangers=, secret=, ...} */
static int world_server(lua_State *L) {
  struct world *world = quic_world_check(L);
  struct endpoint *endpoint = &world->endpoints[world->endpoint_count++];
  int r;

  assert(world->endpoint_count <= MAX_ENDPOINTS);
  add_host(world, endpoint);
  r = open_server(L, endpoint);
  if (r < 0)
    return quic_world_push_result(L, r);
  lua_pushinteger(L, (lua_Integer)world->endpoint_count);
  return 1;
}

/* world:renew(server, {certificate=, key=}): for connections to come */
static int world_renew(lua_State *L) {
  struct endpoint *endpoint = quic_world_check_endpoint(L, 2);
  struct rv_tls_context *tls;
  int r = rv_tls_server_context_new(&tls, simnet_host_engine(endpoint->host),
      &(struct rv_tls_server_options){
          .certificate_path = get_string(L, 3, "certificate"),
          .private_key_path = get_string(L, 3, "key"),
      });

  if (r == 0) {
    rv_quic_endpoint_set_server_tls(endpoint->endpoint, tls);
    rv_tls_context_unref(tls);
  }
  return quic_world_push_result(L, r);
}

/* world:client{alpn=, no_alpn=} */
static int world_client(lua_State *L) {
  struct world *world = quic_world_check(L);
  struct endpoint *endpoint = &world->endpoints[world->endpoint_count++];
  int r;

  assert(world->endpoint_count <= MAX_ENDPOINTS);
  add_host(world, endpoint);
  r = open_endpoint(L, endpoint, NULL);
  if (r < 0)
    return quic_world_push_result(L, r);
  lua_pushinteger(L, (lua_Integer)world->endpoint_count);
  return 1;
}

/* world:connect(client, server, {ca=, insecure=, name=, echo=, ...}) */
static int world_connect(lua_State *L) {
  struct world *world = quic_world_check(L);
  struct endpoint *client = quic_world_check_endpoint(L, 2);
  struct endpoint *server = quic_world_check_endpoint(L, 3);
  const struct rv_tls_client_options tls_options = {
    .ca_path = get_string(L, 4, "ca"),
    .insecure = get_boolean(L, 4, "insecure"),
  };
  struct rv_quic_connect_options options = {
    .local = simnet_socket_address(client->socket),
    .remote = simnet_socket_address(server->socket),
    .server_name = get_string(L, 4, "name"),
    .settings = get_settings(L, 4),
  };
  size_t index = add_peer(client);
  struct quic_peer *peer = world->peers[index - 1];
  int r = rv_tls_client_context_new(
      &options.tls, simnet_host_engine(client->host), &tls_options);

  peer->echo = get_boolean(L, 4, "echo");
  options.application = &peer->application;
  if (r == 0) {
    simnet_host_engine(client->host)->now = simnet_now(world->net);
    r = rv_quic_endpoint_connect(client->endpoint, &peer->connection, &options);
    rv_tls_context_unref(options.tls);
  }
  if (r < 0)
    return quic_world_push_result(L, r);
  lua_pushinteger(L, (lua_Integer)index);
  return 1;
}

static void forget(void *user_data) {
  ((struct endpoint *)user_data)->endpoint = NULL;
}

static void close_endpoint(struct endpoint *endpoint) {
  simnet_host_engine(endpoint->host)->now = simnet_now(endpoint->world->net);
  if (endpoint->endpoint)
    rv_quic_endpoint_close(endpoint->endpoint, forget, endpoint);
}

/* world:restart({...}, server): as world:server, at the address of one whose
   endpoint was closed */
static int world_restart(lua_State *L) {
  struct endpoint *endpoint = quic_world_check_endpoint(L, 3);

  luaL_argcheck(L, !endpoint->endpoint, 3, "it runs");
  simnet_host_engine(endpoint->host)->now = simnet_now(endpoint->world->net);
  return quic_world_push_result(L, open_server(L, endpoint));
}

static int world_close_endpoint(lua_State *L) {
  close_endpoint(quic_world_check_endpoint(L, 2));
  return 0;
}

/* world:peers(endpoint): those accepted or connected there */
static int world_peers(lua_State *L) {
  struct world *world = quic_world_check(L);
  struct endpoint *endpoint = quic_world_check_endpoint(L, 2);
  size_t wanted = (size_t)(endpoint - world->endpoints) + 1;

  lua_newtable(L);
  for (size_t i = 0; i < world->peer_count; ++i) {
    if (world->peer_endpoint[i] != wanted)
      continue;
    lua_pushinteger(L, (lua_Integer)i + 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
  return 1;
}

/* world:socket(endpoint, "rebind" | "move" | "full" | "free") */
static int world_socket(lua_State *L) {
  struct simnet_socket *socket = quic_world_check_endpoint(L, 2)->socket;
  const char *const verbs[] = { "rebind", "move", "full", "free", NULL };

  switch (luaL_checkoption(L, 3, NULL, verbs)) {
  case 0:
    simnet_socket_rebind(socket);
    break;
  case 1:
    simnet_socket_move(socket);
    break;
  case 2:
    simnet_socket_set_full(socket, true);
    break;
  default:
    simnet_socket_set_full(socket, false);
    break;
  }
  return 0;
}

/* world:set_pace(endpoint, nanoseconds): how often it looks at its timers */
static int world_set_pace(lua_State *L) {
  simnet_host_set_pace(
      quic_world_check_endpoint(L, 2)->host, (uint64_t)luaL_checkinteger(L, 3));
  return 0;
}

/* world:inject(to, from, bytes) */
static int world_inject(lua_State *L) {
  struct endpoint *to = quic_world_check_endpoint(L, 2),
                  *from = quic_world_check_endpoint(L, 3);
  size_t length;
  const char *bytes = luaL_checklstring(L, 4, &length);

  simnet_inject(to->world->net, to->socket, simnet_socket_address(from->socket),
      bytes, length);
  return 0;
}

/* world:in_flight(to): the datagrams on their way there, in no order */
static int world_in_flight(lua_State *L) {
  const struct endpoint *to = quic_world_check_endpoint(L, 2);
  const void *bytes;
  size_t length;

  lua_newtable(L);
  for (size_t i = 0; (bytes = simnet_in_flight(
                          to->world->net, to->socket, i, &length)) != NULL;
       ++i) {
    lua_pushlstring(L, bytes, length);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* world:set_short(endpoint, short): of memory, so that nothing is to grow */
static int world_set_short(lua_State *L) {
  struct endpoint *endpoint = quic_world_check_endpoint(L, 2);
  struct rv_engine *engine = simnet_host_engine(endpoint->host);
  bool is_short = lua_toboolean(L, 3);

  if (is_short != (endpoint->hog != NULL)) {
    rv_chunk_unref(endpoint->hog);
    endpoint->hog = is_short ? rv_chunk_new(&engine->chunks) : NULL;
    engine->memory_budget = is_short ? 0 : SIZE_MAX;
  }
  return 0;
}

static int world_stats(lua_State *L) {
  const struct rv_quic_stats *stats =
      rv_quic_endpoint_stats(quic_world_check_endpoint(L, 2)->endpoint);

  lua_newtable(L);
#define FIELD(name)                                                            \
  lua_pushinteger(L, (lua_Integer)stats->name);                                \
  lua_setfield(L, -2, #name)
  FIELD(datagrams_received);
  FIELD(datagrams_sent);
  FIELD(send_batches);
  FIELD(dropped);
  FIELD(refused);
  FIELD(retries);
  FIELD(version_negotiations);
  FIELD(stateless_resets);
#undef FIELD
  return 1;
}

/* ---- the network ---- */

static int world_link(lua_State *L) {
  *simnet_link(quic_world_check(L)->net) = (struct simnet_link){
    .delay = (uint64_t)get_integer(L, 2, "delay"),
    .jitter = (uint64_t)get_integer(L, 2, "jitter"),
    .loss = (unsigned)get_integer(L, 2, "loss"),
    .duplication = (unsigned)get_integer(L, 2, "duplication"),
    .corruption = (unsigned)get_integer(L, 2, "corruption"),
    .blackhole = get_boolean(L, 2, "blackhole"),
  };
  return 0;
}

static int world_run(lua_State *L) {
  simnet_run(quic_world_check(L)->net, (uint64_t)luaL_checkinteger(L, 2));
  return 0;
}

/* world:run_until(limit, condition): was the condition met in time? */
static int world_run_until(lua_State *L) {
  struct simnet *net = quic_world_check(L)->net;
  uint64_t limit = simnet_now(net) + (uint64_t)luaL_checkinteger(L, 2);
  bool met, more = true;

  do {
    lua_pushvalue(L, 3);
    lua_call(L, 0, 1);
    met = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (!met)
      more = simnet_step(net, limit);
  } while (!met && more);
  lua_pushboolean(L, met);
  return 1;
}

static int world_now(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)simnet_now(quic_world_check(L)->net));
  return 1;
}

static int world_steps(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)simnet_steps(quic_world_check(L)->net));
  return 1;
}

static int world_random(lua_State *L) {
  lua_pushinteger(
      L, (lua_Integer)(simnet_random(quic_world_check(L)->net) >> 1));
  return 1;
}

static int world_log(lua_State *L) {
  lua_pushstring(L, quic_world_check(L)->log);
  return 1;
}

/* Closes all; how many connections were left over (0). */
static int world_free(lua_State *L) {
  struct world *world = luaL_checkudata(L, 1, "spec.quic.world");
  uint64_t live = 0;

  if (!world->net) {
    lua_pushinteger(L, 0);
    return 1;
  }
  for (size_t i = 0; i < world->endpoint_count; ++i) {
    close_endpoint(&world->endpoints[i]);
    rv_chunk_unref(world->endpoints[i].hog);
  }
  simnet_run(world->net, RV_MILLISECOND);
  for (size_t i = 0; i < world->endpoint_count; ++i) {
    live += world->endpoints[i].endpoint != NULL;
    live += simnet_host_engine(world->endpoints[i].host)->live.quic_connections;
  }
  for (size_t i = 0; i < world->peer_count; ++i) {
    quic_peer_deinit(world->peers[i]);
    free(world->peers[i]);
  }
  simnet_free(world->net);
  world->net = NULL;
  lua_pushinteger(L, (lua_Integer)live);
  return 1;
}

static const luaL_Reg world_methods[] = {
  { "server", world_server },
  { "client", world_client },
  { "connect", world_connect },
  { "renew", world_renew },
  { "restart", world_restart },
  { "close_endpoint", world_close_endpoint },
  { "peers", world_peers },
  { "socket", world_socket },
  { "set_pace", world_set_pace },
  { "inject", world_inject },
  { "in_flight", world_in_flight },
  { "set_short", world_set_short },
  { "stats", world_stats },
  { "link", world_link },
  { "run", world_run },
  { "run_until", world_run_until },
  { "now", world_now },
  { "steps", world_steps },
  { "random", world_random },
  { "log", world_log },
  { "free", world_free },
  { "__gc", world_free },
  { NULL, NULL },
};

static int new_world(lua_State *L) {
  struct world *world = lua_newuserdatauv(L, sizeof(*world), 0);

  *world = (struct world){ 0 };
  luaL_setmetatable(L, "spec.quic.world");
  world->net = simnet_new((uint64_t)luaL_checkinteger(L, 1));
  return 1;
}

int luaopen_spec_quic(lua_State *L);
int luaopen_spec_quic(lua_State *L) {
  luaL_newmetatable(L, "spec.quic.world");
  luaL_setfuncs(L, world_methods, 0);
  luaL_setfuncs(L, quic_world_peer_methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_newtable(L);
  lua_pushcfunction(L, new_world);
  lua_setfield(L, -2, "world");
  return 1;
}
