/* SPDX-License-Identifier: MIT */
/* require "spec.simtunnel": whole tunnels on the simulated network. The server
   is the real one without its sockets and its front. */
#include "simtunnel.h"

#include <assert.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>

#define TYPE "spec.simtunnel"

void sim_fault(struct sim_world *world, size_t visit, const char *what) {
  if (world->fault[0] == '\0')
    snprintf(
        world->fault, sizeof(world->fault), "request %zu: %s", visit, what);
}

/* All engines have fresh time whenever Lua calls. */
struct sim_world *sim_check_world(lua_State *L) {
  struct sim_world *world = luaL_checkudata(L, 1, TYPE);

  luaL_argcheck(L, world->net, 1, "freed");
  simnet_host_engine(world->host)->now = simnet_now(world->net);
  for (size_t i = 0; i < world->client_count; i++)
    simnet_host_engine(world->clients[i].host)->now = simnet_now(world->net);
  if (world->raw_client.host != NULL)
    simnet_host_engine(world->raw_client.host)->now = simnet_now(world->net);
  if (world->raw_server.host != NULL)
    simnet_host_engine(world->raw_server.host)->now = simnet_now(world->net);
  return world;
}

/* ---- clients and their tunnels ---- */

static void on_client_datagram(
    const struct rv_datagram *datagram, void *user_data) {
  struct sim_client *client = user_data;

  if (client->endpoint != NULL)
    rv_quic_endpoint_receive(client->endpoint, datagram);
}

/* world:client(): its number */
static int world_client(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  struct sim_client *client = &world->clients[world->client_count];
  struct rv_quic_endpoint_options options = { .alpn = "quic-h3-tunnel" };
  int r;

  assert(world->client_count < SIM_MAX_CLIENTS);
  client->world = world;
  client->host = simnet_host_new(world->net, NULL);
  client->socket = simnet_socket_new(&(struct simnet_socket_options){
      .host = client->host,
      .on_datagram = on_client_datagram,
      .user_data = client,
  });
  options.engine = simnet_host_engine(client->host);
  options.sink = simnet_socket_sink(client->socket);
  options.engine->now = simnet_now(world->net);
  rv_application_init(
      &client->application, options.engine, sim_on_request, client);
  r = rv_qpack_new(&client->qpack);
  if (r == 0)
    r = rv_quic_endpoint_new(&client->endpoint, &options);
  world->client_count++;
  if (r < 0)
    return luaL_error(L, "%s", reverst_error_name(r));
  lua_pushinteger(L, (lua_Integer)world->client_count);
  return 1;
}

static struct sim_client *check_client(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  lua_Integer i = luaL_checkinteger(L, 2);

  luaL_argcheck(L, i >= 1 && (size_t)i <= world->client_count, 2, "no client");
  return &world->clients[i - 1];
}

static void on_registered(struct rv_client_tunnel *below, void *user_data) {
  struct sim_tunnel *tunnel = user_data;

  (void)below;
  if (tunnel->registered)
    sim_fault(tunnel->world, 0, "a tunnel was registered twice");
  tunnel->registered = true;
  tunnel->registered_at = simnet_now(tunnel->world->net);
}

static void on_draining(struct rv_client_tunnel *below, void *user_data) {
  (void)below;
  ((struct sim_tunnel *)user_data)->draining = true;
}

static void on_silence(struct rv_client_tunnel *below, void *user_data) {
  struct sim_tunnel *tunnel = user_data;

  if (rv_client_tunnel_is_silent(below) == tunnel->silent)
    sim_fault(tunnel->world, 0, "a silence was told twice");
  tunnel->silent = !tunnel->silent;
  tunnel->silence_at = simnet_now(tunnel->world->net);
}

static void on_tunnel_closed(struct rv_client_tunnel *below,
    const struct rv_quic_close *close, bool refused, void *user_data) {
  struct sim_tunnel *tunnel = user_data;

  (void)below;
  tunnel->tunnel = NULL;
  tunnel->refused = refused;
  tunnel->close = *close;
  tunnel->closed_at = simnet_now(tunnel->world->net);
  memcpy(tunnel->reason, close->reason.data ? close->reason.data : "",
      close->reason.length);
}

static void fill_registration(
    lua_State *L, int table, struct rv_message *message) {
  const char *group = sim_get_string(L, table, "group");
  const char *authorization = sim_get_string(L, table, "authorization");

  rv_message_init(message);
  message->group = rv_span_of(group ? group : "app");
  message->has_metadata = true;
  if (authorization != NULL)
    rv_fields_add(&message->metadata, RV_SPAN("Authorization"),
        rv_arena_copy(&message->arena, rv_span_of(authorization)));
  if (!sim_get_boolean(L, table, "like_go"))
    rv_fields_add(&message->metadata, RV_FEATURES_KEY,
        rv_arena_copy(&message->arena, RV_FEATURES_OURS));
}

static struct sim_tunnel *new_tunnel(struct sim_world *world) {
  struct sim_tunnel *tunnel = calloc(1, sizeof(*tunnel));

  assert(tunnel && world->tunnel_count < SIM_MAX_TUNNELS);
  tunnel->world = world;
  world->tunnels[world->tunnel_count++] = tunnel;
  return tunnel;
}

static int dial(lua_State *L, struct sim_client *client, int table) {
  static const struct rv_client_tunnel_events events = {
    .on_registered = on_registered,
    .on_draining = on_draining,
    .on_silence = on_silence,
    .on_closed = on_tunnel_closed,
  };
  struct sim_world *world = client->world;
  bool to_raw = sim_get_boolean(L, table, "to_raw");
  struct rv_quic_connect_options connect = {
    .local = simnet_socket_address(client->socket),
    .remote = simnet_socket_address(
        to_raw ? world->raw_server.socket : world->socket),
    .server_name = "localhost",
    .settings = sim_get_settings(L, table),
  };
  struct rv_message message;
  struct sim_tunnel *tunnel = new_tunnel(world);
  struct rv_client_tunnel_options options = {
    .engine = simnet_host_engine(client->host),
    .endpoint = client->endpoint,
    .connect = &connect,
    .registration = &message,
    .qpack = client->qpack,
    .handler = &client->application.handler,
    .answer_timeout = (uint64_t)sim_get_integer(L, table, "answer_timeout"),
    .events = &events,
    .user_data = tunnel,
  };
  const struct rv_tls_client_options tls = { .ca_path = world->certificate };
  int r;

  fill_registration(L, table, &message);
  r = rv_tls_client_context_new(&connect.tls, options.engine, &tls);
  if (r == 0)
    r = rv_client_tunnel_new(&tunnel->tunnel, &options);
  rv_tls_context_unref(connect.tls);
  rv_message_deinit(&message);
  return r;
}

/* world:dial(client, {group=, authorization=, like_go=, to_raw=,
   answer_timeout=, max_idle_timeout=, keep_alive_period=, max_streams_bidi=}):
   the tunnel's number */
static int world_dial(lua_State *L) {
  struct sim_client *client = check_client(L);
  int r;

  luaL_checktype(L, 3, LUA_TTABLE);
  r = dial(L, client, 3);
  if (r < 0)
    return luaL_error(L, "%s", reverst_error_name(r));
  lua_pushinteger(L, (lua_Integer)client->world->tunnel_count);
  return 1;
}

static struct sim_tunnel *check_tunnel(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  lua_Integer i = luaL_checkinteger(L, 2);

  luaL_argcheck(L, i >= 1 && (size_t)i <= world->tunnel_count, 2, "no tunnel");
  return world->tunnels[i - 1];
}

/* world:tunnel(number): {registered=, registered_at=, draining=, silent=,
   silence_at= (its last change), refused=,
   closed={kind=, by_peer=, code=, reason=, at=}} */
static int world_tunnel(lua_State *L) {
  const struct sim_tunnel *tunnel = check_tunnel(L);

  lua_newtable(L);
  sim_set_boolean(L, "registered", tunnel->registered);
  sim_set_integer(L, "registered_at", tunnel->registered_at);
  sim_set_boolean(L, "draining", tunnel->draining);
  sim_set_boolean(L, "silent", tunnel->silent);
  sim_set_integer(L, "silence_at", tunnel->silence_at);
  sim_set_boolean(L, "refused", tunnel->refused);
  if (tunnel->closed_at > 0) {
    sim_push_close(L, &tunnel->close, tunnel->reason, tunnel->closed_at);
    lua_setfield(L, -2, "closed");
  }
  return 1;
}

/* world:drain_tunnel(number), world:close_tunnel(number): by its client */
static int world_drain_tunnel(lua_State *L) {
  struct sim_tunnel *tunnel = check_tunnel(L);

  if (tunnel->tunnel != NULL)
    rv_client_tunnel_drain(tunnel->tunnel);
  return 0;
}

static int world_close_tunnel(lua_State *L) {
  struct sim_tunnel *tunnel = check_tunnel(L);

  if (tunnel->tunnel != NULL)
    rv_client_tunnel_close(tunnel->tunnel);
  return 0;
}

/* world:socket(client, "rebind" | "dark" | "light") */
static int world_socket(lua_State *L) {
  static const char *const verbs[] = { "rebind", "dark", "light", NULL };
  struct simnet_socket *socket = check_client(L)->socket;
  int verb = luaL_checkoption(L, 3, NULL, verbs);

  if (verb == 0)
    simnet_socket_rebind(socket);
  else
    simnet_socket_set_dark(socket, verb == 1);
  return 0;
}

/* ---- visits ---- */

static enum sim_mode get_mode(lua_State *L, int table) {
  static const char *const modes[] = { "after", "at_once", "ignore", "whole",
    "abort", "abort_head", "never", NULL };
  int mode;

  lua_getfield(L, table, "mode");
  mode = luaL_checkoption(L, -1, "after", modes);
  lua_pop(L, 1);
  return (enum sim_mode)mode;
}

/* world:visit{method=, up=, down=, delay=, mode=, read_pause=, cancel_after=,
   with_length=, with_trailers=, elsewhere=}: its number */
static int world_visit(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  struct sim_visit *visit;
  const char *method;

  luaL_checktype(L, 2, LUA_TTABLE);
  method = sim_get_string(L, 2, "method");
  visit = calloc(1, sizeof(*visit));
  assert(visit && world->visit_count < SIM_MAX_VISITS);
  world->visits[world->visit_count++] = visit;
  visit->world = world;
  visit->id = world->visit_count;
  snprintf(visit->method, sizeof(visit->method), "%s", method ? method : "GET");
  visit->mode = get_mode(L, 2);
  visit->up = (uint64_t)sim_get_integer(L, 2, "up");
  visit->down = (uint64_t)sim_get_integer(L, 2, "down");
  visit->delay = (uint64_t)sim_get_integer(L, 2, "delay");
  visit->read_pause = (uint64_t)sim_get_integer(L, 2, "read_pause");
  visit->cancel_after = (uint64_t)sim_get_integer(L, 2, "cancel_after");
  visit->with_length = sim_get_boolean(L, 2, "with_length");
  visit->with_trailers = sim_get_boolean(L, 2, "with_trailers");
  visit->elsewhere = sim_get_boolean(L, 2, "elsewhere");
  if (!visit->elsewhere)
    sim_visit_start(visit);
  lua_pushinteger(L, (lua_Integer)visit->id);
  return 1;
}

static struct sim_visit *check_visit(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  lua_Integer i = luaL_checkinteger(L, 2);

  luaL_argcheck(L, i >= 1 && (size_t)i <= world->visit_count, 2, "no visit");
  return world->visits[i - 1];
}

/* world:result(visit): {outcome=, failure=, status=, received=, tries=,
   tunnel= (its id), executions=, head=, duration=} */
static int world_result(lua_State *L) {
  const struct sim_visit *visit = check_visit(L);

  lua_newtable(L);
  sim_set_string(L, "outcome", sim_outcome_name(visit));
  sim_set_string(L, "failure", rv_failure_row(visit->failure)->word);
  sim_set_integer(L, "status", (uint64_t)visit->status);
  sim_set_integer(L, "received", visit->received);
  sim_set_integer(L, "tries",
      visit->exchange ? visit->exchange->record.tries : visit->tries);
  sim_set_integer(L, "tunnel",
      visit->exchange ? visit->exchange->record.tunnel_id : visit->tunnel_id);
  sim_set_integer(L, "executions", visit->executions);
  sim_set_boolean(L, "head", visit->saw_head);
  sim_set_integer(L, "duration",
      (visit->exchange ? simnet_now(visit->world->net) : visit->ended_at) -
          visit->started_at);
  return 1;
}

static int world_cancel(lua_State *L) {
  sim_visit_cancel(check_visit(L));
  return 0;
}

/* world:running(): visits that are not over */
static int world_running(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)sim_check_world(L)->running);
  return 1;
}

/* ---- the network and its time ---- */

static int world_link(lua_State *L) {
  *simnet_link(sim_check_world(L)->net) = (struct simnet_link){
    .delay = (uint64_t)sim_get_integer(L, 2, "delay"),
    .jitter = (uint64_t)sim_get_integer(L, 2, "jitter"),
    .loss = (unsigned)sim_get_integer(L, 2, "loss"),
    .duplication = (unsigned)sim_get_integer(L, 2, "duplication"),
    .corruption = (unsigned)sim_get_integer(L, 2, "corruption"),
    .blackhole = sim_get_boolean(L, 2, "blackhole"),
  };
  return 0;
}

static int world_run(lua_State *L) {
  simnet_run(sim_check_world(L)->net, (uint64_t)luaL_checkinteger(L, 2));
  return 0;
}

/* world:finish(limit): runs until all visits are over; are they? */
static int world_finish(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  uint64_t limit = simnet_now(world->net) + (uint64_t)luaL_checkinteger(L, 2);

  while (world->running > 0 && simnet_step(world->net, limit))
    continue;
  lua_pushboolean(L, world->running == 0);
  return 1;
}

/* world:run_until(limit, condition): was the condition met in time? */
static int world_run_until(lua_State *L) {
  struct simnet *net = sim_check_world(L)->net;
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
  lua_pushinteger(L, (lua_Integer)simnet_now(sim_check_world(L)->net));
  return 1;
}

static int world_steps(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)simnet_steps(sim_check_world(L)->net));
  return 1;
}

/* ---- the end ---- */

static void forget_endpoint(void *user_data) {
  *(struct rv_quic_endpoint **)user_data = NULL;
}

static void close_endpoint(struct rv_quic_endpoint **endpoint) {
  if (*endpoint != NULL)
    rv_quic_endpoint_close(*endpoint, forget_endpoint, endpoint);
}

static void close_all(struct sim_world *world) {
  for (size_t i = 0; i < world->visit_count; i++)
    sim_visit_cancel(world->visits[i]);
  world->server.state = RV_SERVER_CLOSING;
  rv_server_close_tunnels(&world->server);
  close_endpoint(&world->server.endpoint);
  for (size_t i = 0; i < world->client_count; i++)
    close_endpoint(&world->clients[i].endpoint);
  sim_raw_close_endpoints(world);
  simnet_run(world->net, RV_MILLISECOND);
  sim_server_decide_all(world);
  simnet_run(world->net, RV_MILLISECOND);
}

static uint64_t left_over(const struct sim_world *world) {
  uint64_t left = world->server.endpoint != NULL;

  left += rv_counters_sum(&world->server.engine->live);
  left += world->server.engine->chunks.live > 1; /* one is being filled */
  for (size_t i = 0; i < world->client_count; i++) {
    struct rv_engine *engine = simnet_host_engine(world->clients[i].host);

    left += world->clients[i].endpoint != NULL;
    left += rv_counters_sum(&engine->live) + (engine->chunks.live > 1);
  }
  left += world->raw_client.endpoint || world->raw_server.endpoint;
  return left + world->server.tunnel_count + world->server.pending_count;
}

static void free_parts(struct sim_world *world) {
  for (size_t i = 0; i < world->visit_count; i++)
    free(world->visits[i]);
  for (size_t i = 0; i < world->tunnel_count; i++)
    free(world->tunnels[i]);
  for (size_t i = 0; i < world->decision_count; i++)
    free(world->decisions[i]);
  for (size_t i = 0; i < world->client_count; i++)
    rv_qpack_free(world->clients[i].qpack);
  sim_raw_free_all(world);
  rv_qpack_free(world->server.qpack);
  rv_turn_remove(&world->server.close_job);
  rv_server_deinit_tunnels(&world->server);
  rv_groups_deinit(&world->server.groups);
  simnet_free(world->net);
  world->net = NULL;
}

/* world:free(): closes all; the first broken promise, if any. */
static int world_free(lua_State *L) {
  struct sim_world *world = luaL_checkudata(L, 1, TYPE);
  uint64_t left;

  if (world->net == NULL)
    return 0;
  sim_check_world(L);
  close_all(world);
  for (size_t i = 0; i < world->visit_count; i++)
    sim_visit_check(world->visits[i]);
  left = left_over(world);
  if (left > 0 && world->fault[0] == '\0')
    snprintf(world->fault, sizeof(world->fault), "%llu objects are left over",
        (unsigned long long)left);
  free_parts(world);
  if (world->fault[0] == '\0')
    return 0;
  lua_pushstring(L, world->fault);
  return 1;
}

/* world(options): seed, certificate, key; of the server: max_idle_timeout,
   keep_alive_period; of its groups "app" (open, app.test) and "guarded":
   retries, response_timeout, queue_timeout. All in nanoseconds. */
static int new_world(lua_State *L) {
  struct sim_world *world;
  int r;

  luaL_checktype(L, 1, LUA_TTABLE);
  world = lua_newuserdatauv(L, sizeof(*world), 1);
  memset(world, 0, sizeof(*world));
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, TYPE);
  world->certificate = sim_get_string(L, 1, "certificate");
  world->key = sim_get_string(L, 1, "key");
  world->net = simnet_new((uint64_t)sim_get_integer(L, 1, "seed"));
  sim_server_init(world);
  r = sim_server_open(world, L, 1);
  return r < 0 ? luaL_error(L, "%s", reverst_error_name(r)) : 1;
}

static const luaL_Reg world_methods[] = {
  { "client", world_client },
  { "dial", world_dial },
  { "tunnel", world_tunnel },
  { "drain_tunnel", world_drain_tunnel },
  { "close_tunnel", world_close_tunnel },
  { "socket", world_socket },
  { "visit", world_visit },
  { "result", world_result },
  { "cancel", world_cancel },
  { "running", world_running },
  { "link", world_link },
  { "run", world_run },
  { "finish", world_finish },
  { "run_until", world_run_until },
  { "now", world_now },
  { "steps", world_steps },
  { "free", world_free },
  { "__gc", world_free },
  { NULL, NULL },
};

int luaopen_spec_simtunnel(lua_State *L);
int luaopen_spec_simtunnel(lua_State *L) {
  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, world_methods, 0);
  luaL_setfuncs(L, sim_server_methods, 0);
  luaL_setfuncs(L, sim_raw_methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_newtable(L);
  lua_pushcfunction(L, new_world);
  lua_setfield(L, -2, "world");
#ifdef __SANITIZE_ADDRESS__
  sim_set_boolean(L, "sanitized", true);
#endif
  return 1;
}
