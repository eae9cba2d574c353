/* SPDX-License-Identifier: MIT */
/* require "spec.exchange": an exchange of which a spec plays all parties. */
#include "http/exchange.h"

#include <stdlib.h>

#include "engine.h"
#include "fields.h"

struct party {
  struct rv_waker waker;
  unsigned woken;
};

/* Outlives the exchange as long as a party is attached: a spec closes it. */
struct exchange {
  struct rv_exchange *exchange; /* NULL: gone */
  struct rv_handler handler;
  lua_State *submitting;
  struct party downstream, upstream, router;
};

static const char type[] = "spec.exchange";

int luaopen_spec_exchange(lua_State *L);

static void on_woken(struct rv_waker *waker) {
  rv_container_of(waker, struct party, waker)->woken++;
}

static struct exchange *check(lua_State *L) {
  struct exchange *self = luaL_checkudata(L, 1, type);
  if (self->exchange == NULL) {
    luaL_argerror(L, 1, "the exchange is gone");
    abort(); /* the above never returns, which a linter cannot know */
  }
  return self;
}

static struct rv_exchange *exchange_of(lua_State *L) {
  return check(L)->exchange;
}

/* The function at stack index 2 decides what the handler does. */
static void handle(struct rv_handler *handler, struct rv_exchange *exchange) {
  struct exchange *self = rv_container_of(handler, struct exchange, handler);
  lua_State *L = self->submitting;

  (void)exchange;
  if (!lua_isfunction(L, 2))
    return;
  lua_pushvalue(L, 2);
  lua_call(L, 0, 0);
}

/* exchange.new(engine, head) */
static int new_exchange(lua_State *L) {
  struct rv_engine *engine = spec_check_engine(L, 1);
  struct exchange *self = spec_new(L, sizeof(*self), type, 1);

  self->handler.handle = handle;
  self->downstream.waker.wake = on_woken;
  self->upstream.waker.wake = on_woken;
  self->router.waker.wake = on_woken;
  self->exchange = rv_exchange_new(engine, &self->downstream.waker);
  if (self->exchange == NULL)
    return luaL_error(L, "out of memory");
  spec_read_head(L, 2, &self->exchange->request);
  return 1;
}

/* ---- downstream ---- */

static int submit(lua_State *L) {
  struct exchange *self = check(L);

  self->submitting = L;
  rv_exchange_submit(self->exchange, &self->handler);
  return 0;
}

static int cancel(lua_State *L) {
  rv_exchange_cancel(exchange_of(L));
  return 0;
}

/* -> a head, or nil */
static int take_informational(lua_State *L) {
  struct rv_informational *informational =
      rv_exchange_take_informational(exchange_of(L));

  if (informational == NULL)
    return 0;
  spec_push_head(L, &informational->head);
  rv_informational_free(informational);
  return 1;
}

/* ---- parties come and go ---- */

static int attach(lua_State *L) {
  static const char *const names[] = { "upstream", "router", NULL };
  struct exchange *self = check(L);

  if (luaL_checkoption(L, 2, NULL, names) == 0)
    rv_exchange_attach_upstream(self->exchange, &self->upstream.waker);
  else
    rv_exchange_attach_router(self->exchange, &self->router.waker);
  return 0;
}

/* The last one takes the exchange with it, at the end of the turn; harmless
   afterwards. */
static int detach(lua_State *L) {
  static const char *const names[] = { "downstream", "upstream", "router",
    NULL };
  static void (*const functions[])(
      struct rv_exchange *) = { rv_exchange_detach_downstream,
    rv_exchange_detach_upstream, rv_exchange_detach_router };
  struct exchange *self = luaL_checkudata(L, 1, type);
  struct rv_exchange *exchange = self->exchange;
  int party = luaL_checkoption(L, 2, NULL, names);

  if (exchange == NULL)
    return 0;
  functions[party](exchange);
  if (exchange->references == 0)
    self->exchange = NULL;
  return 0;
}

/* ---- upstream ---- */

static int give_head(
    lua_State *L, int (*give)(struct rv_exchange *, struct rv_head *)) {
  struct rv_exchange *exchange = exchange_of(L);
  struct rv_head head;
  int r;

  rv_head_init(&head);
  spec_read_head(L, 2, &head);
  r = give(exchange, &head);
  if (head.arena.blocks != NULL)
    return luaL_error(L, "the head was not taken");
  return spec_push_result(L, r);
}

static int inform(lua_State *L) {
  return give_head(L, rv_exchange_inform);
}

static int respond(lua_State *L) {
  return give_head(L, rv_exchange_respond);
}

static int fail(lua_State *L) {
  rv_exchange_fail(exchange_of(L), (enum rv_failure)luaL_checkinteger(L, 2));
  return 0;
}

/* ---- router ---- */

static int retry(lua_State *L) {
  struct rv_exchange *exchange = exchange_of(L);
  bool may = rv_exchange_may_retry(exchange);

  lua_pushboolean(L, rv_exchange_retry(exchange));
  if (may != (bool)lua_toboolean(L, -1))
    return luaL_error(L, "may_retry and retry disagree");
  return 1;
}

static int conclude(lua_State *L) {
  rv_exchange_conclude(exchange_of(L));
  return 0;
}

static int gate(lua_State *L) {
  exchange_of(L)->gated = true;
  return 0;
}

static int release_head(lua_State *L) {
  return spec_push_result(L, rv_exchange_release(exchange_of(L)));
}

static int withdraw(lua_State *L) {
  rv_exchange_withdraw(
      exchange_of(L), (enum rv_failure)luaL_checkinteger(L, 2));
  return 0;
}

/* exchange:add_answer_field(name, value) */
static int add_answer_field(lua_State *L) {
  return spec_push_result(L, rv_fields_add_copy(&exchange_of(L)->answer_fields,
                                 spec_check_span(L, 2), spec_check_span(L, 3)));
}

/* ---- bodies ---- */

static struct rv_pipe *check_body(lua_State *L) {
  static const char *const names[] = { "request", "response", NULL };
  struct rv_exchange *exchange = exchange_of(L);

  return luaL_checkoption(L, 2, NULL, names) == 0 ? &exchange->request_body
                                                  : &exchange->response_body;
}

/* exchange:push("request", bytes) */
static int push(lua_State *L) {
  struct rv_pipe *pipe = check_body(L);
  struct rv_span bytes = spec_check_span(L, 3);

  return spec_push_result(
      L, rv_pipe_push_copy(
             pipe, &exchange_of(L)->engine->chunks, bytes.data, bytes.length));
}

static int finish(lua_State *L) {
  return spec_push_result(L, rv_pipe_end(check_body(L), NULL));
}

/* Everything that is there. */
static int take(lua_State *L) {
  struct rv_pipe *pipe = check_body(L);
  struct rv_slice slice;
  luaL_Buffer bytes;

  luaL_buffinit(L, &bytes);
  while (rv_pipe_take(pipe, SIZE_MAX, &slice)) {
    luaL_addlstring(&bytes, (const char *)slice.data, slice.length);
    rv_slice_release(&slice);
  }
  luaL_pushresult(&bytes);
  return 1;
}

/* exchange:body("request") -> state, unwanted, cause */
static int body(lua_State *L) {
  static const char *const states[] = { "open", "ended", "aborted", "stopped" };
  const struct rv_pipe *pipe = check_body(L);

  lua_pushstring(L, states[pipe->state]);
  lua_pushboolean(L, rv_pipe_is_unwanted(pipe));
  lua_pushinteger(L, pipe->cause);
  return 3;
}

/* ---- what it looks like ---- */

static void set_boolean(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

static int look(lua_State *L) {
  const struct rv_exchange *exchange = exchange_of(L);

  lua_newtable(L);
  set_boolean(L, "has_response", exchange->has_response);
  set_boolean(L, "held", exchange->held);
  set_boolean(L, "cancelled", exchange->cancelled);
  set_boolean(L, "concluded", exchange->concluded);
  set_boolean(L, "finished", rv_exchange_finished(exchange));
  lua_pushstring(L, rv_failure_row(exchange->failure)->word);
  lua_setfield(L, -2, "failure");
  set_integer(L, "start", exchange->record.start_ns);
  set_integer(L, "head", exchange->record.head_ns);
  set_integer(L, "ended", exchange->record.end_ns);
  lua_pushstring(L, exchange->record.request_id);
  lua_setfield(L, -2, "request_id");
  spec_push_head(L, &exchange->response);
  lua_setfield(L, -2, "response");
  return 1;
}

static int set_request_id(lua_State *L) {
  struct rv_exchange *exchange = exchange_of(L);
  struct rv_span id = spec_check_span(L, 2);

  luaL_argcheck(L, id.length < sizeof(exchange->record.request_id), 2, "long");
  memcpy(exchange->record.request_id, id.data, id.length + 1);
  return 0;
}

/* exchange:woken() -> downstream, upstream, router: since the last call */
static int woken(lua_State *L) {
  struct exchange *self = luaL_checkudata(L, 1, type);
  struct party *parties[] = { &self->downstream, &self->upstream,
    &self->router };

  for (int i = 0; i < 3; i++) {
    lua_pushboolean(L, parties[i]->woken > 0);
    parties[i]->woken = 0;
  }
  return 3;
}

int luaopen_spec_exchange(lua_State *L) {
  static const luaL_Reg methods[] = { { "submit", submit },
    { "cancel", cancel }, { "take_informational", take_informational },
    { "attach", attach }, { "detach", detach }, { "inform", inform },
    { "respond", respond }, { "fail", fail }, { "retry", retry },
    { "conclude", conclude }, { "gate", gate }, { "release", release_head },
    { "withdraw", withdraw }, { "add_answer_field", add_answer_field },
    { "push", push }, { "finish", finish }, { "take", take }, { "body", body },
    { "look", look }, { "set_request_id", set_request_id }, { "woken", woken },
    { NULL, NULL } };
  static const luaL_Reg functions[] = { { "new", new_exchange },
    { NULL, NULL } };

  spec_new_type(L, type, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
