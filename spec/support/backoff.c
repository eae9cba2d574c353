/* SPDX-License-Identifier: MIT */
/* require "spec.backoff": the back-off of clients, on an engine whose time and
   randomness a spec makes. */
#include "client/backoff.h"

#include "engine.h"

#define TYPE "spec.backoff"

int luaopen_spec_backoff(lua_State *L);

struct backoff {
  struct rv_backoff backoff;
  struct rv_engine *engine;
};

static struct backoff *check_backoff(lua_State *L) {
  return luaL_checkudata(L, 1, TYPE);
}

/* new(engine) */
static int new_backoff(lua_State *L) {
  struct rv_engine *engine = spec_check_engine(L, 1);
  struct backoff *self = spec_new(L, sizeof(*self), TYPE, 1);

  self->engine = engine;
  return 1;
}

static int connected(lua_State *L) {
  struct backoff *self = check_backoff(L);

  rv_backoff_connected(&self->backoff, self->engine->now);
  return 0;
}

static int served(lua_State *L) {
  rv_backoff_served(&check_backoff(L)->backoff);
  return 0;
}

/* next(backoff): nanoseconds */
static int next_wait(lua_State *L) {
  struct backoff *self = check_backoff(L);

  lua_pushinteger(
      L, (lua_Integer)rv_backoff_next(&self->backoff, self->engine));
  return 1;
}

int luaopen_spec_backoff(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "connected", connected },
    { "served", served },
    { "next", next_wait },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = { { "new", new_backoff },
    { NULL, NULL } };

  spec_new_type(L, TYPE, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
