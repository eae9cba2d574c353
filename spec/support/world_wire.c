/* SPDX-License-Identifier: MIT */
/* TCP connections whose bytes a spec writes and reads itself: visitors, and
   with a listener origins. */
#include "world.h"

#include "base/address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRE "spec.world_wire"
#define LISTENER "spec.world_listener"

enum { READ_SIZE = 65536 };

int luaopen_spec_world_wire(lua_State *L);

struct bytes {
  char *data;
  size_t length, capacity;
};

struct wire {
  struct world *world;
  int fd; /* -1: closed by us */
  struct event *readable, *writable;
  struct bytes in, out;
  size_t rate;     /* bytes read at most in one turn of the loop; 0: pause */
  const char *end; /* how the peer ended it: "end", "reset"; NULL: not yet */
  bool shut;       /* half-close when all is sent */
};

struct listener {
  struct world *world;
  int fd; /* -1: closed */
  struct event *readable;
  char address[32];
};

/* ---- bytes ---- */

static void append(struct bytes *bytes, const char *data, size_t length) {
  if (length == 0)
    return;
  if (bytes->length + length > bytes->capacity) {
    bytes->capacity = 2 * bytes->capacity + length;
    bytes->data = realloc(bytes->data, bytes->capacity);
    if (bytes->data == NULL)
      abort();
  }
  memcpy(bytes->data + bytes->length, data, length);
  bytes->length += length;
}

static void drop_front(struct bytes *bytes, size_t length) {
  memmove(bytes->data, bytes->data + length, bytes->length - length);
  bytes->length -= length;
}

/* ---- wires ---- */

static void close_wire(struct wire *wire) {
  if (wire->fd < 0)
    return;
  event_free(wire->readable);
  event_free(wire->writable);
  close(wire->fd);
  wire->fd = -1;
  free(wire->out.data);
  wire->out = (struct bytes){ 0 };
  world_drop(wire->world, wire);
}

static void tell(struct wire *wire, const char *handler) {
  if (world_push_handler(wire->world, wire, handler))
    world_call_handler(wire->world, 0);
}

static void note_end(struct wire *wire, const char *end) {
  event_del(wire->readable);
  event_del(wire->writable);
  wire->end = end;
  tell(wire, "on_end");
}

static void on_readable(evutil_socket_t fd, short what, void *argument) {
  struct wire *wire = argument;
  char data[READ_SIZE];
  ssize_t n = read(fd, data, wire->rate < READ_SIZE ? wire->rate : READ_SIZE);

  (void)what;
  if (n > 0) {
    append(&wire->in, data, (size_t)n);
    tell(wire, "on_data");
  } else if (n == 0) {
    note_end(wire, "end");
  } else if (errno != EAGAIN) {
    note_end(wire, "reset");
  }
}

static void on_writable(evutil_socket_t fd, short what, void *argument) {
  struct wire *wire = argument;
  ssize_t n = 0;

  (void)what;
  if (wire->out.length > 0)
    n = send(fd, wire->out.data, wire->out.length, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != ENOTCONN) {
    event_del(wire->writable); /* what can be read is still read */
    wire->out.length = 0;
    return;
  }
  if (n > 0)
    drop_front(&wire->out, (size_t)n);
  if (wire->out.length > 0)
    return;
  event_del(wire->writable);
  if (wire->shut)
    shutdown(fd, SHUT_WR);
}

static void push_wire(lua_State *L, struct world *world, int fd, int handlers) {
  struct wire *wire = world_new_object(L, sizeof(*wire), WIRE, handlers);
  int on = 1;

  wire->world = world;
  wire->fd = fd;
  wire->rate = READ_SIZE;
  wire->readable =
      event_new(world->base, fd, EV_READ | EV_PERSIST, on_readable, wire);
  wire->writable =
      event_new(world->base, fd, EV_WRITE | EV_PERSIST, on_writable, wire);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  event_add(wire->readable, NULL);
}

/* connect(world, address, handlers [, receive buffer in bytes]) */
static int connect_wire(lua_State *L) {
  struct world *world = world_check(L, 1);
  int buffer = (int)luaL_optinteger(L, 4, 0);
  struct rv_address address;
  int fd;

  luaL_checktype(L, 3, LUA_TTABLE);
  if (rv_address_parse(&address, rv_span_of(luaL_checkstring(L, 2))) < 0)
    return luaL_error(L, "not an address: %s", lua_tostring(L, 2));
  fd = socket(
      address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return luaL_error(L, "socket: %s", strerror(errno));
  if (buffer > 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
  if (connect(fd, &address.any, address.length) < 0 && errno != EINPROGRESS) {
    close(fd);
    return luaL_error(L, "connect: %s", strerror(errno));
  }
  push_wire(L, world, fd, 3);
  return 1;
}

static struct wire *check_wire(lua_State *L) {
  struct wire *wire = luaL_checkudata(L, 1, WIRE);

  luaL_argcheck(L, wire->fd >= 0, 1, "the connection was closed");
  return wire;
}

static int send_bytes(lua_State *L) {
  struct wire *wire = check_wire(L);
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);

  append(&wire->out, data, length);
  if (wire->end == NULL || strcmp(wire->end, "end") == 0)
    event_add(wire->writable, NULL);
  return 0;
}

/* wire:unsent() -> bytes that the kernel did not take yet */
static int unsent(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_wire(L)->out.length);
  return 1;
}

/* wire:take() -> what came since the last call; also after close */
static int take(lua_State *L) {
  struct wire *wire = luaL_checkudata(L, 1, WIRE);

  lua_pushlstring(L, wire->in.length ? wire->in.data : "", wire->in.length);
  wire->in.length = 0;
  return 1;
}

/* wire:ended() -> "end", "reset", or nil */
static int ended(lua_State *L) {
  struct wire *wire = luaL_checkudata(L, 1, WIRE);

  lua_pushstring(L, wire->end);
  return 1;
}

/* wire:rate(bytes): read at most so many in one turn of the loop; 0: none */
static int set_rate(lua_State *L) {
  struct wire *wire = check_wire(L);

  wire->rate = (size_t)luaL_checkinteger(L, 2);
  if (wire->rate == 0)
    event_del(wire->readable);
  else if (wire->end == NULL)
    event_add(wire->readable, NULL);
  return 0;
}

static int shut(lua_State *L) {
  struct wire *wire = check_wire(L);

  wire->shut = true;
  event_add(wire->writable, NULL);
  return 0;
}

static int reset(lua_State *L) {
  struct wire *wire = check_wire(L);
  struct linger linger = { .l_onoff = 1, .l_linger = 0 };

  setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
  close_wire(wire);
  return 0;
}

static int close_by_method(lua_State *L) {
  close_wire(luaL_checkudata(L, 1, WIRE));
  return 0;
}

/* wire:is_closed(): by us */
static int is_closed(lua_State *L) {
  struct wire *wire = luaL_checkudata(L, 1, WIRE);

  lua_pushboolean(L, wire->fd < 0);
  return 1;
}

static int collect_wire(lua_State *L) {
  struct wire *wire = luaL_checkudata(L, 1, WIRE);

  free(wire->in.data);
  wire->in = (struct bytes){ 0 };
  return 0;
}

/* ---- listeners ---- */

static void on_acceptable(evutil_socket_t fd, short what, void *argument) {
  struct listener *listener = argument;
  lua_State *L = listener->world->L;
  int visitor;

  (void)what;
  while (
      (visitor = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (!world_push_handler(listener->world, listener, "on_accept")) {
      close(visitor);
      continue;
    }
    lua_newtable(L); /* the handlers, which on_accept fills */
    push_wire(L, listener->world, visitor, -1);
    lua_insert(L, -2);
    world_call_handler(listener->world, 2);
  }
}

static int open_listener(char *bound, size_t size, struct sockaddr_in wanted) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  socklen_t length = sizeof(wanted);
  int on = 1;

  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd, (struct sockaddr *)&wanted, length) < 0 ||
      listen(fd, 1024) < 0 ||
      getsockname(fd, (struct sockaddr *)&wanted, &length) < 0) {
    close(fd);
    return -1;
  }
  snprintf(bound, size, "127.0.0.1:%u", ntohs(wanted.sin_port));
  return fd;
}

/* listen(world, { on_accept = function(listener, wire, handlers) } [,
   address]) */
static int listen_on(lua_State *L) {
  struct world *world = world_check(L, 1);
  const char *text = luaL_optstring(L, 3, "127.0.0.1:0");
  struct sockaddr_in wanted = world_check_address(L, text);
  char bound[32];
  int fd = open_listener(bound, sizeof(bound), wanted);
  struct listener *listener;

  if (fd < 0)
    return luaL_error(L, "%s: %s", text, strerror(errno));
  luaL_checktype(L, 2, LUA_TTABLE);
  listener = world_new_object(L, sizeof(*listener), LISTENER, 2);
  listener->world = world;
  listener->fd = fd;
  memcpy(listener->address, bound, sizeof(bound));
  listener->readable =
      event_new(world->base, fd, EV_READ | EV_PERSIST, on_acceptable, listener);
  event_add(listener->readable, NULL);
  return 1;
}

static int listener_address(lua_State *L) {
  struct listener *listener = luaL_checkudata(L, 1, LISTENER);

  lua_pushstring(L, listener->address);
  return 1;
}

static int close_listener(lua_State *L) {
  struct listener *listener = luaL_checkudata(L, 1, LISTENER);

  if (listener->fd < 0)
    return 0;
  event_free(listener->readable);
  close(listener->fd);
  listener->fd = -1;
  world_drop(listener->world, listener);
  return 0;
}

int luaopen_spec_world_wire(lua_State *L) {
  static const luaL_Reg wire_methods[] = {
    { "send", send_bytes },
    { "unsent", unsent },
    { "take", take },
    { "ended", ended },
    { "rate", set_rate },
    { "shut", shut },
    { "reset", reset },
    { "close", close_by_method },
    { "is_closed", is_closed },
    { NULL, NULL },
  };
  static const luaL_Reg listener_methods[] = {
    { "address", listener_address },
    { "close", close_listener },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = {
    { "connect", connect_wire },
    { "listen", listen_on },
    { NULL, NULL },
  };

  world_new_class(L, WIRE, wire_methods, collect_wire);
  world_new_class(L, LISTENER, listener_methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
