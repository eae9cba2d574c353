/* SPDX-License-Identifier: MIT */
/* require "spec.udp": UDP sockets, for Lua. */
#include "event.h"

#include "event/udp.h"
#include <reverst/error.h>

#define CLASS "spec.udp"

int luaopen_spec_udp(lua_State *L);

struct spec_udp {
  struct rv_udp *udp;
  lua_State *L;
  int received; /* a table, in the registry */
  int writable; /* how often it became so */
};

static void set_text(
    lua_State *L, const char *key, const struct rv_address *a) {
  spec_push_address(L, a);
  lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

static void on_datagram(const struct rv_datagram *datagram, void *user_data) {
  struct spec_udp *self = user_data;
  lua_State *L = self->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, self->received);
  lua_newtable(L);
  set_text(L, "local", datagram->local);
  set_text(L, "remote", datagram->remote);
  set_number(L, "segment_size", datagram->segment_size);
  set_number(L, "ecn", datagram->ecn);
  lua_pushlstring(L, (const char *)datagram->data, datagram->length);
  lua_setfield(L, -2, "data");
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

static void on_writable(void *user_data) {
  struct spec_udp *self = user_data;
  self->writable++;
}

/* open(loop, address): a socket, or nil and the error's name; what it receives
   is appended to socket:received() */
static int open_udp(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  struct rv_address address = spec_check_address(L, 2);
  struct spec_udp *self = lua_newuserdatauv(L, sizeof(*self), 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  *self = (struct spec_udp){ .L = lua_tothread(L, -1) };
  lua_pop(L, 1);
  int r = rv_udp_open(&self->udp, &(struct rv_udp_options){
                                      .loop = loop->loop,
                                      .address = &address,
                                      .on_datagram = on_datagram,
                                      .on_writable = on_writable,
                                      .user_data = self,
                                  });
  if (r < 0) {
    lua_pushnil(L);
    lua_pushstring(L, reverst_error_name(r));
    return 2;
  }
  luaL_setmetatable(L, CLASS);
  lua_newtable(L);
  self->received = luaL_ref(L, LUA_REGISTRYINDEX);
  return 1;
}

static struct spec_udp *check_udp(lua_State *L) {
  struct spec_udp *self = luaL_checkudata(L, 1, CLASS);
  luaL_argcheck(L, self->udp != NULL, 1, "the socket is closed");
  return self;
}

/* socket:send(to, data, segment_size or 0, ecn or 0, from or nil): bytes sent,
   or the error's name */
static int udp_send(lua_State *L) {
  struct spec_udp *self = check_udp(L);
  struct rv_address remote = spec_check_address(L, 2), local = { 0 };
  struct rv_datagram datagram = {
    .remote = &remote,
    .segment_size = (size_t)luaL_optinteger(L, 4, 0),
    .ecn = (uint8_t)luaL_optinteger(L, 5, 0),
  };
  datagram.data = (const uint8_t *)luaL_checklstring(L, 3, &datagram.length);
  if (!lua_isnoneornil(L, 6)) {
    local = spec_check_address(L, 6);
    datagram.local = &local;
  }
  struct rv_datagram_sink *sink = rv_udp_sink(self->udp);
  int r = sink->send(sink, &datagram);
  if (r < 0)
    lua_pushstring(L, reverst_error_name(r));
  else
    lua_pushinteger(L, r == 0 ? (lua_Integer)datagram.length : r);
  return 1;
}

static int udp_received(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, check_udp(L)->received);
  return 1;
}

static int udp_writable(lua_State *L) {
  lua_pushinteger(L, check_udp(L)->writable);
  return 1;
}

static int udp_address(lua_State *L) {
  spec_push_address(L, rv_udp_address(check_udp(L)->udp));
  return 1;
}

static int udp_close(lua_State *L) {
  struct spec_udp *self = check_udp(L);
  rv_udp_close(self->udp);
  self->udp = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, self->received);
  return 0;
}

int luaopen_spec_udp(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "send", udp_send },
    { "received", udp_received },
    { "writable", udp_writable },
    { "address", udp_address },
    { "close", udp_close },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = { { "open", open_udp }, { NULL, NULL } };
  spec_new_class(L, CLASS, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
