/* SPDX-License-Identifier: MIT */
/* require "spec.resolver": resolvers, for Lua. */
#include "event.h"

#include "event/resolver.h"
#include <reverst/error.h>

#define CLASS "spec.resolver"
#define RESOLUTION "spec.resolution"

int luaopen_spec_resolver(lua_State *L);

struct spec_resolver {
  struct rv_resolver *resolver;
  struct spec_loop *loop;
};

struct spec_resolution {
  struct rv_resolution *resolution; /* NULL: answered or cancelled */
  lua_State *L;
  int pin;
  bool done;
  int error;
  size_t count;
  struct rv_address addresses[RV_RESOLVER_MAX_ADDRESSES];
};

/* new(loop, resolv_conf_path or nil, hosts_path or nil) */
static int new_resolver(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  const char *resolv_conf = luaL_optstring(L, 2, NULL);
  const char *hosts = luaL_optstring(L, 3, NULL);
  struct spec_resolver *self = lua_newuserdatauv(L, sizeof(*self), 0);
  *self = (struct spec_resolver){ .loop = loop };
  if (rv_resolver_new(&self->resolver, loop->loop) < 0 ||
      rv_resolver_set_files(self->resolver, resolv_conf, hosts) < 0)
    return luaL_error(L, "out of memory");
  loop->resolver = self->resolver;
  luaL_setmetatable(L, CLASS);
  return 1;
}

static struct spec_resolver *check_resolver(lua_State *L) {
  struct spec_resolver *self = luaL_checkudata(L, 1, CLASS);
  luaL_argcheck(L, self->resolver != NULL, 1, "the resolver is free");
  return self;
}

static void on_resolved(int error, const struct rv_address *addresses,
    size_t count, void *user_data) {
  struct spec_resolution *self = user_data;
  self->done = true;
  self->resolution = NULL;
  self->error = error;
  self->count = count;
  for (size_t i = 0; i < count; i++)
    self->addresses[i] = addresses[i];
  spec_unpin(self->L, &self->pin);
}

/* resolver:resolve(host, port): a resolution */
static int resolve(lua_State *L) {
  struct spec_resolver *resolver = check_resolver(L);
  struct rv_span host;
  host.data = luaL_checklstring(L, 2, &host.length);
  uint16_t port = (uint16_t)luaL_checkinteger(L, 3);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  struct spec_resolution *self = lua_newuserdatauv(L, sizeof(*self), 0);
  *self = (struct spec_resolution){ .L = main };
  luaL_setmetatable(L, RESOLUTION);
  self->pin = spec_pin(L);
  int r = rv_resolver_resolve(
      resolver->resolver, &self->resolution, host, port, on_resolved, self);
  if (r < 0) {
    spec_unpin(L, &self->pin);
    lua_pushstring(L, reverst_error_name(r));
    return lua_error(L);
  }
  return 1;
}

static int count_names(lua_State *L) {
  lua_pushinteger(
      L, (lua_Integer)rv_resolver_count(check_resolver(L)->resolver));
  return 1;
}

static int free_resolver(lua_State *L) {
  struct spec_resolver *self = check_resolver(L);
  rv_resolver_free(self->resolver);
  self->loop->resolver = NULL;
  self->resolver = NULL;
  return 0;
}

static struct spec_resolution *check_resolution(lua_State *L) {
  return luaL_checkudata(L, 1, RESOLUTION);
}

static int cancel(lua_State *L) {
  struct spec_resolution *self = check_resolution(L);
  rv_resolver_cancel(self->resolution);
  self->resolution = NULL;
  spec_unpin(L, &self->pin);
  return 0;
}

static int is_done(lua_State *L) {
  lua_pushboolean(L, check_resolution(L)->done);
  return 1;
}

/* resolution:result(): a list of addresses, or nil and the error's name */
static int result(lua_State *L) {
  struct spec_resolution *self = check_resolution(L);
  luaL_argcheck(L, self->done, 1, "not answered");
  if (self->error < 0) {
    lua_pushnil(L);
    lua_pushstring(L, reverst_error_name(self->error));
    return 2;
  }
  lua_newtable(L);
  for (size_t i = 0; i < self->count; i++) {
    spec_push_address(L, &self->addresses[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

int luaopen_spec_resolver(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "resolve", resolve },
    { "count", count_names },
    { "free", free_resolver },
    { NULL, NULL },
  };
  static const luaL_Reg resolution_methods[] = {
    { "cancel", cancel },
    { "is_done", is_done },
    { "result", result },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = { { "new", new_resolver },
    { NULL, NULL } };
  spec_new_class(L, CLASS, methods, NULL);
  spec_new_class(L, RESOLUTION, resolution_methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
