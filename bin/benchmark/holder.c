/* SPDX-License-Identifier: MIT */
/* A slow HTTP service, for bin/bench: takes requests and holds the answers.
   SIGUSR1: answers 204 to all, and at once from now on; SIGUSR2: holds again.
   Says at its end what came. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>

struct program;

/* One request at a time, as an HTTP client without pipelining sends them. */
struct connection {
  LIST_ENTRY(connection) link;
  struct program *program;
  struct event *event;
  evutil_socket_t fd;
  unsigned newlines; /* a head ends with two */
  bool is_held;
};

struct program {
  struct event_base *base;
  LIST_HEAD(, connection) connections;
  bool holds;
  size_t connection_count, request_count;
};

static void fail(const char *what) {
  perror(what);
  exit(EXIT_FAILURE);
}

static void leave(struct connection *connection) {
  LIST_REMOVE(connection, link);
  event_free(connection->event);
  close(connection->fd);
  free(connection);
}

static void answer(struct connection *connection) {
  static const char text[] = "HTTP/1.1 204 No Content\r\n\r\n";

  connection->is_held = false;
  if (write(connection->fd, text, sizeof(text) - 1) != sizeof(text) - 1)
    perror("an answer"); /* the other end sees to it */
}

static void take(struct connection *connection, char byte) {
  if (byte == '\n')
    connection->newlines++;
  else if (byte != '\r')
    connection->newlines = 0;
  if (connection->newlines < 2)
    return;
  connection->newlines = 0;
  connection->program->request_count++;
  connection->is_held = true;
  if (!connection->program->holds)
    answer(connection);
}

static void on_readable(evutil_socket_t fd, short what, void *user_data) {
  char bytes[16384];
  ssize_t n = read(fd, bytes, sizeof(bytes));

  (void)what;
  if (n <= 0) {
    leave(user_data);
    return;
  }
  for (ssize_t i = 0; i < n; ++i)
    take(user_data, bytes[i]);
}

static void on_accepted(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *address, int length, void *user_data) {
  struct program *program = user_data;
  struct connection *connection = calloc(1, sizeof(*connection));

  (void)listener;
  (void)address;
  (void)length;
  if (!connection)
    fail("a connection");
  connection->program = program;
  connection->fd = fd;
  connection->event = event_new(
      program->base, fd, EV_READ | EV_PERSIST, on_readable, connection);
  if (!connection->event || event_add(connection->event, NULL) < 0)
    fail("a connection");
  LIST_INSERT_HEAD(&program->connections, connection, link);
  program->connection_count++;
}

static void on_let_go(evutil_socket_t number, short what, void *user_data) {
  struct program *program = user_data;
  struct connection *connection;

  (void)number;
  (void)what;
  program->holds = false;
  LIST_FOREACH(connection, &program->connections, link) {
    if (connection->is_held)
      answer(connection);
  }
}

static void on_hold(evutil_socket_t number, short what, void *user_data) {
  struct program *program = user_data;

  (void)number;
  (void)what;
  program->holds = true;
}

static void on_end(evutil_socket_t number, short what, void *user_data) {
  struct program *program = user_data;

  (void)number;
  (void)what;
  event_base_loopbreak(program->base);
}

static struct event *on_signal(
    struct program *program, int number, event_callback_fn callback) {
  struct event *event = evsignal_new(program->base, number, callback, program);

  if (!event || event_add(event, NULL) < 0)
    fail("a signal");
  return event;
}

static void run(struct program *program) {
  struct event *events[] = {
    on_signal(program, SIGUSR1, on_let_go),
    on_signal(program, SIGUSR2, on_hold),
    on_signal(program, SIGTERM, on_end),
  };

  event_base_dispatch(program->base);
  printf("connections=%zu requests=%zu\n", program->connection_count,
      program->request_count);
  while (!LIST_EMPTY(&program->connections))
    leave(LIST_FIRST(&program->connections));
  for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); ++i)
    event_free(events[i]);
}

int main(int argc, char **argv) {
  struct program program = { .base = event_base_new(), .holds = true };
  struct sockaddr_storage address;
  struct evconnlistener *listener;
  int length = sizeof(address);

  if (argc != 2 || evutil_parse_sockaddr_port(
                       argv[1], (struct sockaddr *)&address, &length) < 0) {
    fprintf(stderr, "usage: %s ADDRESS\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  if (!program.base)
    fail("the loop");
  listener = evconnlistener_new_bind(program.base, on_accepted, &program,
      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 128,
      (struct sockaddr *)&address, length);
  if (!listener)
    fail(argv[1]);
  run(&program);
  evconnlistener_free(listener);
  event_base_free(program.base);
  return EXIT_SUCCESS;
}
