/* SPDX-License-Identifier: MIT */
/* require "spec.origin": origins, for Lua; the spec is the downstream. */
#include "event.h"

#include "origin/origin.h"
#include <reverst/error.h>
#include <stdlib.h>

#define ORIGIN "spec.origin"
#define REQUEST "spec.origin.request"

int luaopen_spec_origin(lua_State *L);

struct spec_origin {
  struct rv_origin *origin;
  struct spec_loop *loop;
};

struct spec_request {
  struct rv_exchange *exchange; /* NULL: left */
  struct rv_waker waker;
  lua_State *L;
  int pin;
};

static struct rv_span span_field(lua_State *L, int index, const char *key) {
  struct rv_span span = { NULL, 0 };
  lua_getfield(L, index, key);
  if (lua_isstring(L, -1))
    span.data = lua_tolstring(L, -1, &span.length);
  lua_pop(L, 1); /* the table keeps it */
  return span;
}

static lua_Integer number_field(lua_State *L, int index, const char *key) {
  lua_getfield(L, index, key);
  lua_Integer number = luaL_optinteger(L, -1, 0);
  lua_pop(L, 1);
  return number;
}

/* new(loop, { address, host, connect_timeout, idle_timeout, max_connections,
   max_queue }): times in milliseconds; nil and the error's name */
static int new_origin(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  struct spec_origin *self = lua_newuserdatauv(L, sizeof(*self), 0);
  *self = (struct spec_origin){ .loop = loop };
  int r = rv_origin_new(&self->origin,
      &(struct rv_origin_options){
          .loop = loop->loop,
          .resolver = loop->resolver,
          .address = span_field(L, 2, "address"),
          .host = span_field(L, 2, "host"),
          .connect_timeout =
              (uint64_t)number_field(L, 2, "connect_timeout") * RV_MILLISECOND,
          .idle_timeout =
              (uint64_t)number_field(L, 2, "idle_timeout") * RV_MILLISECOND,
          .max_connections = (size_t)number_field(L, 2, "max_connections"),
          .max_queue = (size_t)number_field(L, 2, "max_queue"),
      });
  if (r < 0) {
    lua_pushnil(L);
    lua_pushstring(L, reverst_error_name(r));
    return 2;
  }
  luaL_setmetatable(L, ORIGIN);
  return 1;
}

static struct spec_origin *check_origin(lua_State *L) {
  struct spec_origin *self = luaL_checkudata(L, 1, ORIGIN);
  luaL_argcheck(L, self->origin != NULL, 1, "the origin is closed");
  return self;
}

static int close_origin(lua_State *L) {
  struct spec_origin *self = check_origin(L);
  rv_origin_close(self->origin);
  self->origin = NULL;
  return 0;
}

/* The spec looks by itself, after each event. */
static void wake(struct rv_waker *waker) {
  (void)waker;
}

static void fill_head(lua_State *L, struct rv_head *head) {
  head->method = rv_arena_copy(&head->arena, span_field(L, 2, "method"));
  head->path = rv_arena_copy(&head->arena, span_field(L, 2, "path"));
  head->scheme = RV_SPAN("https");
  head->authority = RV_SPAN("visitor.example");
}

/* origin:request{ method, path, body }: with a body that is whole already */
static int request(lua_State *L) {
  struct spec_origin *origin = check_origin(L);
  struct rv_engine *engine = rv_loop_engine(origin->loop->loop);
  struct rv_span body = span_field(L, 2, "body");
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  struct spec_request *self = lua_newuserdatauv(L, sizeof(*self), 0);
  *self = (struct spec_request){ .waker = { wake }, .L = main };
  luaL_setmetatable(L, REQUEST);
  struct rv_exchange *exchange = rv_exchange_new(engine, &self->waker);
  fill_head(L, &exchange->request);
  if (body.data == NULL)
    exchange->request.no_body = true;
  else
    exchange->request.content_length = (int64_t)body.length;
  if (body.length > 0 && rv_pipe_push_copy(&exchange->request_body,
                             &engine->chunks, body.data, body.length) < 0)
    return luaL_error(L, "out of memory");
  (void)rv_pipe_end(&exchange->request_body, NULL);
  self->exchange = exchange;
  self->pin = spec_pin(L);
  rv_engine_refresh(engine);
  rv_exchange_submit(exchange, rv_origin_handler(origin->origin));
  return 1;
}

static struct spec_request *check_request(lua_State *L) {
  struct spec_request *self = luaL_checkudata(L, 1, REQUEST);
  luaL_argcheck(L, self->exchange != NULL, 1, "it was left");
  return self;
}

/* request:is_done(): there is a whole answer, or a failure */
static int is_done(lua_State *L) {
  const struct rv_exchange *exchange = check_request(L)->exchange;
  lua_pushboolean(L, exchange->concluded || exchange->cancelled ||
                         exchange->response_body.state == RV_PIPE_ABORTED ||
                         (exchange->has_response &&
                             exchange->response_body.state == RV_PIPE_ENDED));
  return 1;
}

static void leave(lua_State *L, struct spec_request *self) {
  rv_exchange_detach_downstream(self->exchange);
  self->exchange = NULL;
  spec_unpin(L, &self->pin);
}

/* request:finish(): { status, body, failure, tries }, and leaves it */
static int finish(lua_State *L) {
  struct spec_request *self = check_request(L);
  struct rv_exchange *exchange = self->exchange;
  struct rv_slice slice;
  luaL_Buffer buffer;
  lua_newtable(L);
  lua_pushstring(L, rv_failure_row(exchange->failure)->word);
  lua_setfield(L, -2, "failure");
  lua_pushinteger(L, exchange->record.tries);
  lua_setfield(L, -2, "tries");
  if (exchange->has_response) {
    lua_pushinteger(L, exchange->response.status);
    lua_setfield(L, -2, "status");
  }
  luaL_buffinit(L, &buffer);
  while (rv_pipe_take(&exchange->response_body, SIZE_MAX, &slice)) {
    luaL_addlstring(&buffer, (const char *)slice.data, slice.length);
    rv_slice_release(&slice);
  }
  luaL_pushresult(&buffer);
  lua_setfield(L, -2, "body");
  leave(L, self);
  return 1;
}

static int cancel(lua_State *L) {
  leave(L, check_request(L));
  return 0;
}

int luaopen_spec_origin(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "request", request },
    { "close", close_origin },
    { NULL, NULL },
  };
  static const luaL_Reg request_methods[] = {
    { "is_done", is_done },
    { "finish", finish },
    { "cancel", cancel },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = { { "new", new_origin }, { NULL, NULL } };
  spec_new_class(L, ORIGIN, methods, NULL);
  spec_new_class(L, REQUEST, request_methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
