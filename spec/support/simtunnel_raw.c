/* SPDX-License-Identifier: MIT */
/* Raw peers of the simulated tunnels: QUIC connections, of either end, whose
   stream bytes are a spec's own. */
#include "simtunnel.h"

#include <assert.h>
#include <reverst/error.h>
#include <stdlib.h>

/* Bytes of one write; they stay until the stream is closed. */
struct block {
  struct block *next;
  size_t length, sent;
  bool fin, fin_sent;
  uint8_t data[];
};

struct sim_flow {
  struct sim_flow *next;
  int64_t id;
  struct block *blocks, **last;
  struct rv_buffer received;
  bool fin, reset, stopped, closed, blocked, shut;
  uint64_t reset_code, stop_code;
};

static struct sim_raw *raw_of(struct rv_quic_application *application) {
  return rv_container_of(application, struct sim_raw, application);
}

static struct sim_flow *find_flow(struct sim_raw *raw, int64_t id) {
  struct sim_flow *flow = raw->flows;

  while (flow != NULL && flow->id != id)
    flow = flow->next;
  return flow;
}

static struct sim_flow *get_flow(struct sim_raw *raw, int64_t id) {
  struct sim_flow *flow = find_flow(raw, id);

  if (flow != NULL)
    return flow;
  flow = calloc(1, sizeof(*flow));
  assert(flow);
  flow->id = id;
  flow->last = &flow->blocks;
  rv_buffer_init(&flow->received, 0);
  flow->next = raw->flows;
  raw->flows = flow;
  return flow;
}

static void free_blocks(struct sim_flow *flow) {
  while (flow->blocks != NULL) {
    struct block *block = flow->blocks;

    flow->blocks = block->next;
    free(block);
  }
  flow->last = &flow->blocks;
}

/* ---- what the connection calls ---- */

static void on_handshake_completed(struct rv_quic_application *application) {
  raw_of(application)->handshake = true;
}

static int on_stream_data(struct rv_quic_application *application,
    int64_t stream_id, const uint8_t *data, size_t length, bool fin) {
  struct sim_raw *raw = raw_of(application);
  struct sim_flow *flow = get_flow(raw, stream_id);

  rv_buffer_append(&flow->received, data, length);
  flow->fin |= fin;
  rv_quic_connection_credit(raw->connection, stream_id, length);
  return 0;
}

static void on_stream_reset(
    struct rv_quic_application *application, int64_t stream_id, uint64_t code) {
  struct sim_flow *flow = get_flow(raw_of(application), stream_id);

  flow->reset = true;
  flow->reset_code = code;
}

static void on_stream_stop_sending(
    struct rv_quic_application *application, int64_t stream_id, uint64_t code) {
  struct sim_flow *flow = get_flow(raw_of(application), stream_id);

  flow->stopped = true;
  flow->stop_code = code;
}

static void on_stream_closed(
    struct rv_quic_application *application, int64_t stream_id) {
  struct sim_flow *flow = get_flow(raw_of(application), stream_id);

  flow->closed = true;
  free_blocks(flow);
  rv_quic_connection_release_stream(raw_of(application)->connection);
}

static void on_stream_acknowledged(struct rv_quic_application *application,
    int64_t stream_id, uint64_t length) {
  (void)application;
  (void)stream_id;
  (void)length;
}

static void on_credit(
    struct rv_quic_application *application, int64_t stream_id) {
  struct sim_flow *flow = raw_of(application)->flows;

  for (; flow != NULL; flow = flow->next)
    if (stream_id < 0 || flow->id == stream_id)
      flow->blocked = false;
}

static struct block *unsent(const struct sim_flow *flow) {
  struct block *block = flow->blocks;

  while (block != NULL && block->sent == block->length &&
         (!block->fin || block->fin_sent))
    block = block->next;
  return block;
}

static bool next_write(
    struct rv_quic_application *application, struct rv_quic_write *write) {
  for (struct sim_flow *flow = raw_of(application)->flows; flow != NULL;
       flow = flow->next) {
    struct block *block = unsent(flow);

    if (block == NULL || flow->blocked || flow->shut || flow->closed)
      continue;
    write->stream_id = flow->id;
    write->vectors[0] = (struct iovec){ block->data + block->sent,
      block->length - block->sent };
    write->vector_count = block->length > block->sent;
    write->fin = block->fin;
    return true;
  }
  return false;
}

static void on_written(struct rv_quic_application *application,
    int64_t stream_id, size_t length, bool fin) {
  struct block *block = unsent(get_flow(raw_of(application), stream_id));

  block->sent += length;
  block->fin_sent = fin;
}

static void on_blocked(
    struct rv_quic_application *application, int64_t stream_id) {
  get_flow(raw_of(application), stream_id)->blocked = true;
}

static void on_write_shut(
    struct rv_quic_application *application, int64_t stream_id) {
  get_flow(raw_of(application), stream_id)->shut = true;
}

static void on_closed(struct rv_quic_application *application,
    const struct rv_quic_close *close) {
  struct sim_raw *raw = raw_of(application);

  raw->connection = NULL;
  raw->close = *close;
  raw->closed_at = simnet_now(raw->world->net);
  memcpy(raw->reason, close->reason.data ? close->reason.data : "",
      close->reason.length);
}

static const struct rv_quic_application callbacks = {
  .on_handshake_completed = on_handshake_completed,
  .on_stream_data = on_stream_data,
  .on_stream_reset = on_stream_reset,
  .on_stream_stop_sending = on_stream_stop_sending,
  .on_stream_closed = on_stream_closed,
  .on_stream_acknowledged = on_stream_acknowledged,
  .on_credit = on_credit,
  .next_write = next_write,
  .on_written = on_written,
  .on_blocked = on_blocked,
  .on_write_shut = on_write_shut,
  .on_closed = on_closed,
};

static struct sim_raw *new_raw(struct sim_world *world, bool is_server) {
  struct sim_raw *raw = calloc(1, sizeof(*raw));

  assert(raw && world->raw_count < SIM_MAX_RAWS);
  raw->world = world;
  raw->application = callbacks;
  raw->is_server = is_server;
  world->raws[world->raw_count++] = raw;
  return raw;
}

/* ---- endpoints ---- */

static void on_datagram(const struct rv_datagram *datagram, void *user_data) {
  struct sim_raw_endpoint *raw = user_data;

  if (raw->endpoint != NULL)
    rv_quic_endpoint_receive(raw->endpoint, datagram);
}

static void on_accept(
    struct rv_quic_endpoint *endpoint, struct rv_quic_connection *connection) {
  struct sim_raw_endpoint *own = rv_quic_endpoint_user_data(endpoint);
  struct sim_raw *raw = new_raw(own->world, true);

  raw->connection = connection;
  rv_quic_connection_set_application(connection, &raw->application);
  rv_quic_connection_accept(connection);
}

static void open_endpoint(struct sim_raw_endpoint *raw, struct sim_world *world,
    struct rv_tls_context *server_tls) {
  struct rv_quic_endpoint_options options = {
    .server_tls = server_tls,
    .alpn = "quic-h3-tunnel",
    .on_accept = on_accept,
    .user_data = raw,
  };
  int r;

  raw->socket = simnet_socket_new(&(struct simnet_socket_options){
      .host = raw->host, .on_datagram = on_datagram, .user_data = raw });
  options.engine = simnet_host_engine(raw->host);
  options.sink = simnet_socket_sink(raw->socket);
  raw->world = world;
  r = rv_quic_endpoint_new(&raw->endpoint, &options);
  assert(r == 0);
  (void)r;
}

static void forget(void *user_data) {
  ((struct sim_raw_endpoint *)user_data)->endpoint = NULL;
}

static void close_endpoint(struct sim_raw_endpoint *raw) {
  if (raw->endpoint != NULL)
    rv_quic_endpoint_close(raw->endpoint, forget, raw);
}

void sim_raw_close_endpoints(struct sim_world *world) {
  close_endpoint(&world->raw_client);
  close_endpoint(&world->raw_server);
}

void sim_raw_free_all(struct sim_world *world) {
  for (size_t i = 0; i < world->raw_count; i++) {
    struct sim_raw *raw = world->raws[i];

    while (raw->flows != NULL) {
      struct sim_flow *flow = raw->flows;

      raw->flows = flow->next;
      free_blocks(flow);
      rv_buffer_deinit(&flow->received);
      free(flow);
    }
    free(raw);
  }
  world->raw_count = 0;
}

/* ---- methods of the world ---- */

static struct sim_raw *check_raw(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  lua_Integer i = luaL_checkinteger(L, 2);

  luaL_argcheck(L, i >= 1 && (size_t)i <= world->raw_count, 2, "no raw peer");
  return world->raws[i - 1];
}

static struct sim_raw *check_open(lua_State *L) {
  struct sim_raw *raw = check_raw(L);

  luaL_argcheck(L, raw->connection, 2, "closed");
  return raw;
}

/* world:raw_server(): a listener that takes any connection */
static int raw_server(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  const struct rv_tls_server_options options = { world->certificate,
    world->key };
  struct rv_tls_context *tls;
  int r;

  world->raw_server.host = simnet_host_new(world->net, NULL);
  r = rv_tls_server_context_new(
      &tls, simnet_host_engine(world->raw_server.host), &options);
  if (r < 0)
    return luaL_error(L, "%s", reverst_error_name(r));
  open_endpoint(&world->raw_server, world, tls);
  rv_tls_context_unref(tls);
  return 0;
}

/* world:raw_connect(settings): the number of a raw peer that dials */
static int raw_connect(lua_State *L) {
  struct sim_world *world = sim_check_world(L);
  struct sim_raw_endpoint *own = &world->raw_client;
  const struct rv_tls_client_options options = { .insecure = true };
  struct rv_quic_connect_options connect = { .server_name = "localhost" };
  struct sim_raw *raw;
  int r;

  if (own->host == NULL) {
    own->host = simnet_host_new(world->net, NULL);
    open_endpoint(own, world, NULL);
  }
  raw = new_raw(world, false);
  connect.local = simnet_socket_address(own->socket);
  connect.remote = simnet_socket_address(world->socket);
  connect.settings = sim_get_settings(L, 2);
  connect.application = &raw->application;
  r = rv_tls_client_context_new(
      &connect.tls, simnet_host_engine(own->host), &options);
  if (r == 0)
    r = rv_quic_endpoint_connect(own->endpoint, &raw->connection, &connect);
  rv_tls_context_unref(connect.tls);
  if (r < 0)
    return luaL_error(L, "%s", reverst_error_name(r));
  lua_pushinteger(L, (lua_Integer)world->raw_count);
  return 1;
}

/* world:raw_accepted(): the number of the newest accepted one, or nil */
static int raw_accepted(lua_State *L) {
  struct sim_world *world = sim_check_world(L);

  for (size_t i = world->raw_count; i-- > 0;)
    if (world->raws[i]->is_server && world->raws[i]->handshake) {
      lua_pushinteger(L, (lua_Integer)i + 1);
      return 1;
    }
  return 0;
}

/* world:raw_open(raw, bidi): the id of a new stream */
static int raw_open(lua_State *L) {
  struct sim_raw *raw = check_open(L);
  int64_t id;
  int r =
      rv_quic_connection_open_stream(raw->connection, lua_toboolean(L, 3), &id);

  if (r < 0)
    return luaL_error(L, "%s", reverst_error_name(r));
  get_flow(raw, id);
  lua_pushinteger(L, id);
  return 1;
}

/* world:raw_write(raw, id, bytes, fin) */
static int raw_write(lua_State *L) {
  struct sim_raw *raw = check_open(L);
  struct sim_flow *flow = get_flow(raw, luaL_checkinteger(L, 3));
  size_t length;
  const char *bytes = luaL_checklstring(L, 4, &length);
  struct block *block = malloc(sizeof(*block) + length);

  assert(block);
  *block = (struct block){ .length = length, .fin = lua_toboolean(L, 5) };
  memcpy(block->data, bytes, length);
  *flow->last = block;
  flow->last = &block->next;
  rv_quic_connection_touch(raw->connection);
  return 0;
}

/* world:raw_reset(raw, id, code) */
static int raw_reset(lua_State *L) {
  rv_quic_connection_reset_stream(check_open(L)->connection,
      luaL_checkinteger(L, 3), (uint64_t)luaL_checkinteger(L, 4));
  return 0;
}

/* world:raw_close(raw, code, reason) */
static int raw_close(lua_State *L) {
  rv_quic_connection_close(check_open(L)->connection, RV_QUIC_CLOSE_APPLICATION,
      (uint64_t)luaL_checkinteger(L, 3), rv_span_of(luaL_checkstring(L, 4)));
  return 0;
}

/* world:raw(raw): {handshake=, closed={...}} */
static int raw_state(lua_State *L) {
  const struct sim_raw *raw = check_raw(L);

  lua_newtable(L);
  lua_pushboolean(L, raw->handshake);
  lua_setfield(L, -2, "handshake");
  if (raw->closed_at > 0) {
    sim_push_close(L, &raw->close, raw->reason, raw->closed_at);
    lua_setfield(L, -2, "closed");
  }
  return 1;
}

static void set_code(
    lua_State *L, const char *key, bool happened, uint64_t code) {
  if (!happened)
    return;
  lua_pushinteger(L, (lua_Integer)code);
  lua_setfield(L, -2, key);
}

/* world:raw_stream(raw, id): {bytes=, fin=, reset=code, stopped=code, closed=};
   nil when nothing is known of it */
static int raw_stream(lua_State *L) {
  const struct sim_flow *flow =
      find_flow(check_raw(L), luaL_checkinteger(L, 3));

  if (flow == NULL)
    return 0;
  lua_newtable(L);
  lua_pushlstring(L, (const char *)flow->received.data, flow->received.length);
  lua_setfield(L, -2, "bytes");
  lua_pushboolean(L, flow->fin);
  lua_setfield(L, -2, "fin");
  lua_pushboolean(L, flow->closed);
  lua_setfield(L, -2, "closed");
  set_code(L, "reset", flow->reset, flow->reset_code);
  set_code(L, "stopped", flow->stopped, flow->stop_code);
  return 1;
}

const luaL_Reg sim_raw_methods[] = {
  { "raw_server", raw_server },
  { "raw_connect", raw_connect },
  { "raw_accepted", raw_accepted },
  { "raw_open", raw_open },
  { "raw_write", raw_write },
  { "raw_reset", raw_reset },
  { "raw_close", raw_close },
  { "raw", raw_state },
  { "raw_stream", raw_stream },
  { NULL, NULL },
};

/* It has no functions of its own: require "spec.simtunnel". */
int luaopen_spec_simtunnel_raw(lua_State *L);
int luaopen_spec_simtunnel_raw(lua_State *L) {
  lua_newtable(L);
  return 1;
}
