/* SPDX-License-Identifier: MIT */
/* require "spec.stream": streams and listeners, for Lua.  A stream keeps what
   it hears; a spec looks at it and waits for it. */
#include "event.h"

#include "base/buffer.h"
#include "event/tcp.h"
#include "event/tls_stream.h"
#include <errno.h>
#include <fcntl.h>
#include <reverst/error.h>
#include <stdlib.h>
#include <unistd.h>

#define STREAM "spec.stream"
#define LISTENER "spec.listener"

int luaopen_spec_stream(lua_State *L);

struct spec_stream {
  struct rv_stream_user user;
  struct rv_stream *stream; /* NULL: closed, or not any more ours */
  lua_State *L;
  int pin;
  struct rv_buffer received, outgoing;
  size_t sent;        /* of outgoing */
  size_t pause_after; /* received so much: reading is switched off; 0: never */
  bool connected, ended, closed, close_on_end;
  int data_after_close; /* callbacks that must not come */
  int error, gathers;
};

static struct spec_stream *stream_of(struct rv_stream_user *user) {
  return rv_container_of(user, struct spec_stream, user);
}

static void on_connected(struct rv_stream_user *user) {
  stream_of(user)->connected = true;
}

static void on_data(struct rv_stream_user *user, struct rv_slice slice) {
  struct spec_stream *self = stream_of(user);
  if (self->stream == NULL)
    self->data_after_close++;
  rv_buffer_append(&self->received, slice.data, slice.length);
  rv_slice_release(&slice);
  if (self->pause_after > 0 && self->received.length >= self->pause_after &&
      self->stream != NULL)
    rv_stream_set_reading(self->stream, false);
}

static void on_end(struct rv_stream_user *user) {
  struct spec_stream *self = stream_of(user);
  self->ended = true;
  if (self->close_on_end) {
    rv_stream_close(self->stream, RV_STREAM_LINGER);
    self->stream = NULL;
  }
}

/* In pieces of 1 000 bytes: several vectors, several calls. */
static size_t gather(
    struct rv_stream_user *user, struct iovec *vectors, size_t max) {
  struct spec_stream *self = stream_of(user);
  size_t count = 0;
  self->gathers++;
  for (size_t at = self->sent; at < self->outgoing.length && count < max;) {
    size_t length = self->outgoing.length - at;
    length = length < 1000 ? length : 1000;
    vectors[count++] = (struct iovec){ self->outgoing.data + at, length };
    at += length;
  }
  return count;
}

static void on_sent(struct rv_stream_user *user, size_t length) {
  stream_of(user)->sent += length;
}

static void on_closed(struct rv_stream_user *user, int error) {
  struct spec_stream *self = stream_of(user);
  self->closed = true;
  self->error = error;
  self->stream = NULL;
  spec_unpin(self->L, &self->pin);
}

static const struct rv_stream_user_ops user_ops = {
  .on_connected = on_connected,
  .on_data = on_data,
  .on_end = on_end,
  .gather = gather,
  .on_sent = on_sent,
  .on_closed = on_closed,
};

static lua_State *main_thread(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main;
}

/* Leaves it on the stack. */
static struct spec_stream *push_stream(lua_State *L) {
  struct spec_stream *self = lua_newuserdatauv(L, sizeof(*self), 0);
  *self = (struct spec_stream){
    .user = { .ops = &user_ops },
    .L = main_thread(L),
  };
  luaL_setmetatable(L, STREAM);
  self->pin = spec_pin(L);
  return self;
}

/* connect(loop, address, milliseconds or nil) */
static int connect_stream(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  struct rv_address address = spec_check_address(L, 2);
  uint64_t timeout = (uint64_t)luaL_optinteger(L, 3, 5000) * RV_MILLISECOND;
  struct spec_stream *self = push_stream(L);
  rv_engine_refresh(rv_loop_engine(loop->loop));
  int r = rv_tcp_stream_connect(
      &self->stream, loop->loop, &address, timeout, &self->user);
  return r < 0 ? luaL_error(L, "%s", reverst_strerror(r)) : 1;
}

/* pair(loop): two streams that are connected to each other by a Unix socket */
static int pair(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
    return luaL_error(L, "%s", strerror(errno));
  for (int i = 0; i < 2; i++) {
    struct spec_stream *self = push_stream(L);
    if (rv_tcp_stream_open(&self->stream, loop->loop, fds[i], &self->user) < 0)
      return luaL_error(L, "out of memory");
  }
  return 2;
}

static struct spec_stream *check_stream(lua_State *L) {
  return luaL_checkudata(L, 1, STREAM);
}

static struct spec_stream *check_open_stream(lua_State *L) {
  struct spec_stream *self = check_stream(L);
  luaL_argcheck(L, self->stream != NULL, 1, "the stream is closed");
  return self;
}

static int stream_write(lua_State *L) {
  struct spec_stream *self = check_open_stream(L);
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);
  rv_buffer_append(&self->outgoing, data, length);
  rv_stream_touch(self->stream);
  return 0;
}

static int stream_touch(lua_State *L) {
  rv_stream_touch(check_open_stream(L)->stream);
  return 0;
}

static int stream_set_reading(lua_State *L) {
  struct spec_stream *self = check_open_stream(L);
  self->pause_after = 0;
  rv_stream_set_reading(self->stream, lua_toboolean(L, 2));
  return 0;
}

static int stream_pause_after(lua_State *L) {
  check_open_stream(L)->pause_after = (size_t)luaL_checkinteger(L, 2);
  return 0;
}

static int stream_close_on_end(lua_State *L) {
  check_open_stream(L)->close_on_end = true;
  return 0;
}

static int stream_shutdown(lua_State *L) {
  rv_stream_shutdown(check_open_stream(L)->stream);
  return 0;
}

static int stream_close(lua_State *L) {
  struct spec_stream *self = check_open_stream(L);
  struct rv_stream *stream = self->stream;
  self->stream = NULL;
  rv_stream_close(stream, RV_STREAM_LINGER);
  return 0;
}

static int stream_abort(lua_State *L) {
  struct spec_stream *self = check_open_stream(L);
  struct rv_stream *stream = self->stream;
  self->stream = NULL;
  rv_stream_close(stream, RV_STREAM_ABORT);
  return 0;
}

static int stream_received(lua_State *L) {
  struct spec_stream *self = check_stream(L);
  lua_pushlstring(L, (const char *)self->received.data, self->received.length);
  return 1;
}

static void set_flag(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

static int stream_state(lua_State *L) {
  struct spec_stream *self = check_stream(L);
  lua_newtable(L);
  set_flag(L, "connected", self->connected);
  set_flag(L, "ended", self->ended);
  set_flag(L, "closed", self->closed);
  set_number(L, "received", self->received.length);
  set_number(L, "sent", self->sent);
  set_number(L, "gathers", (size_t)self->gathers);
  set_number(L, "data_after_close", (size_t)self->data_after_close);
  if (self->closed && self->error != 0) {
    lua_pushstring(L, strerrorname_np(self->error));
    lua_setfield(L, -2, "error");
  }
  return 1;
}

static int stream_gc(lua_State *L) {
  struct spec_stream *self = luaL_checkudata(L, 1, STREAM);
  rv_buffer_deinit(&self->received);
  rv_buffer_deinit(&self->outgoing);
  return 0;
}

/* stream:secure(loop, ca_path, name): the connected stream becomes one with
   TLS, which tells when it is connected */
static int stream_secure(lua_State *L) {
  struct spec_stream *self = check_open_stream(L);
  struct rv_engine *engine = rv_loop_engine(spec_check_loop(L, 2)->loop);
  struct rv_tls_client_options tls = {
    .ca_path = luaL_checkstring(L, 3),
    .for_streams = true,
  };
  struct rv_tls_session_options options = {
    .engine = engine,
    .server_name = luaL_checkstring(L, 4),
  };
  int r = rv_tls_client_context_new(&options.context, engine, &tls);
  if (r == 0)
    r = rv_tls_stream_open(&self->stream, self->stream, &options, &self->user);
  rv_tls_context_unref(options.context);
  self->connected = false;
  return r < 0 ? luaL_error(L, "%s", reverst_strerror(r)) : 0;
}

/* ---- listeners ---- */

struct spec_listener {
  struct rv_listener *listener;
  struct spec_loop *loop;
  int fds[256];
  size_t count;
  struct rv_address peer; /* of the newest */
};

static void on_accept(int fd, const struct rv_address *peer, void *user_data) {
  struct spec_listener *self = user_data;
  self->peer = *peer;
  if (self->count < sizeof(self->fds) / sizeof(self->fds[0]))
    self->fds[self->count++] = fd;
  else
    close(fd);
}

/* listen(loop, address): a listener, or nil and the error's name */
static int listen_stream(lua_State *L) {
  struct spec_loop *loop = spec_check_loop(L, 1);
  struct rv_address address = spec_check_address(L, 2);
  struct spec_listener *self = lua_newuserdatauv(L, sizeof(*self), 1);
  *self = (struct spec_listener){ .loop = loop };
  int r = rv_listener_open(&self->listener, &(struct rv_listener_options){
                                                .loop = loop->loop,
                                                .address = &address,
                                                .on_accept = on_accept,
                                                .user_data = self,
                                            });
  if (r < 0) {
    lua_pushnil(L);
    lua_pushstring(L, reverst_error_name(r));
    return 2;
  }
  luaL_setmetatable(L, LISTENER);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

static struct spec_listener *check_listener(lua_State *L) {
  return luaL_checkudata(L, 1, LISTENER);
}

/* listener:accept(): the oldest connection as a stream, or nil */
static int listener_accept(lua_State *L) {
  struct spec_listener *self = check_listener(L);
  if (self->count == 0)
    return 0;
  int fd = self->fds[0];
  memmove(self->fds, self->fds + 1, --self->count * sizeof(int));
  struct spec_stream *stream = push_stream(L);
  if (rv_tcp_stream_open(&stream->stream, self->loop->loop, fd, &stream->user) <
      0)
    return luaL_error(L, "out of memory");
  return 1;
}

/* listener:count(): connections that accept would return */
static int listener_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_listener(L)->count);
  return 1;
}

static int listener_address(lua_State *L) {
  spec_push_address(L, rv_listener_address(check_listener(L)->listener));
  return 1;
}

static int listener_peer(lua_State *L) {
  spec_push_address(L, &check_listener(L)->peer);
  return 1;
}

static int listener_close(lua_State *L) {
  struct spec_listener *self = check_listener(L);
  rv_listener_close(self->listener);
  self->listener = NULL;
  while (self->count > 0)
    close(self->fds[--self->count]);
  return 0;
}

int luaopen_spec_stream(lua_State *L) {
  static const luaL_Reg stream_methods[] = {
    { "write", stream_write },
    { "touch", stream_touch },
    { "set_reading", stream_set_reading },
    { "pause_after", stream_pause_after },
    { "close_on_end", stream_close_on_end },
    { "shutdown", stream_shutdown },
    { "close", stream_close },
    { "abort", stream_abort },
    { "received", stream_received },
    { "state", stream_state },
    { "secure", stream_secure },
    { NULL, NULL },
  };
  static const luaL_Reg listener_methods[] = {
    { "accept", listener_accept },
    { "count", listener_count },
    { "address", listener_address },
    { "peer", listener_peer },
    { "close", listener_close },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = {
    { "connect", connect_stream },
    { "pair", pair },
    { "listen", listen_stream },
    { NULL, NULL },
  };
  spec_new_class(L, STREAM, stream_methods, stream_gc);
  spec_new_class(L, LISTENER, listener_methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
