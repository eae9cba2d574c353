/* SPDX-License-Identifier: MIT */
/* The server of simulated tunnels: the real one's parts but for its sockets and
   its front. */
#include "simtunnel.h"

#include <assert.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  struct sim_world *world = user_data;
  size_t length = strlen(world->log);

  for (size_t i = 0; i < entry->field_count && length < SIM_MAX_LOG - 512; i++)
    length += (size_t)snprintf(world->log + length, SIM_MAX_LOG - length,
        "%s %s=%.*s\n", entry->event, entry->fields[i].key,
        (int)entry->fields[i].text_length,
        entry->fields[i].text ? entry->fields[i].text : "");
}

static void decide(struct sim_decision *decision, bool accept) {
  reverst_registration *registration = decision->registration;

  if (registration == NULL)
    return;
  decision->registration = NULL;
  rv_timer_stop(&decision->world->server.engine->timers, &decision->timer);
  if (accept)
    reverst_registration_accept(registration);
  else
    reverst_registration_reject(registration, "said so");
}

static void on_decision_due(struct rv_timer *timer) {
  struct sim_decision *decision =
      rv_container_of(timer, struct sim_decision, timer);

  decide(decision, decision->accept);
}

/* Credentials: "accept" and "reject", both with ":MILLISECONDS" to be late;
   "hold": the spec decides. */
static void authenticate(reverst_registration *registration, void *user_data) {
  struct sim_world *world = user_data;
  struct rv_engine *engine = world->server.engine;
  struct sim_decision *decision = calloc(1, sizeof(*decision));
  const char *how = reverst_registration_credentials(registration);
  const char *late = how ? strchr(how, ':') : NULL;

  assert(decision && world->decision_count < SIM_MAX_DECISIONS);
  world->decisions[world->decision_count++] = decision;
  decision->world = world;
  decision->registration = registration;
  decision->accept = how && strncmp(how, "accept", 6) == 0;
  rv_timer_init(&decision->timer, on_decision_due);
  if (how && strcmp(how, "hold") == 0)
    return;
  if (late == NULL)
    decide(decision, decision->accept);
  else
    rv_timer_set(&engine->timers, &decision->timer,
        engine->now + strtoull(late + 1, NULL, 10) * RV_MILLISECOND);
}

static void on_server_datagram(
    const struct rv_datagram *datagram, void *user_data) {
  struct sim_world *world = user_data;

  if (world->server.endpoint != NULL)
    rv_quic_endpoint_receive(world->server.endpoint, datagram);
}

static void do_nothing(struct rv_job *job) {
  (void)job;
}

/* The first of them; world:shown() tells what it saw. */
static reverst_tunnel *choose(
    reverst_visit *visit, const reverst_choice *choice, void *user_data) {
  struct sim_world *world = user_data;
  size_t length = 0;

  (void)visit;
  world->shown[0] = '\0';
  world->shown_generation = choice->generation;
  for (size_t i = 0; i < choice->count; i++)
    length +=
        (size_t)snprintf(world->shown + length, sizeof(world->shown) - length,
            "%s%d", i ? " " : "", (int)reverst_tunnel_id(choice->tunnels[i]));
  return choice->tunnels[0];
}

static int add_groups(struct sim_world *world, lua_State *L, int table) {
  const char *const hosts[] = { "app.test", NULL };
  const reverst_group_options open_group = {
    .name = "app",
    .hosts = hosts,
    .insecure = true,
    .retries = (unsigned)sim_get_integer(L, table, "retries"),
    .response_timeout = (uint64_t)sim_get_integer(L, table, "response_timeout"),
    .queue_timeout = (uint64_t)sim_get_integer(L, table, "queue_timeout"),
    .max_fails = (unsigned)sim_get_integer(L, table, "max_fails"),
    .fail_duration = (uint64_t)sim_get_integer(L, table, "fail_duration"),
    .choose = sim_get_boolean(L, table, "policy") ? choose : NULL,
    .user_data = world,
  };
  reverst_group_options guarded_group = open_group;
  struct rv_group_fault fault;
  int r = rv_groups_add(&world->server.groups, &open_group, &fault);

  guarded_group.name = "guarded";
  guarded_group.hosts = NULL;
  guarded_group.insecure = false;
  guarded_group.authenticate = authenticate;
  return r < 0 ? r
               : rv_groups_add(&world->server.groups, &guarded_group, &fault);
}

int sim_server_open(struct sim_world *world, lua_State *L, int table) {
  struct reverst_server *server = &world->server;
  struct rv_quic_endpoint_options options = {
    .engine = server->engine,
    .sink = simnet_socket_sink(world->socket),
    .settings = sim_get_settings(L, table),
    .alpn = "quic-h3-tunnel",
    .on_accept = rv_server_on_accept,
    .user_data = server,
  };
  const struct rv_tls_server_options tls = { world->certificate, world->key };
  int r = rv_tls_server_context_new(&options.server_tls, server->engine, &tls);

  if (r == 0)
    r = rv_qpack_new(&server->qpack);
  if (r == 0)
    r = rv_quic_endpoint_new(&server->endpoint, &options);
  rv_tls_context_unref(options.server_tls);
  return r < 0 ? r : add_groups(world, L, table);
}

void sim_server_init(struct sim_world *world) {
  struct reverst_server *server = &world->server;

  world->host = simnet_host_new(world->net,
      &(struct rv_engine_options){ .log = on_log, .log_user_data = world });
  world->socket = simnet_socket_new(&(struct simnet_socket_options){
      .host = world->host,
      .on_datagram = on_server_datagram,
      .user_data = world,
  });
  server->engine = simnet_host_engine(world->host);
  server->close_job.run = do_nothing;
  rv_groups_init(&server->groups, server->engine);
  rv_router_init(&server->router, server->engine, &server->groups);
  rv_server_init_tunnels(server);
}

void sim_server_decide_all(struct sim_world *world) {
  for (size_t i = 0; i < world->decision_count; i++)
    decide(world->decisions[i], true);
}

/* ---- methods of the world ---- */

/* world:decide(number, accept): of the registrations for "guarded" */
static int world_decide(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  lua_Integer i = luaL_checkinteger(L, 2);

  luaL_argcheck(
      L, i >= 1 && (size_t)i <= world->decision_count, 2, "no registration");
  decide(world->decisions[i - 1], lua_toboolean(L, 3));
  return 0;
}

/* world:drain(go_on): as reverst_server_drain; with `go_on` the server only
   asks its tunnels to go */
static int world_drain(lua_State *L) {
  struct sim_world *world = sim_check_world(L);

  world->server.state = RV_SERVER_DRAINING;
  if (!lua_toboolean(L, 2))
    world->server.router.draining = true;
  rv_server_drain_tunnels(&world->server);
  return 0;
}

static int world_stats(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  const struct reverst_server *server = &world->server;

  lua_newtable(L);
  sim_set_integer(L, "tunnels", server->tunnel_count);
  sim_set_integer(L, "pending", server->pending_count);
  sim_set_integer(L, "accepted", server->accepted_count);
  sim_set_integer(L, "refused", server->refused_count);
  sim_set_integer(L, "registrations", world->decision_count);
  sim_set_integer(L, "requests", server->router.requests);
  sim_set_integer(L, "failures", server->router.failures);
  sim_set_integer(L, "retries", server->router.retries);
  sim_set_integer(L, "connections", server->engine->live.quic_connections);
  sim_set_integer(L, "chunks", server->engine->chunks.live);
  return 1;
}

/* world:log(): what the server logged */
static int world_log(lua_State *L) {
  lua_pushstring(L, sim_check_world(L)->log);
  return 1;
}

/* world:shown(): the ids of tunnels that the policy last chose from, and the
   generation */
static int world_shown(lua_State *L) {
  const struct sim_world *world = sim_check_world(L);

  lua_pushstring(L, world->shown);
  lua_pushinteger(L, (lua_Integer)world->shown_generation);
  return 2;
}

const luaL_Reg sim_server_methods[] = {
  { "decide", world_decide },
  { "drain", world_drain },
  { "stats", world_stats },
  { "log", world_log },
  { "shown", world_shown },
  { NULL, NULL },
};

/* It has no functions of its own: require "spec.simtunnel". */
int luaopen_spec_simtunnel_server(lua_State *L);
int luaopen_spec_simtunnel_server(lua_State *L) {
  lua_newtable(L);
  return 1;
}
