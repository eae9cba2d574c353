/* SPDX-License-Identifier: MIT */
/* spec.h1_exchange: the methods of spec.h1's worlds that concern exchanges; the
   spec is the upstream of a server's, the downstream of a client's. */
#include <stdlib.h>

#include "h1_world.h"

/* ---- exchanges ---- */

static void on_wake(struct rv_waker *waker) {
  struct party *party = rv_container_of(waker, struct party, waker);

  if (party->world->answer != NULL)
    rv_turn_add(&party->world->engine.turn, &party->job, RV_PHASE_PROCESS);
}

void spec_h1_leave_exchange(struct party *party) {
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
    spec_h1_leave_exchange(party);
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

void spec_h1_handle(struct rv_handler *handler, struct rv_exchange *exchange) {
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
  spec_h1_run(check(L));
  return 1;
}

static int world_push(lua_State *L) {
  struct world *world = check(L);
  struct rv_span bytes = to_span(L, 3);

  lua_pushinteger(L, rv_pipe_push_copy(outgoing(world, check_exchange(L)),
                         &world->engine.chunks, bytes.data, bytes.length));
  spec_h1_run(world);
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
  spec_h1_run(check(L));
  return 0;
}

static int world_abort_body(lua_State *L) {
  rv_pipe_abort(outgoing(check(L), check_exchange(L)), to_failure(L, 3));
  spec_h1_run(check(L));
  return 0;
}

static int world_stop_body(lua_State *L) {
  rv_pipe_stop(incoming(check(L), check_exchange(L)));
  spec_h1_run(check(L));
  return 0;
}

static int world_leave(lua_State *L) {
  struct world *world = check(L);

  spec_h1_leave_exchange(&world->parties[luaL_checkinteger(L, 2) - 1]);
  spec_h1_run(world);
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
  spec_h1_run(check(L));
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
  spec_h1_run(world);
  return 1;
}

static int world_fail(lua_State *L) {
  rv_exchange_fail(check_exchange(L), to_failure(L, 3));
  spec_h1_run(check(L));
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
  spec_h1_run(world);
  lua_pushinteger(L, (lua_Integer)world->count);
  return 1;
}

static int world_cancel(lua_State *L) {
  rv_exchange_cancel(check_exchange(L));
  spec_h1_run(check(L));
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
  { NULL, NULL },
};

int luaopen_spec_h1_exchange(lua_State *L) {
  luaL_newlib(L, methods);
  return 1;
}
