/* SPDX-License-Identifier: MIT */
/* A tunnel client whose every byte a spec writes: QUIC and TLS are ours, what
   rides on the streams need not make sense. */
#include "world.h"

#include "event/udp.h"
#include "quic/endpoint.h"
#include <reverst/error.h>
#include <stdlib.h>
#include <string.h>

#define ROGUE "spec.world_rogue"

enum { MAX_STREAMS = 512 };

int luaopen_spec_world_rogue(lua_State *L);

/* Kept to the end: QUIC sends again from these very bytes. */
struct piece {
  struct piece *next;
  int64_t stream_id;
  size_t length, sent;
  bool fin, done;
  uint8_t data[];
};

struct rogue {
  struct world *world;
  struct rv_quic_application application;
  struct rv_loop *loop; /* NULL: closed */
  struct rv_udp *udp;
  struct rv_quic_endpoint *endpoint;
  struct rv_quic_connection *connection; /* NULL: it has ended */
  struct piece *first, **last;
  bool open, gone, holds_credit;
  uint64_t code;
  char reason[256];
  int64_t requests[MAX_STREAMS]; /* streams that the server opened */
  size_t request_count;
  size_t received;
};

static struct rogue *rogue_of(struct rv_quic_application *application) {
  return rv_container_of(application, struct rogue, application);
}

/* ---- what the connection calls ---- */

static void on_handshake_completed(struct rv_quic_application *application) {
  rogue_of(application)->open = true;
}

static int on_stream_data(struct rv_quic_application *application,
    int64_t stream_id, const uint8_t *data, size_t length, bool fin) {
  struct rogue *rogue = rogue_of(application);
  size_t i = 0;

  (void)data;
  (void)fin;
  rogue->received += length;
  while (i < rogue->request_count && rogue->requests[i] != stream_id)
    i++;
  if ((stream_id & 3) == 1 && i == rogue->request_count && i < MAX_STREAMS)
    rogue->requests[rogue->request_count++] = stream_id;
  return rogue->holds_credit ? 0 : REVERST_ERR_CLOSED;
}

static void on_stream_code(
    struct rv_quic_application *application, int64_t stream_id, uint64_t code) {
  (void)application;
  (void)stream_id;
  (void)code;
}

static void drop_pieces(struct rogue *rogue, int64_t stream_id) {
  for (struct piece *piece = rogue->first; piece != NULL; piece = piece->next)
    if (stream_id < 0 || piece->stream_id == stream_id)
      piece->done = true;
}

static void on_stream_closed(
    struct rv_quic_application *application, int64_t stream_id) {
  struct rogue *rogue = rogue_of(application);

  drop_pieces(rogue, stream_id);
  if (rogue->connection != NULL)
    rv_quic_connection_release_stream(rogue->connection);
}

static void on_stream_acknowledged(struct rv_quic_application *application,
    int64_t stream_id, uint64_t length) {
  (void)application;
  (void)stream_id;
  (void)length;
}

static void on_credit(
    struct rv_quic_application *application, int64_t stream_id) {
  (void)stream_id;
  rv_quic_connection_touch(rogue_of(application)->connection);
}

static struct piece *next_piece(struct rogue *rogue) {
  struct piece *piece = rogue->first;

  while (piece != NULL && piece->done)
    piece = piece->next;
  return piece;
}

static bool next_write(
    struct rv_quic_application *application, struct rv_quic_write *write) {
  struct piece *piece = next_piece(rogue_of(application));

  if (piece == NULL)
    return false;
  write->stream_id = piece->stream_id;
  write->vectors[0] =
      (struct iovec){ piece->data + piece->sent, piece->length - piece->sent };
  write->vector_count = 1;
  write->fin = piece->fin;
  return true;
}

static void on_written(struct rv_quic_application *application,
    int64_t stream_id, size_t length, bool fin) {
  struct piece *piece = next_piece(rogue_of(application));

  (void)stream_id;
  piece->sent += length;
  piece->done = piece->sent == piece->length && fin == piece->fin;
}

static void on_shut(
    struct rv_quic_application *application, int64_t stream_id) {
  drop_pieces(rogue_of(application), stream_id);
}

static void on_closed(struct rv_quic_application *application,
    const struct rv_quic_close *close) {
  struct rogue *rogue = rogue_of(application);
  size_t length = close->reason.length;

  if (length >= sizeof(rogue->reason))
    length = sizeof(rogue->reason) - 1;
  if (length > 0)
    memcpy(rogue->reason, close->reason.data, length);
  rogue->code = close->code;
  rogue->gone = true;
  rogue->connection = NULL;
}

static const struct rv_quic_application callbacks = {
  .on_handshake_completed = on_handshake_completed,
  .on_stream_data = on_stream_data,
  .on_stream_reset = on_stream_code,
  .on_stream_stop_sending = on_stream_code,
  .on_stream_closed = on_stream_closed,
  .on_stream_acknowledged = on_stream_acknowledged,
  .on_credit = on_credit,
  .next_write = next_write,
  .on_written = on_written,
  .on_blocked = on_shut, /* what does not fit is never sent */
  .on_write_shut = on_shut,
  .on_closed = on_closed,
};

/* ---- making ---- */

static void on_datagram(const struct rv_datagram *datagram, void *user_data) {
  struct rogue *rogue = user_data;

  if (rogue->endpoint != NULL)
    rv_quic_endpoint_receive(rogue->endpoint, datagram);
}

static void on_writable(void *user_data) {
  struct rogue *rogue = user_data;

  if (rogue->endpoint != NULL)
    rv_quic_endpoint_writable(rogue->endpoint);
}

static int open_endpoint(struct rogue *rogue) {
  struct rv_address local;
  struct rv_udp_options udp = {
    .loop = rogue->loop,
    .address = &local,
    .on_datagram = on_datagram,
    .on_writable = on_writable,
    .user_data = rogue,
  };
  struct rv_quic_endpoint_options endpoint = {
    .engine = rv_loop_engine(rogue->loop),
    .alpn = "quic-h3-tunnel",
    .user_data = rogue,
  };
  int r = rv_address_parse(&local, rv_span_of("127.0.0.1:0"));

  if (r == 0)
    r = rv_udp_open(&rogue->udp, &udp);
  if (r < 0)
    return r;
  endpoint.sink = rv_udp_sink(rogue->udp);
  return rv_quic_endpoint_new(&rogue->endpoint, &endpoint);
}

static int dial(lua_State *L, struct rogue *rogue) {
  struct rv_tls_client_options tls = { .insecure = true };
  struct rv_address remote;
  struct rv_quic_connect_options connect = {
    .local = rv_udp_address(rogue->udp),
    .remote = &remote,
    .server_name = "tunnel.test",
    .settings = {
      .max_streams_bidi = (uint64_t)world_number(L, 2, "max_streams", 100),
      .connection_window = 1024 * 1024,
    },
    .application = &rogue->application,
  };
  int r = rv_address_parse(&remote, rv_span_of(world_text(L, 2, "address")));

  if (r == 0)
    r = rv_tls_client_context_new(
        &connect.tls, rv_loop_engine(rogue->loop), &tls);
  if (r == 0)
    r = rv_quic_endpoint_connect(rogue->endpoint, &rogue->connection, &connect);
  rv_tls_context_unref(connect.tls);
  return r;
}

/* new(world, { address, max_streams }) */
static int new_rogue(lua_State *L) {
  struct world *world = world_check(L, 1);
  struct rogue *rogue = world_new_object(L, sizeof(*rogue), ROGUE, 2);
  struct rv_loop_options loop = { .log_level = REVERST_LOG_OFF };
  int r;

  rogue->world = world;
  rogue->application = callbacks;
  rogue->last = &rogue->first;
  r = rv_loop_new(&rogue->loop, world->base, &loop);
  if (r == 0)
    r = open_endpoint(rogue);
  if (r == 0)
    r = dial(L, rogue);
  return r == 0 ? 1 : luaL_error(L, "%s", reverst_strerror(r));
}

/* ---- what a spec does with it ---- */

static struct rogue *check_rogue(lua_State *L) {
  struct rogue *rogue = luaL_checkudata(L, 1, ROGUE);

  if (rogue->connection != NULL)
    rv_engine_refresh(rv_loop_engine(rogue->loop));
  return rogue;
}

/* rogue:open(bidi) -> the stream's id, or nil */
static int open_stream(lua_State *L) {
  struct rogue *rogue = check_rogue(L);
  int64_t id;

  if (rogue->connection == NULL ||
      rv_quic_connection_open_stream(
          rogue->connection, lua_toboolean(L, 2), &id) < 0)
    return 0;
  lua_pushinteger(L, id);
  return 1;
}

/* rogue:send(id, bytes, fin) */
static int send_bytes(lua_State *L) {
  struct rogue *rogue = check_rogue(L);
  size_t length;
  const char *data = luaL_checklstring(L, 3, &length);
  struct piece *piece = calloc(1, sizeof(*piece) + length);

  if (piece == NULL)
    return luaL_error(L, "out of memory");
  piece->stream_id = luaL_checkinteger(L, 2);
  piece->fin = lua_toboolean(L, 4);
  piece->length = length;
  memcpy(piece->data, data, length);
  *rogue->last = piece;
  rogue->last = &piece->next;
  if (rogue->connection != NULL)
    rv_quic_connection_touch(rogue->connection);
  return 0;
}

/* rogue:reset(id, code), rogue:stop(id, code) */
static int reset_stream(lua_State *L) {
  struct rogue *rogue = check_rogue(L);

  if (rogue->connection != NULL)
    rv_quic_connection_reset_stream(rogue->connection, luaL_checkinteger(L, 2),
        (uint64_t)luaL_checkinteger(L, 3));
  return 0;
}

static int stop_stream(lua_State *L) {
  struct rogue *rogue = check_rogue(L);

  if (rogue->connection != NULL)
    rv_quic_connection_stop_stream(rogue->connection, luaL_checkinteger(L, 2),
        (uint64_t)luaL_checkinteger(L, 3));
  return 0;
}

/* rogue:hold(true): no stream credit from now on */
static int hold(lua_State *L) {
  check_rogue(L)->holds_credit = lua_toboolean(L, 2);
  return 0;
}

/* rogue:facts() -> a table */
static int facts(lua_State *L) {
  const struct rogue *rogue = check_rogue(L);

  lua_newtable(L);
  lua_pushboolean(L, rogue->open);
  lua_setfield(L, -2, "open");
  lua_pushboolean(L, rogue->gone);
  lua_setfield(L, -2, "gone");
  lua_pushstring(L, rogue->reason);
  lua_setfield(L, -2, "reason");
  world_set_number(L, "code", rogue->code);
  world_set_number(L, "received", rogue->received);
  lua_newtable(L);
  for (size_t i = 0; i < rogue->request_count; i++) {
    lua_pushinteger(L, rogue->requests[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "requests");
  return 1;
}

static void on_loop_freed(void *user_data) {
  struct rogue *rogue = user_data;
  struct piece *next;

  for (; rogue->first != NULL; rogue->first = next) {
    next = rogue->first->next;
    free(rogue->first);
  }
  world_drop(rogue->world, rogue);
}

static void on_endpoint_freed(void *user_data) {
  struct rogue *rogue = user_data;

  rogue->endpoint = NULL;
  rv_udp_close(rogue->udp);
  rv_loop_free_later(rogue->loop, on_loop_freed, rogue);
  rogue->loop = NULL;
}

/* rogue:close(): with CONNECTION_CLOSE; the world must turn until it is gone */
static int close_rogue(lua_State *L) {
  struct rogue *rogue = luaL_checkudata(L, 1, ROGUE);

  if (rogue->endpoint == NULL || rogue->loop == NULL)
    return 0;
  rv_engine_refresh(rv_loop_engine(rogue->loop));
  rv_quic_endpoint_close(rogue->endpoint, on_endpoint_freed, rogue);
  return 0;
}

static int is_closed(lua_State *L) {
  const struct rogue *rogue = luaL_checkudata(L, 1, ROGUE);

  lua_pushboolean(L, rogue->loop == NULL);
  return 1;
}

int luaopen_spec_world_rogue(lua_State *L) {
  static const luaL_Reg methods[] = { { "open", open_stream },
    { "send", send_bytes }, { "reset", reset_stream }, { "stop", stop_stream },
    { "hold", hold }, { "facts", facts }, { "close", close_rogue },
    { "is_closed", is_closed }, { NULL, NULL } };
  static const luaL_Reg functions[] = { { "new", new_rogue }, { NULL, NULL } };

  world_new_class(L, ROGUE, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
