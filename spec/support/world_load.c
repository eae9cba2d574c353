/* SPDX-License-Identifier: MIT */
/* Many visitors at once: kept connections that ask the same again and again
   and compare each answer with what is expected. */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLASS "spec.world_load"

enum { BUFFER_SIZE = 32768 };

int luaopen_spec_world_load(lua_State *L);

struct visitor {
  struct load *load;
  int fd; /* -1: done */
  struct event *event;
  size_t received;
  char *buffer;
};

struct load {
  struct world *world;
  struct sockaddr_in address;
  const char *request, *body; /* kept alive by the options' table */
  size_t request_length, body_length;
  lua_Integer status;
  lua_Integer left; /* requests not sent yet */
  lua_Integer right, wrong, broken;
  size_t active, count;
  struct visitor *visitors;
};

static void finish_visitor(struct visitor *visitor) {
  if (visitor->fd < 0)
    return;
  event_free(visitor->event);
  close(visitor->fd);
  free(visitor->buffer);
  visitor->buffer = NULL;
  visitor->fd = -1;
  visitor->load->active--;
}

static void break_visitor(struct visitor *visitor) {
  visitor->load->broken++;
  finish_visitor(visitor);
}

/* Requests are small: the kernel takes one whole on a kept connection. */
static void send_request(struct visitor *visitor) {
  struct load *load = visitor->load;

  if (load->left == 0) {
    finish_visitor(visitor);
    return;
  }
  load->left--;
  visitor->received = 0;
  if (send(visitor->fd, load->request, load->request_length, MSG_NOSIGNAL) !=
      (ssize_t)load->request_length)
    break_visitor(visitor);
}

/* The whole answer's length; 0: not known yet; SIZE_MAX: never fits. */
static size_t answer_length(const struct visitor *visitor, size_t *head) {
  const char *end = memmem(visitor->buffer, visitor->received, "\r\n\r\n", 4);
  const char *field;

  if (end == NULL)
    return visitor->received == BUFFER_SIZE ? SIZE_MAX : 0;
  *head = (size_t)(end - visitor->buffer) + 4;
  for (field = visitor->buffer; field < end;
       field = (const char *)memchr(field, '\n', *head) + 1)
    if (strncasecmp(field, "content-length:", 15) == 0)
      return *head + strtoul(field + 15, NULL, 10);
  return SIZE_MAX;
}

static bool is_right(const struct visitor *visitor, size_t head) {
  const struct load *load = visitor->load;

  return strtol(visitor->buffer + 9, NULL, 10) == load->status &&
         visitor->received - head == load->body_length &&
         memcmp(visitor->buffer + head, load->body, load->body_length) == 0;
}

static void look_at_answer(struct visitor *visitor) {
  size_t head = 0;
  size_t length = answer_length(visitor, &head);

  if (length > BUFFER_SIZE) {
    break_visitor(visitor);
  } else if (length > 0 && visitor->received >= length) {
    if (is_right(visitor, head))
      visitor->load->right++;
    else
      visitor->load->wrong++;
    send_request(visitor);
  }
}

static void on_event(evutil_socket_t fd, short what, void *argument) {
  struct visitor *visitor = argument;
  ssize_t n;

  if (what & EV_WRITE) { /* connected */
    event_del(visitor->event);
    event_assign(visitor->event, visitor->load->world->base, fd,
        EV_READ | EV_PERSIST, on_event, visitor);
    event_add(visitor->event, NULL);
    send_request(visitor);
    return;
  }
  n = read(
      fd, visitor->buffer + visitor->received, BUFFER_SIZE - visitor->received);
  if (n > 0) {
    visitor->received += (size_t)n;
    visitor->buffer[visitor->received] = '\0'; /* for strtol */
    look_at_answer(visitor);
  } else if (n == 0 || errno != EAGAIN) {
    break_visitor(visitor);
  }
}

static void start_visitor(struct load *load, struct visitor *visitor) {
  int on = 1;

  visitor->load = load;
  visitor->buffer = malloc(BUFFER_SIZE + 1);
  visitor->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (visitor->fd < 0 || visitor->buffer == NULL)
    abort();
  setsockopt(visitor->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  visitor->event = event_new(
      load->world->base, visitor->fd, EV_WRITE | EV_PERSIST, on_event, visitor);
  event_add(visitor->event, NULL);
  load->active++;
  if (connect(visitor->fd, (struct sockaddr *)&load->address,
          sizeof(load->address)) < 0 &&
      errno != EINPROGRESS)
    break_visitor(visitor);
}

/* start(world, { address=, request=, status=, body=, connections=, requests= })
 */
static int start(lua_State *L) {
  struct world *world = world_check(L, 1);
  struct load *load;

  luaL_checktype(L, 2, LUA_TTABLE);
  load = world_new_object(L, sizeof(*load), CLASS, 2);
  load->world = world;
  load->address = world_check_address(L, world_text(L, 2, "address"));
  load->request = world_text(L, 2, "request");
  load->request_length = strlen(load->request);
  load->body = world_text(L, 2, "body");
  load->body_length = strlen(load->body);
  load->status = world_number(L, 2, "status", 200);
  load->left = world_number(L, 2, "requests", 1);
  load->count = (size_t)world_number(L, 2, "connections", 1);
  load->visitors = calloc(load->count, sizeof(*load->visitors));
  if (load->visitors == NULL)
    abort();
  for (size_t i = 0; i < load->count; i++)
    start_visitor(load, &load->visitors[i]);
  return 1;
}

/* load:counts() -> { right =, wrong =, broken =, active = } */
static int counts(lua_State *L) {
  struct load *load = luaL_checkudata(L, 1, CLASS);

  lua_newtable(L);
  world_set_number(L, "right", (uint64_t)load->right);
  world_set_number(L, "wrong", (uint64_t)load->wrong);
  world_set_number(L, "broken", (uint64_t)load->broken);
  world_set_number(L, "active", load->active);
  return 1;
}

static int is_done(lua_State *L) {
  struct load *load = luaL_checkudata(L, 1, CLASS);

  lua_pushboolean(L, load->active == 0);
  return 1;
}

static int close_load(lua_State *L) {
  struct load *load = luaL_checkudata(L, 1, CLASS);

  if (load->visitors == NULL)
    return 0;
  for (size_t i = 0; i < load->count; i++)
    finish_visitor(&load->visitors[i]);
  free(load->visitors);
  load->visitors = NULL;
  world_drop(load->world, load);
  return 0;
}

int luaopen_spec_world_load(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "counts", counts },
    { "is_done", is_done },
    { "close", close_load },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = { { "start", start }, { NULL, NULL } };

  world_new_class(L, CLASS, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
