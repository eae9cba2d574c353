/* SPDX-License-Identifier: MIT */
/* HTTP/3 sessions for specs: two joined by a transport in memory, or one
   against scripted bytes. */
#include "h3_wire.h"
#include "http/exchange.h"
#include <lauxlib.h>

enum { REQUESTER, RESPONDER };

struct world {
  struct rv_engine engine;
  struct rv_qpack *qpack;
  struct wire wires[2]; /* by role; a script's session is in its role's */
  struct rv_handler handler;
  struct rv_list parties;
  struct rv_list arrived; /* parties that no script has accepted */
  uint64_t now, seed;
  unsigned news;
  struct rv_waker news_waker;
  bool over;
};

/* One party of an exchange, for a script. */
struct party {
  struct rv_list node, arrived_node;
  struct world *world;
  struct rv_exchange *exchange; /* NULL: let go */
  struct rv_waker waker;
  bool upstream, router;
};

static struct world *check_world(lua_State *L) {
  return luaL_checkudata(L, 1, "spec.h3.world");
}

static struct party *check_party(lua_State *L) {
  struct party **party = luaL_checkudata(L, 1, "spec.h3.party");
  if ((*party)->exchange == NULL)
    luaL_error(L, "the exchange was let go");
  return *party;
}

/* ---- options ---- */

static lua_Integer integer_of(
    lua_State *L, int index, const char *key, lua_Integer otherwise) {
  lua_getfield(L, index, key);
  lua_Integer n = luaL_optinteger(L, -1, otherwise);
  lua_pop(L, 1);
  return n;
}

static bool flag_of(lua_State *L, int index, const char *key) {
  lua_getfield(L, index, key);
  bool flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}

/* Stays valid as long as the table does. */
static struct rv_span span_of(lua_State *L, int index, const char *key) {
  struct rv_span span = { 0 };
  lua_getfield(L, index, key);
  if (!lua_isnil(L, -1))
    span.data = luaL_checklstring(L, -1, &span.length);
  lua_pop(L, 1);
  return span;
}

/* ---- parties ---- */

static void ignore(struct rv_waker *waker) {
  (void)waker; /* scripts look again after each run */
}

static struct party *new_party(struct world *world, bool upstream) {
  struct party *party = calloc(1, sizeof(*party));
  assert(party != NULL);
  party->world = world;
  party->upstream = upstream;
  party->waker.wake = ignore;
  rv_list_push(&world->parties, &party->node);
  return party;
}

static void let_go(struct party *party) {
  struct rv_exchange *exchange = party->exchange;
  party->exchange = NULL;
  if (exchange == NULL)
    return;
  if (party->router)
    rv_exchange_detach_router(exchange);
  if (party->upstream)
    rv_exchange_detach_upstream(exchange);
  else
    rv_exchange_detach_downstream(exchange);
}

static int push_party(lua_State *L, struct party *party) {
  struct party **place = lua_newuserdatauv(L, sizeof(struct party *), 0);
  *place = party;
  luaL_setmetatable(L, "spec.h3.party");
  return 1;
}

static void on_request(
    struct rv_handler *handler, struct rv_exchange *exchange) {
  struct world *world = rv_container_of(handler, struct world, handler);
  struct party *party = new_party(world, true);
  party->exchange = exchange;
  rv_exchange_attach_upstream(exchange, &party->waker);
  rv_list_push(&world->arrived, &party->arrived_node);
}

static struct rv_pipe *incoming(struct party *party) {
  return party->upstream ? &party->exchange->request_body
                         : &party->exchange->response_body;
}

static struct rv_pipe *outgoing(struct party *party) {
  return party->upstream ? &party->exchange->response_body
                         : &party->exchange->request_body;
}

static void set_fields(lua_State *L, int index, struct rv_fields *fields) {
  lua_getfield(L, index, "fields");
  for (lua_Integer i = 1; lua_istable(L, -1) && i <= luaL_len(L, -1); i++) {
    struct rv_span name, value;
    lua_geti(L, -1, i);
    lua_geti(L, -1, 1);
    lua_geti(L, -2, 2);
    name.data = luaL_checklstring(L, -2, &name.length);
    value.data = luaL_checklstring(L, -1, &value.length);
    assert(rv_fields_add_copy(fields, name, value) == 0);
    lua_pop(L, 3);
  }
  lua_pop(L, 1);
}

static void set_head(lua_State *L, int index, struct rv_head *head) {
  const struct {
    const char *key;
    struct rv_span *place;
  } parts[] = { { "method", &head->method }, { "scheme", &head->scheme },
    { "authority", &head->authority }, { "path", &head->path },
    { "protocol", &head->protocol } };
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    struct rv_span span = span_of(L, index, parts[i].key);
    if (span.data != NULL)
      *parts[i].place = rv_arena_copy(&head->arena, span);
  }
  head->status = (int)integer_of(L, index, "status", 0);
  head->content_length = integer_of(L, index, "content_length", RV_NO_LENGTH);
  head->no_body = flag_of(L, index, "no_body");
  set_fields(L, index, &head->fields);
}

static void push_span(lua_State *L, const char *key, struct rv_span span) {
  if (span.data == NULL)
    return;
  lua_pushlstring(L, span.data, span.length);
  lua_setfield(L, -2, key);
}

static void push_fields(lua_State *L, const struct rv_fields *fields) {
  lua_createtable(L, (int)fields->count, 0);
  for (size_t i = 0; i < fields->count; i++) {
    const struct rv_field *field = &fields->items[i];
    lua_createtable(L, 2, 0);
    lua_pushlstring(L, field->name.data, field->name.length);
    lua_seti(L, -2, 1);
    lua_pushlstring(L, field->value.data, field->value.length);
    lua_seti(L, -2, 2);
    lua_seti(L, -2, (lua_Integer)i + 1);
  }
}

/* party:head(): what the other party said, or nil */
static int party_head(lua_State *L) {
  struct party *party = check_party(L);
  const struct rv_head *head =
      party->upstream ? &party->exchange->request : &party->exchange->response;
  if (!party->upstream && !party->exchange->has_response)
    return 0;
  lua_newtable(L);
  push_span(L, "method", head->method);
  push_span(L, "scheme", head->scheme);
  push_span(L, "authority", head->authority);
  push_span(L, "path", head->path);
  push_span(L, "protocol", head->protocol);
  lua_pushinteger(L, head->status);
  lua_setfield(L, -2, "status");
  lua_pushboolean(L, head->no_body);
  lua_setfield(L, -2, "no_body");
  lua_pushinteger(L, head->content_length);
  lua_setfield(L, -2, "content_length");
  push_fields(L, &head->fields);
  lua_setfield(L, -2, "fields");
  return 1;
}

/* party:read([max]): bytes, "open" | "ended" | "aborted" | "stopped" */
static int party_read(lua_State *L) {
  static const char *const states[] = { "open", "ended", "aborted", "stopped" };
  struct party *party = check_party(L);
  struct rv_pipe *pipe = incoming(party);
  size_t left = (size_t)luaL_optinteger(L, 2, LUA_MAXINTEGER);
  struct rv_slice slice;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  while (left > 0 && rv_pipe_take(pipe, left, &slice)) {
    luaL_addlstring(&buffer, (const char *)slice.data, slice.length);
    left -= slice.length;
    rv_slice_release(&slice);
  }
  luaL_pushresult(&buffer);
  lua_pushstring(L, states[pipe->state]);
  return 2;
}

static int party_trailers(lua_State *L) {
  push_fields(L, &incoming(check_party(L))->trailers);
  return 1;
}

static int party_write(lua_State *L) {
  struct party *party = check_party(L);
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);
  lua_pushinteger(L, rv_pipe_push_copy(outgoing(party),
                         &party->world->engine.chunks, data, length));
  return 1;
}

/* party:finish([{ fields = trailers }]) */
static int party_finish(lua_State *L) {
  struct party *party = check_party(L);
  struct rv_head head;
  rv_head_init(&head);
  if (lua_istable(L, 2))
    set_fields(L, 2, &head.fields);
  (void)rv_pipe_end(outgoing(party), &head.fields);
  rv_head_deinit(&head);
  return 0;
}

static int party_respond(lua_State *L) {
  struct party *party = check_party(L);
  struct rv_head head;
  rv_head_init(&head);
  set_head(L, 2, &head);
  lua_pushinteger(L, head.status < 200
                         ? rv_exchange_inform(party->exchange, &head)
                         : rv_exchange_respond(party->exchange, &head));
  return 1;
}

static int party_informational(lua_State *L) {
  struct rv_informational *informational =
      rv_exchange_take_informational(check_party(L)->exchange);
  if (informational == NULL)
    return 0;
  lua_pushinteger(L, informational->head.status);
  rv_informational_free(informational);
  return 1;
}

/* party:failure(): log word */
static int party_failure(lua_State *L) {
  const struct rv_exchange *exchange = check_party(L)->exchange;
  lua_pushstring(L, rv_failure_row(exchange->failure)->word);
  return 1;
}

static int party_may_retry(lua_State *L) {
  lua_pushboolean(L, rv_exchange_may_retry(check_party(L)->exchange));
  return 1;
}

static int party_cancelled(lua_State *L) {
  lua_pushboolean(L, check_party(L)->exchange->cancelled);
  return 1;
}

static enum rv_failure check_failure(lua_State *L, int index) {
  const char *word = luaL_checkstring(L, index);
  for (int i = 0; i < RV_FAILURE_COUNT; i++) {
    if (strcmp(rv_failure_row((enum rv_failure)i)->word, word) == 0)
      return (enum rv_failure)i;
  }
  return (enum rv_failure)luaL_error(L, "no such failure: %s", word);
}

/* An upstream fails the exchange, a downstream aborts the request body. */
static int party_fail(lua_State *L) {
  struct party *party = check_party(L);
  enum rv_failure failure = check_failure(L, 2);
  if (party->upstream)
    rv_exchange_fail(party->exchange, failure);
  else
    rv_pipe_abort(&party->exchange->request_body, failure);
  return 0;
}

static int party_stop(lua_State *L) {
  rv_pipe_stop(incoming(check_party(L)));
  return 0;
}

static int party_cancel(lua_State *L) {
  rv_exchange_cancel(check_party(L)->exchange);
  return 0;
}

static int party_let_go(lua_State *L) {
  let_go(check_party(L));
  return 0;
}

/* ---- worlds ---- */

static uint64_t read_clock(void *context) {
  return ((struct world *)context)->now;
}

static void read_random(void *context, void *data, size_t length) {
  struct world *world = context;
  for (size_t i = 0; i < length; i++)
    ((uint8_t *)data)[i] = (uint8_t)wire_random(&world->wires[0]);
}

static void on_requested(struct rv_turn *turn) {
  (void)turn; /* world:run() runs turns until nothing is left to do */
}

static void note_news(struct rv_waker *waker) {
  rv_container_of(waker, struct world, news_waker)->news++;
}

static void start_session(
    lua_State *L, struct world *world, int role, struct wire *peer) {
  struct wire *wire = &world->wires[role];
  *wire = (struct wire){
    .transport = wire_transport,
    .peer = peer,
    .is_server = role == REQUESTER,
    .next_bidi = role == REQUESTER ? 1 : 0,
    .next_uni = role == REQUESTER ? 3 : 2,
    .streams_left = (uint64_t)integer_of(L, 1, "streams", 1000),
    .uni_left = (uint64_t)integer_of(L, 1, "uni_streams", 3),
    .window = (uint64_t)integer_of(L, 1, "window", 16 << 20),
    .stream_window = (uint64_t)integer_of(L, 1, "stream_window", 128 << 10),
    .seed = &world->seed,
  };
  struct rv_h3_options options = {
    .role = role == REQUESTER ? RV_H3_REQUESTER : RV_H3_RESPONDER,
    .engine = &world->engine,
    .qpack = world->qpack,
    .transport = &wire->transport,
    .handler = &world->handler,
    .peer_window = wire->window,
    .strict = flag_of(L, 1, "strict"),
    .send_request_trailers = flag_of(L, 1, "request_trailers"),
    .news = &world->news_waker,
  };
  assert(rv_h3_session_new(&wire->session, &options) == 0);
}

/* h3.world{ role = "requester" | "responder" | nil (both), ... } */
static int new_world(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  struct rv_span role = span_of(L, 1, "role");
  struct world *world = lua_newuserdatauv(L, sizeof(*world), 0);
  memset(world, 0, sizeof(*world));
  world->seed = (uint64_t)integer_of(L, 1, "seed", 1);
  world->now = RV_SECOND;
  world->wires[0].seed = &world->seed;
  world->handler.handle = on_request;
  world->news_waker.wake = note_news;
  rv_list_init(&world->parties);
  rv_list_init(&world->arrived);
  rv_engine_init(&world->engine, &(struct rv_engine_options){
                                     .read_clock = read_clock,
                                     .read_random = read_random,
                                     .context = world,
                                     .on_requested = on_requested,
                                 });
  assert(rv_qpack_new(&world->qpack) == 0);
  struct wire *wires = world->wires;
  if (role.data == NULL || role.data[2] == 'q')
    start_session(L, world, REQUESTER, role.data ? NULL : &wires[RESPONDER]);
  if (role.data == NULL || role.data[2] == 's')
    start_session(L, world, RESPONDER, role.data ? NULL : &wires[REQUESTER]);
  wires[0].seed = wires[1].seed = &world->seed;
  luaL_setmetatable(L, "spec.h3.world");
  return 1;
}

static void run_turns(struct world *world) {
  while (!rv_turn_idle(&world->engine.turn))
    rv_turn_run(&world->engine.turn);
}

static bool is_open(const struct wire *wire) {
  return wire->session != NULL && wire->close_code == 0;
}

static bool run_wire(struct wire *wire) {
  bool any = false;
  while (is_open(wire) && wire_write(wire))
    any = true;
  if (wire->peer != NULL && is_open(wire) && is_open(wire->peer) &&
      wire_exchange(wire))
    any = true;
  return any;
}

/* world:run(): until nobody has anything to say */
static int world_run(lua_State *L) {
  struct world *world = check_world(L);
  bool any;
  do {
    run_turns(world);
    any = run_wire(&world->wires[0]);
    any = run_wire(&world->wires[1]) || any;
  } while (any || !rv_turn_idle(&world->engine.turn));
  return 0;
}

static int world_sleep(lua_State *L) {
  struct world *world = check_world(L);
  world->now += (uint64_t)luaL_checkinteger(L, 2) * RV_SECOND;
  rv_engine_refresh(&world->engine);
  return 0;
}

/* world:request(head): a party; or nil and the error */
static int world_request(lua_State *L) {
  struct world *world = check_world(L);
  struct party *party = new_party(world, false);
  luaL_checktype(L, 2, LUA_TTABLE);
  party->exchange = rv_exchange_new(&world->engine, &party->waker);
  assert(party->exchange != NULL);
  set_head(L, 2, &party->exchange->request);
  if (party->exchange->request.no_body)
    (void)rv_pipe_end(&party->exchange->request_body, NULL);
  party->router = flag_of(L, 2, "router");
  if (party->router)
    rv_exchange_attach_router(party->exchange, &party->waker);
  int r =
      rv_h3_session_submit(world->wires[REQUESTER].session, party->exchange);
  if (r == 0)
    return push_party(L, party);
  let_go(party);
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

/* world:accept(): the next request's party, or nil */
static int world_accept(lua_State *L) {
  struct rv_list *node = rv_list_pop(&check_world(L)->arrived);
  if (node == NULL)
    return 0;
  return push_party(L, rv_container_of(node, struct party, arrived_node));
}

static struct wire *script_wire(struct world *world) {
  return world->wires[REQUESTER].session ? &world->wires[REQUESTER]
                                         : &world->wires[RESPONDER];
}

/* "requester", "responder"; default: the only one, or the requester */
static struct wire *wire_at(lua_State *L, int index) {
  struct world *world = check_world(L);
  const char *role = luaL_optstring(L, index, NULL);
  if (role == NULL)
    return script_wire(world);
  return &world->wires[role[2] == 's' ? RESPONDER : REQUESTER];
}

#include "h3_script.h"

static void lose(struct wire *wire) {
  while (wire->sides != NULL)
    wire_finish(wire, wire->sides);
  if (wire->session != NULL)
    rv_h3_session_close(wire->session);
  wire->session = NULL;
}

/* world:lose(): the connection is gone */
static int world_lose(lua_State *L) {
  struct world *world = check_world(L);
  lose(&world->wires[0]);
  lose(&world->wires[1]);
  run_turns(world);
  return 0;
}

static void free_parties(struct world *world) {
  struct rv_list *node;
  rv_list_each(each, &world->parties)
      let_go(rv_container_of(each, struct party, node));
  while ((node = rv_list_pop(&world->parties)) != NULL)
    free(rv_container_of(node, struct party, node));
}

/* world:finish(): ends all; the numbers of objects left */
static int world_finish(lua_State *L) {
  struct world *world = check_world(L);
  if (world->over)
    return 0;
  world->over = true;
  (void)world_lose(L);
  free_parties(world);
  run_turns(world);
  rv_qpack_free(world->qpack);
  const struct rv_counters *live = &world->engine.live;
  uint64_t left = live->exchanges + live->h3_sessions + live->h3_streams;
  lua_pushinteger(L, (lua_Integer)left);
  rv_engine_deinit(&world->engine);
  return 1;
}

static int world_gc(lua_State *L) {
  (void)world_finish(L);
  return 0;
}

static const luaL_Reg party_methods[] = {
  { "head", party_head },
  { "read", party_read },
  { "trailers", party_trailers },
  { "write", party_write },
  { "finish", party_finish },
  { "respond", party_respond },
  { "informational", party_informational },
  { "failure", party_failure },
  { "may_retry", party_may_retry },
  { "cancelled", party_cancelled },
  { "fail", party_fail },
  { "stop", party_stop },
  { "cancel", party_cancel },
  { "let_go", party_let_go },
  { NULL, NULL },
};

static const luaL_Reg world_methods[] = {
  { "run", world_run },
  { "sleep", world_sleep },
  { "request", world_request },
  { "accept", world_accept },
  { "lose", world_lose },
  { "finish", world_finish },
  { "feed", world_feed },
  { "reset", world_reset },
  { "stop", world_stop },
  { "close_stream", world_close_stream },
  { "grow", world_grow },
  { "hold", world_hold },
  { "stream", world_stream },
  { "totals", world_totals },
  { "drain", world_drain },
  { "set_budget", world_set_budget },
  { "lend", world_lend },
  { "__gc", world_gc },
  { NULL, NULL },
};

int luaopen_spec_h3(lua_State *L);
int luaopen_spec_h3(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "world", new_world },
    { "encode", h3_encode },
    { "fields", h3_decode },
    { NULL, NULL },
  };
  luaL_newmetatable(L, "spec.h3.world");
  luaL_setfuncs(L, world_methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newmetatable(L, "spec.h3.party");
  luaL_setfuncs(L, party_methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, functions);
  return 1;
}
