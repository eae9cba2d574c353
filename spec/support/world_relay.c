/* SPDX-License-Identifier: MIT */
/* A UDP relay between one client and a server: a network that can go silent,
   or give the client another port as a NAT does. */
#include "world.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLASS "spec.world_relay"

enum { DATAGRAM_SIZE = 65536 };

int luaopen_spec_world_relay(lua_State *L);

struct relay {
  struct world *world;
  int inner, outer; /* towards the client, towards the server; -1: closed */
  struct event *inner_event, *outer_event;
  struct sockaddr_in client, server;
  struct sockaddr_in lost; /* of a client that nobody hears any more */
  in_addr_t source;        /* of datagrams to the server */
  bool silent;
  char address[32];
};

static bool is_lost(const struct relay *relay, struct sockaddr_in from) {
  return from.sin_port == relay->lost.sin_port;
}

static void on_inner(evutil_socket_t fd, short what, void *argument) {
  struct relay *relay = argument;
  struct sockaddr_in from;
  socklen_t length = sizeof(from);
  char data[DATAGRAM_SIZE];
  ssize_t n;

  (void)what;
  while ((n = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT,
              (struct sockaddr *)&from, &length)) >= 0) {
    if (is_lost(relay, from))
      continue;
    relay->client = from;
    if (!relay->silent)
      (void)!sendto(relay->outer, data, (size_t)n, 0,
          (struct sockaddr *)&relay->server, sizeof(relay->server));
  }
}

static void on_outer(evutil_socket_t fd, short what, void *argument) {
  struct relay *relay = argument;
  char data[DATAGRAM_SIZE];
  ssize_t n;

  (void)what;
  while ((n = recv(fd, data, sizeof(data), MSG_DONTWAIT)) >= 0)
    if (!relay->silent && !is_lost(relay, relay->client))
      (void)!sendto(relay->inner, data, (size_t)n, 0,
          (struct sockaddr *)&relay->client, sizeof(relay->client));
}

static int open_socket(lua_State *L, in_addr_t local) {
  struct sockaddr_in any = { .sin_family = AF_INET };
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  any.sin_addr.s_addr = local;
  if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
    luaL_error(L, "no UDP socket");
  return fd;
}

static struct event *watch(
    struct relay *relay, int fd, event_callback_fn callback) {
  struct event *event =
      event_new(relay->world->base, fd, EV_READ | EV_PERSIST, callback, relay);

  event_add(event, NULL);
  return event;
}

/* new(world, address of the server [, what the server sees it come from]) */
static int new_relay(lua_State *L) {
  struct world *world = world_check(L, 1);
  struct sockaddr_in server = world_check_address(L, luaL_checkstring(L, 2));
  in_addr_t source = inet_addr(luaL_optstring(L, 3, "127.0.0.1"));
  struct sockaddr_in bound = { 0 };
  socklen_t length = sizeof(bound);
  struct relay *relay;

  lua_newtable(L);
  relay = world_new_object(L, sizeof(*relay), CLASS, -1);
  relay->world = world;
  relay->server = server;
  relay->source = source;
  relay->inner = open_socket(L, htonl(INADDR_LOOPBACK));
  relay->outer = open_socket(L, source);
  relay->inner_event = watch(relay, relay->inner, on_inner);
  relay->outer_event = watch(relay, relay->outer, on_outer);
  getsockname(relay->inner, (struct sockaddr *)&bound, &length);
  snprintf(relay->address, sizeof(relay->address), "127.0.0.1:%u",
      ntohs(bound.sin_port));
  return 1;
}

static struct relay *check_relay(lua_State *L) {
  struct relay *relay = luaL_checkudata(L, 1, CLASS);

  luaL_argcheck(L, relay->inner >= 0, 1, "the relay was closed");
  return relay;
}

static int address(lua_State *L) {
  lua_pushstring(L, check_relay(L)->address);
  return 1;
}

/* relay:silence(true): every datagram is lost */
static int silence(lua_State *L) {
  check_relay(L)->silent = lua_toboolean(L, 2);
  return 0;
}

/* Whoever spoke last is not heard any more, and hears nothing; another socket
   of his is. */
static int lose(lua_State *L) {
  struct relay *relay = check_relay(L);

  relay->lost = relay->client;
  return 0;
}

/* The server sees the client at another port from now on. */
static int rebind(lua_State *L) {
  struct relay *relay = check_relay(L);

  event_free(relay->outer_event);
  close(relay->outer);
  relay->outer = open_socket(L, relay->source);
  relay->outer_event = watch(relay, relay->outer, on_outer);
  return 0;
}

/* relay:inject(bytes): a datagram to the server that no client sent */
static int inject(lua_State *L) {
  struct relay *relay = check_relay(L);
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);

  (void)!sendto(relay->outer, data, length, 0,
      (struct sockaddr *)&relay->server, sizeof(relay->server));
  return 0;
}

static int close_relay(lua_State *L) {
  struct relay *relay = luaL_checkudata(L, 1, CLASS);

  if (relay->inner < 0)
    return 0;
  event_free(relay->inner_event);
  event_free(relay->outer_event);
  close(relay->inner);
  close(relay->outer);
  relay->inner = -1;
  world_drop(relay->world, relay);
  return 0;
}

int luaopen_spec_world_relay(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "address", address },
    { "silence", silence },
    { "lose", lose },
    { "rebind", rebind },
    { "inject", inject },
    { "close", close_relay },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = { { "new", new_relay }, { NULL, NULL } };

  world_new_class(L, CLASS, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
