/* SPDX-License-Identifier: MIT */
/* spec.h1: one HTTP/1.1 connection in a world of its own: a scripted stream, a
   clock that stands still, and exchanges that the spec answers or asks. */
#include <stdlib.h>

#include "h1_world.h"

/* ---- engine ---- */

static uint64_t read_clock(void *context) {
  return ((struct world *)context)->clock;
}

static void read_random(void *context, void *data, size_t length) {
  struct world *world = context;
  uint8_t *bytes = data;

  for (size_t i = 0; i < length; i++) {
    world->seed = world->seed * UINT64_C(6364136223846793005) + 1442695;
    bytes[i] = (uint8_t)(world->seed >> 56);
  }
}

/* ---- the stream ---- */

static struct world *world_of(struct rv_stream *stream) {
  return rv_container_of(stream, struct world, stream);
}

static void touch(struct rv_stream *stream) {
  struct world *world = world_of(stream);

  if (world->connected && !world->gone)
    rv_turn_add(&world->engine.turn, &world->write_job, RV_PHASE_WRITE);
}

static void set_reading(struct rv_stream *stream, bool reading) {
  world_of(stream)->reading = reading;
}

static void shut(struct rv_stream *stream) {
  (void)stream;
}

static void leave(struct world *world, int error) {
  if (world->gone)
    return;
  world->gone = true;
  world->error = error;
  rv_turn_remove(&world->write_job);
  rv_turn_add(&world->engine.turn, &world->free_job, RV_PHASE_FREE);
}

static void close_stream(struct rv_stream *stream, enum rv_stream_close how) {
  struct world *world = world_of(stream);

  if (stream->user == NULL)
    return;
  stream->user = NULL;
  world->closed = how == RV_STREAM_LINGER ? "linger" : "abort";
  leave(world, 0);
}

static void run_free(struct rv_job *job) {
  struct world *world = rv_container_of(job, struct world, free_job);
  struct rv_stream_user *user = world->user;

  world->user = NULL;
  if (user != NULL)
    user->ops->on_closed(user, world->error);
}

static size_t accept_bytes(
    struct world *world, const struct iovec *vectors, size_t count) {
  size_t taken = 0;

  for (size_t i = 0; i < count; i++) {
    size_t n = vectors[i].iov_len;
    if (n > world->window - taken)
      n = world->window - taken;
    world->out = realloc(world->out, world->out_length + n + 1);
    memcpy(world->out + world->out_length, vectors[i].iov_base, n);
    world->out_length += n;
    taken += n;
  }
  return taken;
}

static void run_write(struct rv_job *job) {
  struct world *world = rv_container_of(job, struct world, write_job);
  struct iovec vectors[WRITE_VECTORS];
  size_t count, length = 0, taken;

  if (world->gone)
    return;
  count = world->user->ops->gather(world->user, vectors, WRITE_VECTORS);
  for (size_t i = 0; i < count; i++)
    length += vectors[i].iov_len;
  if (length > world->most_gathered)
    world->most_gathered = length;
  if (world->gone || length == 0)
    return;
  taken = accept_bytes(world, vectors, count);
  if (world->window != SIZE_MAX)
    world->window -= taken;
  world->writes++;
  if (taken > 0)
    world->user->ops->on_sent(world->user, taken);
  if (!world->gone && taken > 0 && (taken < length || count == WRITE_VECTORS))
    touch(&world->stream);
}

static const struct rv_stream_ops stream_ops = {
  .touch = touch,
  .set_reading = set_reading,
  .shutdown = shut,
  .close = close_stream,
};

/* One event: what one read of a socket would give. */
static bool deliver(struct world *world) {
  struct rv_slice slice;

  if (world->gone || !world->reading || !world->connected)
    return false;
  if (rv_slices_take(&world->arriving, RV_CHUNK_SIZE, &slice)) {
    world->user->ops->on_data(world->user, slice);
    return true;
  }
  if (!world->fin_arrives)
    return false;
  world->fin_arrives = false;
  world->user->ops->on_end(world->user);
  return true;
}

void spec_h1_run(struct world *world) {
  int rounds = 0;
  bool more = true;

  while (more && rounds++ < MAX_ROUNDS) {
    more = deliver(world);
    while (!rv_turn_idle(&world->engine.turn) && rounds++ < MAX_ROUNDS)
      rv_turn_run(&world->engine.turn);
  }
}

/* ---- callbacks ---- */

static void on_server_closed(struct rv_h1_server *server, void *user_data) {
  struct world *world = user_data;

  (void)server;
  world->server = NULL;
}

static void on_client_closed(struct rv_h1_client *client, void *user_data) {
  struct world *world = user_data;

  (void)client;
  world->client = NULL;
}

static void on_ended(const struct rv_exchange *exchange, void *user_data) {
  struct world *world = user_data;

  world->ended++;
  world->reported_failure = rv_failure_row(exchange->failure)->word;
  memcpy(world->reported_id, exchange->record.request_id,
      sizeof(world->reported_id));
}

static void on_idle(struct rv_h1_client *client, void *user_data) {
  struct world *world = user_data;

  (void)client;
  world->idle++;
}

/* ---- making worlds ---- */

static struct world *new_world(lua_State *L) {
  struct world *world;

  luaL_checktype(L, 1, LUA_TTABLE);
  world = lua_newuserdatauv(L, sizeof(*world), 1);
  memset(world, 0, sizeof(*world));
  luaL_setmetatable(L, WORLD);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  world->clock = RV_SECOND;
  world->window = SIZE_MAX;
  world->reading = true;
  world->limits = rv_limits_default;
  world->answer = text(L, 1, "answer");
  world->ignores = flag(L, 1, "ignores");
  world->handler.handle = spec_h1_handle;
  rv_engine_init(&world->engine,
      &(struct rv_engine_options){ .read_clock = read_clock,
          .read_random = read_random,
          .context = world,
          .memory_budget = (size_t)number(L, 1, "memory_budget") });
  world->stream = (struct rv_stream){ .ops = &stream_ops };
  world->write_job.run = run_write;
  world->free_job.run = run_free;
  rv_slices_init(&world->arriving);
  return world;
}

static int new_server(lua_State *L) {
  struct world *world = new_world(L);
  struct rv_h1_server_options options = {
    .engine = &world->engine,
    .limits = &world->limits,
    .handler = &world->handler,
    .scheme = RV_SPAN("http"),
    .default_host = rv_span_of(text(L, 1, "default_host")),
    .head_timeout = seconds(L, 1, "head_timeout"),
    .keep_alive_timeout = seconds(L, 1, "keep_alive_timeout"),
    .body_timeout = seconds(L, 1, "body_timeout"),
    .half_close = flag(L, 1, "half_close"),
    .on_closed = on_server_closed,
    .on_exchange_ended = on_ended,
    .user_data = world,
  };

  if (rv_h1_server_new(&world->server, &options) < 0)
    abort();
  world->user = world->stream.user = rv_h1_server_user(world->server);
  world->connected = true;
  rv_h1_server_start(world->server, &world->stream);
  spec_h1_run(world);
  return 1;
}

static int new_client(lua_State *L) {
  struct world *world = new_world(L);
  struct rv_h1_client_options options = {
    .engine = &world->engine,
    .limits = &world->limits,
    .response_timeout = seconds(L, 1, "response_timeout"),
    .body_timeout = seconds(L, 1, "body_timeout"),
    .on_idle = on_idle,
    .on_closed = on_client_closed,
    .user_data = world,
  };

  world->is_client = true;
  if (rv_h1_client_new(&world->client, &options) < 0)
    abort();
  world->user = world->stream.user = rv_h1_client_user(world->client);
  rv_h1_client_start(world->client, &world->stream);
  return 1;
}

/* connect(): the dialled stream is there. */
static int world_connect(lua_State *L) {
  struct world *world = check(L);

  world->connected = true;
  touch(&world->stream);
  if (!world->gone)
    world->user->ops->on_connected(world->user);
  spec_h1_run(world);
  return 0;
}

/* ---- the peer ---- */

static int world_feed(lua_State *L) {
  struct world *world = check(L);
  struct rv_span bytes = to_span(L, 2);

  if (rv_slices_copy(&world->arriving, &world->engine.chunks, bytes.data,
          bytes.length) < 0)
    abort();
  spec_h1_run(world);
  return 0;
}

static int world_fin(lua_State *L) {
  struct world *world = check(L);

  world->fin_arrives = true;
  spec_h1_run(world);
  return 0;
}

/* reset(errno): the connection breaks. */
static int world_reset(lua_State *L) {
  struct world *world = check(L);

  leave(world, (int)luaL_checkinteger(L, 2));
  spec_h1_run(world);
  return 0;
}

/* window(bytes): what the socket takes from now on. */
static int world_window(lua_State *L) {
  struct world *world = check(L);

  world->window = lua_isnil(L, 2) ? SIZE_MAX : (size_t)lua_tointeger(L, 2);
  touch(&world->stream);
  spec_h1_run(world);
  return 0;
}

/* output(): all that was sent since the last call. */
static int world_output(lua_State *L) {
  struct world *world = check(L);

  lua_pushlstring(L, world->out != NULL ? world->out : "", world->out_length);
  world->out_length = 0;
  return 1;
}

static int world_advance(lua_State *L) {
  struct world *world = check(L);

  world->clock += (uint64_t)(luaL_checknumber(L, 2) * 1e9);
  rv_engine_refresh(&world->engine);
  rv_timers_run(&world->engine.timers, world->engine.now);
  spec_h1_run(world);
  return 0;
}

static int world_run(lua_State *L) {
  spec_h1_run(check(L));
  return 0;
}

static int world_state(lua_State *L) {
  struct world *world = check(L);

  lua_newtable(L);
  set_text(L, "closed", world->closed);
  set_bool(L, "gone", world->user == NULL);
  set_bool(L, "reading", world->reading);
  set_bool(
      L, "busy", world->server != NULL && rv_h1_server_is_busy(world->server));
  set_number(L, "arriving", (int64_t)world->arriving.length);
  set_number(L, "exchanges", (int64_t)world->count);
  set_number(L, "live", (int64_t)world->engine.live.exchanges);
  set_number(L, "ended", world->ended);
  set_number(L, "idle", world->idle);
  set_number(L, "writes", (int64_t)world->writes);
  set_number(L, "most_gathered", (int64_t)world->most_gathered);
  set_number(L, "chunks", (int64_t)world->engine.chunks.live);
  set_text(L, "reported_id", world->reported_id);
  set_text(L, "reported_failure", world->reported_failure);
  return 1;
}

static int world_drain(lua_State *L) {
  struct world *world = check(L);

  if (world->server != NULL)
    rv_h1_server_drain(world->server);
  spec_h1_run(world);
  return 0;
}

static int world_close(lua_State *L) {
  struct world *world = check(L);

  if (world->server != NULL)
    rv_h1_server_abort(world->server);
  if (world->client != NULL)
    rv_h1_client_close(world->client);
  spec_h1_run(world);
  return 0;
}

/* finish(): closes what is open; returns how many objects are left. */
static int world_finish(lua_State *L) {
  struct world *world = check(L);
  const struct rv_counters *live = &world->engine.live;

  if (world->finished)
    return 0;
  world->finished = true;
  lua_settop(L, 1);
  (void)world_close(L);
  for (size_t i = 0; i < MAX_EXCHANGES; i++) {
    spec_h1_leave_exchange(&world->parties[i]);
    rv_turn_remove(&world->parties[i].job);
  }
  spec_h1_run(world);
  rv_slices_deinit(&world->arriving);
  lua_pushinteger(
      L, (lua_Integer)live->exchanges + (lua_Integer)live->h1_connections);
  rv_engine_deinit(&world->engine);
  free(world->out);
  return 1;
}

static const luaL_Reg methods[] = {
  { "connect", world_connect },
  { "feed", world_feed },
  { "fin", world_fin },
  { "reset", world_reset },
  { "window", world_window },
  { "output", world_output },
  { "advance", world_advance },
  { "run", world_run },
  { "state", world_state },
  { "drain", world_drain },
  { "close", world_close },
  { "finish", world_finish },
  { "__gc", world_finish },
  { NULL, NULL },
};

static const luaL_Reg functions[] = {
  { "server", new_server },
  { "client", new_client },
  { NULL, NULL },
};

/* Both tables of methods, in one metatable. */
int luaopen_spec_h1(lua_State *L);
int luaopen_spec_h1(lua_State *L) {
  luaopen_spec_h1_exchange(L);
  luaL_newmetatable(L, WORLD);
  lua_pushnil(L);
  while (lua_next(L, -3)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_settable(L, -4);
  }
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, functions);
  return 1;
}
