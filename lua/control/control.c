/* SPDX-License-Identifier: MIT */
/* Lines in, lines out, over a Unix socket, on the loop. */
#include "lua/control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <lauxlib.h>

#include "lua/control/control_socket.h"
#include "lua/control/lineage.h"
#include "lua/engine/log.h"

enum {
  MAX_CONNECTIONS = 64,
  MAX_LINE = 65536,
  IDLE_SECONDS = 60,
  ERROR_SIZE = 4096
};

struct connection {
  struct rv_lua_wish wish; /* first: the two are converted */
  LIST_ENTRY(connection) link;
  struct rv_lua_control *control;
  int fd;
  struct event *readable, *writable;
  size_t input_length;
  char *output; /* NULL: nothing is to be sent */
  size_t output_length, sent;
  bool has_ended; /* it sends no more */
  bool closing;   /* it goes when all is sent */
  char input[MAX_LINE + 1];
};

struct rv_lua_control {
  struct rv_lua_lineage *lineage;
  int fd;
  struct event *event, *pause; /* the latter while no descriptor is free */
  struct stat status;
  LIST_HEAD(, connection) connections;
  int count;
  char path[];
};

static const struct timeval patience = { IDLE_SECONDS, 0 };

/* ---- connections ---- */

static void free_connection(struct connection *connection) {
  struct rv_lua_control *control = connection->control;

  rv_lua_lineage_forget(control->lineage, &connection->wish);
  LIST_REMOVE(connection, link);
  --control->count;
  if (connection->readable)
    event_free(connection->readable);
  if (connection->writable)
    event_free(connection->writable);
  close(connection->fd);
  free(connection->output);
  free(connection);
}

/* One line more to send.  false: there is no memory for it. */
static bool add_output(
    struct connection *connection, const char *text, size_t length) {
  char *output =
      realloc(connection->output, connection->output_length + length + 1);

  if (!output)
    return false;
  memcpy(output + connection->output_length, text, length);
  connection->output = output;
  connection->output_length += length + 1;
  output[connection->output_length - 1] = '\n';
  return true;
}

/* false: it is broken. */
static bool send_output(struct connection *connection) {
  ssize_t n;

  while (connection->sent < connection->output_length) {
    n = send(connection->fd, connection->output + connection->sent,
        connection->output_length - connection->sent,
        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno == EAGAIN;
    connection->sent += (size_t)n;
  }
  free(connection->output);
  connection->output = NULL;
  connection->output_length = connection->sent = 0;
  return true;
}

/* ---- commands ---- */

struct command {
  struct connection *connection;
  const char *line;
  size_t length;
  enum { NOTHING, RELOAD, DRAIN } wanted;
};

static int call_answer(lua_State *L) {
  static const char *const names[] = { "", "reload", "drain", NULL };
  struct command *command = lua_touserdata(L, 1);
  const char *text;
  size_t length;

  lua_getglobal(L, "require");
  lua_pushliteral(L, "reverst.control");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "answer");
  lua_pushlstring(L, command->line, command->length);
  lua_call(L, 1, 2);
  command->wanted = luaL_checkoption(L, -1, "", names);
  if (command->wanted == RELOAD)
    return 0;
  text = luaL_checklstring(L, -2, &length);
  if (!add_output(command->connection, text, length))
    return luaL_error(L, "not enough memory");
  return 0;
}

static void refuse(struct connection *connection, const char *answer) {
  connection->closing = true;
  (void)add_output(connection, answer, strlen(answer));
}

static void run_command(
    struct connection *connection, const char *line, size_t length) {
  struct rv_lua_lineage *lineage = connection->control->lineage;
  struct command command = { connection, line, length, NOTHING };
  char error[ERROR_SIZE];

  if (rv_lua_protect(
          lineage->current, call_answer, &command, error, sizeof(error)) < 0) {
    rv_lua_log_text(
        lineage->current, REVERST_LOG_ERROR, "control_failed", "error", error);
    refuse(connection, "{\"ok\":false,\"error\":\"the command failed; the "
                       "log says why\"}");
  } else if (command.wanted == RELOAD) {
    rv_lua_lineage_want_reload(lineage, &connection->wish);
  } else if (command.wanted == DRAIN) {
    rv_lua_lineage_want_drain(lineage);
  }
}

/* The next whole line is run; false: there is none. */
static bool take_line(struct connection *connection) {
  char *end = memchr(connection->input, '\n', connection->input_length);
  size_t length;

  if (!end) {
    if (connection->input_length > MAX_LINE)
      refuse(connection,
          "{\"ok\":false,\"error\":\"a command has at most 65536 bytes\"}");
    return false;
  }
  length = (size_t)(end - connection->input);
  run_command(connection, connection->input, length);
  connection->input_length -= length + 1;
  memmove(connection->input, end + 1, connection->input_length);
  return true;
}

/* Does what can be done now; then it waits for one thing only. */
static void go_on(struct connection *connection) {
  event_del(connection->readable);
  event_del(connection->writable);
  do {
    if (!send_output(connection)) {
      free_connection(connection);
      return;
    }
    if (connection->output) {
      event_add(connection->writable, &patience);
      return;
    }
    if (connection->wish.is_waiting)
      return;
  } while (!connection->closing && take_line(connection));
  if (connection->output)
    go_on(connection);
  else if (connection->closing || connection->has_ended)
    free_connection(connection);
  else
    event_add(connection->readable, &patience);
}

static void on_answered(
    struct rv_lua_wish *wish, const char *answer, size_t length) {
  struct connection *connection = (struct connection *)wish;

  if (!add_output(connection, answer, length))
    connection->closing = true;
  go_on(connection);
}

static void on_writable(evutil_socket_t fd, short what, void *user_data) {
  (void)fd;
  if (what & EV_TIMEOUT)
    free_connection(user_data);
  else
    go_on(user_data);
}

static void on_readable(evutil_socket_t fd, short what, void *user_data) {
  struct connection *connection = user_data;
  ssize_t n;

  if (what & EV_TIMEOUT) {
    free_connection(connection);
    return;
  }
  n = recv(fd, connection->input + connection->input_length,
      sizeof(connection->input) - connection->input_length, MSG_DONTWAIT);
  if (n > 0)
    connection->input_length += (size_t)n;
  else if (n == 0)
    connection->has_ended = true;
  else if (errno != EAGAIN && errno != EINTR)
    connection->closing = true;
  go_on(connection);
}

/* ---- the socket ---- */

static void start_connection(struct rv_lua_control *control, int fd) {
  struct connection *connection = calloc(1, sizeof(*connection));
  struct event_base *base = control->lineage->base;

  if (!connection) {
    close(fd);
    return;
  }
  connection->control = control;
  connection->fd = fd;
  connection->wish.on_answered = on_answered;
  LIST_INSERT_HEAD(&control->connections, connection, link);
  ++control->count;
  connection->readable = event_new(base, fd, EV_READ, on_readable, connection);
  connection->writable = event_new(base, fd, EV_WRITE, on_writable, connection);
  if (!connection->readable || !connection->writable ||
      event_add(connection->readable, &patience) < 0)
    free_connection(connection);
}

/* Whoever waits would wake the loop for nothing. */
static void pause_listening(struct rv_lua_control *control) {
  const struct timeval second = { 1, 0 };

  event_del(control->event);
  event_add(control->pause, &second);
}

static void on_pause_over(evutil_socket_t fd, short what, void *user_data) {
  struct rv_lua_control *control = user_data;

  (void)fd;
  (void)what;
  event_add(control->event, NULL);
}

/* One at a time: so the loop's other events have their turns. */
static void on_connection(evutil_socket_t fd, short what, void *user_data) {
  struct rv_lua_control *control = user_data;
  int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

  (void)what;
  if (accepted < 0) {
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
      pause_listening(control);
    return;
  }
  if (control->count < MAX_CONNECTIONS) {
    start_connection(control, accepted);
    return;
  }
  rv_lua_log_text(control->lineage->current, REVERST_LOG_WARN,
      "control_refused", "reason", "there are 64 connections already");
  close(accepted);
}

static void free_control(struct rv_lua_control *control) {
  struct connection *connection;

  while ((connection = LIST_FIRST(&control->connections))) {
    (void)send_output(connection);
    free_connection(connection);
  }
  if (control->event)
    event_free(control->event);
  if (control->pause)
    event_free(control->pause);
  if (control->fd >= 0) {
    close(control->fd);
    rv_control_socket_remove(control->path, &control->status);
  }
  free(control);
}

static struct rv_lua_control *new_control(
    struct rv_lua_lineage *lineage, const char *path) {
  size_t size = strlen(path) + 1;
  struct rv_lua_control *control = calloc(1, sizeof(*control) + size);

  if (!control)
    return NULL;
  memcpy(control->path, path, size);
  control->lineage = lineage;
  control->fd = -1;
  LIST_INIT(&control->connections);
  return control;
}

static int open_control(
    struct rv_lua_control *control, char *error, size_t error_size) {
  control->fd = rv_control_socket_listen(
      control->path, &control->status, error, error_size);
  if (control->fd < 0)
    return -1;
  control->event = event_new(control->lineage->base, control->fd,
      EV_READ | EV_PERSIST, on_connection, control);
  control->pause =
      event_new(control->lineage->base, -1, 0, on_pause_over, control);
  if (!control->event || !control->pause ||
      event_add(control->event, NULL) < 0) {
    snprintf(error, error_size, "not enough memory");
    return -1;
  }
  return 0;
}

int rv_lua_control_open(lua_State *L) {
  struct rv_lua_lineage *lineage = rv_lua_of(L)->lineage;
  const char *path = luaL_checkstring(L, 1);
  struct rv_lua_control *control;
  char error[512] = "not enough memory";

  if (lineage->control)
    return luaL_error(L, "there is a control socket already");
  control = new_control(lineage, path);
  if (!control || open_control(control, error, sizeof(error)) < 0) {
    if (control)
      free_control(control);
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
  }
  lineage->control = control;
  lua_pushboolean(L, 1);
  return 1;
}

void rv_lua_control_close(struct rv_lua_lineage *lineage) {
  if (lineage->control)
    free_control(lineage->control);
  lineage->control = NULL;
}
