/* SPDX-License-Identifier: MIT */
/* spec.h1: one HTTP/1.1 connection in a world of its own: a scripted stream, a
   clock that stands still, and exchanges that the spec answers or asks. */
#include <lauxlib.h>
#include <stdlib.h>

#include "h1/client.h"
#include "h1/server.h"

enum { MAX_EXCHANGES = 64, WRITE_VECTORS = 8, MAX_ROUNDS = 1000 };
#define WORLD "spec.h1.world"

/* The other party of an exchange: what a tunnel or an application would be. */
struct party {
  struct world *world;
  struct rv_exchange *exchange;
  struct rv_waker waker;
  struct rv_job job;
};

struct world {
  struct rv_engine engine;
  uint64_t clock;
  uint64_t seed;
  bool is_client, finished;
  struct rv_limits limits;

  struct rv_h1_server *server;
  struct rv_h1_client *client;
  struct rv_handler handler;
  bool ignores;       /* the handler attaches nobody */
  const char *answer; /* the handler answers each request at once, with this */
  unsigned ended, idle;
  char reported_id[33];

  struct party parties[MAX_EXCHANGES];
  size_t count;

  struct rv_stream stream;
  struct rv_stream_user *user;
  struct rv_job write_job, free_job;
  struct rv_slices arriving;
  bool fin_arrives, connected, reading, gone;
  const char *closed;
  int error;
  size_t window; /* bytes the socket takes */
  size_t most_gathered, writes;
  char *out;
  size_t out_length;
};

static struct world *check(lua_State *L) {
  return luaL_checkudata(L, 1, WORLD);
}

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

static void run_all(struct world *world) {
  int rounds = 0;
  bool more = true;

  while (more && rounds++ < MAX_ROUNDS) {
    more = deliver(world);
    while (!rv_turn_idle(&world->engine.turn) && rounds++ < MAX_ROUNDS)
      rv_turn_run(&world->engine.turn);
  }
}

/* ---- exchanges ---- */

static void on_wake(struct rv_waker *waker) {
  struct party *party = rv_container_of(waker, struct party, waker);

  if (party->world->answer != NULL)
    rv_turn_add(&party->world->engine.turn, &party->job, RV_PHASE_PROCESS);
}

static void leave_exchange(struct party *party) {
  struct rv_exchange *exchange = party->exchange;

  party->exchange = NULL;
  if (exchange == NULL)
    return;
  if (party->world->is_client)
    rv_exchange_detach_downstream(exchange);
  else
    rv_exchange_detach_upstream(exchange);
}

/* Of an upstream that answers by itself: reads the request to its end. */
static void run_party(struct rv_job *job) {
  struct party *party = rv_container_of(job, struct party, job);
  struct rv_exchange *exchange = party->exchange;
  struct rv_slice slice;

  if (exchange == NULL)
    return;
  while (rv_pipe_take(&exchange->request_body, SIZE_MAX, &slice))
    rv_slice_release(&slice);
  if (rv_pipe_finished(&exchange->request_body) && !exchange->has_response) {
    struct rv_head head;
    const char *answer = party->world->answer;
    rv_head_init(&head);
    head.status = 200;
    head.content_length = (int64_t)strlen(answer);
    (void)rv_exchange_respond(exchange, &head);
    (void)rv_pipe_push_copy(&exchange->response_body,
        &party->world->engine.chunks, answer, strlen(answer));
    (void)rv_pipe_end(&exchange->response_body, NULL);
  }
  if (exchange->cancelled || exchange->has_response)
    leave_exchange(party);
}

static struct party *add_party(struct world *world) {
  struct party *party = NULL;

  if (world->answer != NULL) {
    for (size_t i = 0; i < MAX_EXCHANGES && party == NULL; i++)
      if (world->parties[i].exchange == NULL)
        party = &world->parties[i];
    world->count++;
  } else if (world->count < MAX_EXCHANGES) {
    party = &world->parties[world->count++];
  }
  if (party == NULL)
    abort();
  rv_turn_remove(&party->job);
  *party = (struct party){ .world = world, .waker = { on_wake } };
  party->job.run = run_party;
  return party;
}

static void handle(struct rv_handler *handler, struct rv_exchange *exchange) {
  struct world *world = rv_container_of(handler, struct world, handler);
  struct party *party;

  if (world->ignores)
    return;
  party = add_party(world);
  party->exchange = exchange;
  rv_exchange_attach_upstream(exchange, &party->waker);
  on_wake(&party->waker);
}

static struct rv_exchange *check_exchange(lua_State *L) {
  struct world *world = check(L);
  lua_Integer i = luaL_checkinteger(L, 2);

  luaL_argcheck(L, i >= 1 && (size_t)i <= world->count, 2, "no such exchange");
  luaL_argcheck(L, world->parties[i - 1].exchange != NULL, 2, "it was left");
  return world->parties[i - 1].exchange;
}

/* The pipe that the spec reads, and the one it writes. */
static struct rv_pipe *incoming(struct world *world, struct rv_exchange *e) {
  return world->is_client ? &e->response_body : &e->request_body;
}

static struct rv_pipe *outgoing(struct world *world, struct rv_exchange *e) {
  return world->is_client ? &e->request_body : &e->response_body;
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
  memcpy(world->reported_id, exchange->record.request_id,
      sizeof(world->reported_id));
}

static void on_idle(struct rv_h1_client *client, void *user_data) {
  struct world *world = user_data;

  (void)client;
  world->idle++;
}

/* ---- values of Lua ---- */

static struct rv_span to_span(lua_State *L, int index) {
  struct rv_span span;

  span.data = luaL_checklstring(L, index, &span.length);
  return span;
}

static enum rv_failure to_failure(lua_State *L, int index) {
  const char *word = luaL_checkstring(L, index);

  for (int i = 0; i < RV_FAILURE_COUNT; i++)
    if (strcmp(rv_failure_row((enum rv_failure)i)->word, word) == 0)
      return (enum rv_failure)i;
  luaL_error(L, "no failure %s", word);
  return RV_FAILURE_NONE;
}

/* { { "name", "value" }, ... } */
static void to_fields(lua_State *L, int index, struct rv_fields *fields) {
  lua_Integer n = lua_istable(L, index) ? luaL_len(L, index) : 0;

  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, index, i);
    lua_geti(L, -1, 1);
    lua_geti(L, -2, 2);
    if (rv_fields_add_copy(fields, to_span(L, -2), to_span(L, -1)) < 0)
      abort();
    lua_pop(L, 3);
  }
}

static void push_span(lua_State *L, struct rv_span span) {
  lua_pushlstring(L, span.data != NULL ? span.data : "", span.length);
}

static void push_fields(lua_State *L, const struct rv_fields *fields) {
  lua_newtable(L);
  for (size_t i = 0; i < fields->count; i++) {
    push_span(L, fields->items[i].name);
    lua_pushliteral(L, ": ");
    push_span(L, fields->items[i].value);
    lua_concat(L, 3);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void set_span(lua_State *L, const char *key, struct rv_span span) {
  push_span(L, span);
  lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, int64_t number) {
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, key);
}

static void set_bool(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

static void set_text(lua_State *L, const char *key, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, key);
}

static void push_head(lua_State *L, const struct rv_head *head) {
  lua_newtable(L);
  set_span(L, "method", head->method);
  set_span(L, "scheme", head->scheme);
  set_span(L, "authority", head->authority);
  set_span(L, "path", head->path);
  set_number(L, "status", head->status);
  set_number(L, "length", head->content_length);
  set_bool(L, "no_body", head->no_body);
  push_fields(L, &head->fields);
  lua_setfield(L, -2, "fields");
}

static uint64_t seconds(lua_State *L, int index, const char *key) {
  uint64_t value = 0;

  lua_getfield(L, index, key);
  if (lua_isnumber(L, -1))
    value = (uint64_t)(lua_tonumber(L, -1) * 1e9);
  lua_pop(L, 1);
  return value;
}

static bool flag(lua_State *L, int index, const char *key) {
  bool value;

  lua_getfield(L, index, key);
  value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* The string stays valid as long as the table of options: that is kept. */
static const char *text(lua_State *L, int index, const char *key) {
  const char *value;

  lua_getfield(L, index, key);
  value = lua_tostring(L, -1);
  lua_pop(L, 1);
  return value;
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
  world->handler.handle = handle;
  rv_engine_init(&world->engine,
      &(struct rv_engine_options){ .read_clock = read_clock,
          .read_random = read_random,
          .context = world,
          .memory_budget = (size_t)seconds(L, 1, "memory_budget") });
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
  run_all(world);
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
  run_all(world);
  return 0;
}

/* ---- the peer ---- */

static int world_feed(lua_State *L) {
  struct world *world = check(L);
  struct rv_span bytes = to_span(L, 2);

  if (rv_slices_copy(&world->arriving, &world->engine.chunks, bytes.data,
          bytes.length) < 0)
    abort();
  run_all(world);
  return 0;
}

static int world_fin(lua_State *L) {
  struct world *world = check(L);

  world->fin_arrives = true;
  run_all(world);
  return 0;
}

/* reset(errno): the connection breaks. */
static int world_reset(lua_State *L) {
  struct world *world = check(L);

  leave(world, (int)luaL_checkinteger(L, 2));
  run_all(world);
  return 0;
}

/* window(bytes): what the socket takes from now on. */
static int world_window(lua_State *L) {
  struct world *world = check(L);

  world->window = lua_isnil(L, 2) ? SIZE_MAX : (size_t)lua_tointeger(L, 2);
  touch(&world->stream);
  run_all(world);
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
  run_all(world);
  return 0;
}

static int world_run(lua_State *L) {
  run_all(check(L));
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
  return 1;
}

static int world_drain(lua_State *L) {
  struct world *world = check(L);

  if (world->server != NULL)
    rv_h1_server_drain(world->server);
  run_all(world);
  return 0;
}

static int world_close(lua_State *L) {
  struct world *world = check(L);

  if (world->server != NULL)
    rv_h1_server_abort(world->server);
  if (world->client != NULL)
    rv_h1_client_close(world->client);
  run_all(world);
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
    leave_exchange(&world->parties[i]);
    rv_turn_remove(&world->parties[i].job);
  }
  run_all(world);
  rv_slices_deinit(&world->arriving);
  lua_pushinteger(L, (lua_Integer)(live->exchanges + live->h1_connections));
  rv_engine_deinit(&world->engine);
  free(world->out);
  return 1;
}

/* ---- both sides of exchanges ---- */

/* exchange(i): what can be seen of it. */
static int world_exchange(lua_State *L) {
  static const char *const states[] = { "open", "ended", "aborted", "stopped" };
  struct rv_exchange *exchange = check_exchange(L);
  const struct rv_pipe *body = incoming(check(L), exchange);

  lua_newtable(L);
  push_head(L, &exchange->request);
  lua_setfield(L, -2, "request");
  push_head(L, &exchange->response);
  lua_setfield(L, -2, "response");
  push_fields(L, &body->trailers);
  lua_setfield(L, -2, "trailers");
  set_text(L, "body", states[body->state]);
  set_text(L, "cause", rv_failure_row(body->cause)->word);
  set_bool(L, "whole", rv_pipe_finished(body));
  set_number(L, "available", (int64_t)rv_pipe_available(body));
  set_text(L, "sending", states[outgoing(check(L), exchange)->state]);
  set_bool(L, "wants", rv_pipe_wants(outgoing(check(L), exchange)));
  set_text(L, "failure", rv_failure_row(exchange->failure)->word);
  set_bool(L, "cancelled", exchange->cancelled);
  set_bool(L, "has_response", exchange->has_response);
  set_text(L, "id", exchange->record.request_id);
  return 1;
}

/* take(i [, most]): bytes of the body that comes in. */
static int world_take(lua_State *L) {
  struct rv_exchange *exchange = check_exchange(L);
  struct rv_pipe *pipe = incoming(check(L), exchange);
  size_t most = (size_t)luaL_optinteger(L, 3, 1 << 30);
  struct rv_slice slice;
  luaL_Buffer buffer;

  luaL_buffinit(L, &buffer);
  while (most > 0 && rv_pipe_take(pipe, most, &slice)) {
    luaL_addlstring(&buffer, (const char *)slice.data, slice.length);
    most -= slice.length;
    rv_slice_release(&slice);
  }
  luaL_pushresult(&buffer);
  run_all(check(L));
  return 1;
}

static int world_push(lua_State *L) {
  struct world *world = check(L);
  struct rv_span bytes = to_span(L, 3);

  lua_pushinteger(L, rv_pipe_push_copy(outgoing(world, check_exchange(L)),
                         &world->engine.chunks, bytes.data, bytes.length));
  run_all(world);
  return 1;
}

/* end_body(i [, trailers]) */
static int world_end_body(lua_State *L) {
  struct rv_pipe *pipe = outgoing(check(L), check_exchange(L));
  struct rv_head holder;

  rv_head_init(&holder);
  to_fields(L, 3, &holder.fields);
  (void)rv_pipe_end(pipe, holder.fields.count > 0 ? &holder.fields : NULL);
  rv_head_deinit(&holder);
  run_all(check(L));
  return 0;
}

static int world_abort_body(lua_State *L) {
  rv_pipe_abort(outgoing(check(L), check_exchange(L)), to_failure(L, 3));
  run_all(check(L));
  return 0;
}

static int world_stop_body(lua_State *L) {
  rv_pipe_stop(incoming(check(L), check_exchange(L)));
  run_all(check(L));
  return 0;
}

static int world_leave(lua_State *L) {
  struct world *world = check(L);

  leave_exchange(&world->parties[luaL_checkinteger(L, 2) - 1]);
  run_all(world);
  return 0;
}

/* ---- as an upstream ---- */

static void to_response(lua_State *L, struct rv_head *head) {
  rv_head_init(head);
  head->status = (int)luaL_checkinteger(L, 3);
  to_fields(L, 4, &head->fields);
  if (lua_istable(L, 5)) {
    lua_getfield(L, 5, "length");
    head->content_length = luaL_optinteger(L, -1, RV_NO_LENGTH);
    lua_pop(L, 1);
    head->no_body = flag(L, 5, "no_body");
  }
}

static int world_inform(lua_State *L) {
  struct rv_exchange *exchange = check_exchange(L);
  struct rv_head head;

  to_response(L, &head);
  lua_pushinteger(L, rv_exchange_inform(exchange, &head));
  run_all(check(L));
  return 1;
}

/* respond(i, status, fields, { length, no_body, and_push, and_end }) */
static int world_respond(lua_State *L) {
  struct world *world = check(L);
  struct rv_exchange *exchange = check_exchange(L);
  struct rv_head head;

  to_response(L, &head);
  lua_pushinteger(L, rv_exchange_respond(exchange, &head));
  if (lua_istable(L, 5)) {
    const char *body = text(L, 5, "and_push");
    if (body != NULL)
      (void)rv_pipe_push_copy(
          &exchange->response_body, &world->engine.chunks, body, strlen(body));
    if (flag(L, 5, "and_end"))
      (void)rv_pipe_end(&exchange->response_body, NULL);
  }
  run_all(world);
  return 1;
}

static int world_fail(lua_State *L) {
  rv_exchange_fail(check_exchange(L), to_failure(L, 3));
  run_all(check(L));
  return 0;
}

/* ---- as a downstream ---- */

/* submit{ method, path, authority, fields, length, no_body } */
static int world_submit(lua_State *L) {
  struct world *world = check(L);
  struct party *party = add_party(world);
  struct rv_exchange *exchange = rv_exchange_new(&world->engine, &party->waker);
  struct rv_head *head = &exchange->request;

  luaL_checktype(L, 2, LUA_TTABLE);
  head->method = rv_arena_copy(&head->arena, rv_span_of(text(L, 2, "method")));
  head->path = rv_arena_copy(&head->arena, rv_span_of(text(L, 2, "path")));
  head->authority =
      rv_arena_copy(&head->arena, rv_span_of(text(L, 2, "authority")));
  lua_getfield(L, 2, "length");
  head->content_length = luaL_optinteger(L, -1, RV_NO_LENGTH);
  head->no_body = flag(L, 2, "no_body");
  lua_getfield(L, 2, "fields");
  to_fields(L, lua_gettop(L), &head->fields);
  if (head->no_body)
    (void)rv_pipe_end(&exchange->request_body, NULL);
  rv_pipe_keep_replay(&exchange->request_body);
  party->exchange = exchange;
  rv_h1_client_submit(world->client, exchange);
  run_all(world);
  lua_pushinteger(L, (lua_Integer)world->count);
  return 1;
}

static int world_cancel(lua_State *L) {
  rv_exchange_cancel(check_exchange(L));
  run_all(check(L));
  return 0;
}

/* informational(i): the fields of the oldest 1xx, with its status first. */
static int world_informational(lua_State *L) {
  struct rv_informational *informational =
      rv_exchange_take_informational(check_exchange(L));

  if (informational == NULL)
    return 0;
  push_head(L, &informational->head);
  rv_informational_free(informational);
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
  { "exchange", world_exchange },
  { "take", world_take },
  { "push", world_push },
  { "end_body", world_end_body },
  { "abort_body", world_abort_body },
  { "stop_body", world_stop_body },
  { "leave", world_leave },
  { "inform", world_inform },
  { "respond", world_respond },
  { "fail", world_fail },
  { "submit", world_submit },
  { "cancel", world_cancel },
  { "informational", world_informational },
  { "__gc", world_finish },
  { NULL, NULL },
};

static const luaL_Reg functions[] = {
  { "server", new_server },
  { "client", new_client },
  { NULL, NULL },
};

int luaopen_spec_h1(lua_State *L);
int luaopen_spec_h1(lua_State *L) {
  luaL_newmetatable(L, WORLD);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, functions);
  return 1;
}
