/* SPDX-License-Identifier: MIT */
/* A visitor: one HTTP/1.1 request over a plain socket, on an event base. */
#include "visit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/util.h>

static void finish(struct visit *visit, bool complete) {
  visit_end(visit);
  visit->on_done(complete, visit->user_data);
}

static void on_readable(evutil_socket_t number, short what, void *user_data) {
  struct visit *visit = user_data;
  ssize_t n;

  (void)what;
  n = recv(number, visit->answer + visit->length,
      sizeof(visit->answer) - visit->length, 0);
  if (n > 0) {
    visit->length += (size_t)n;
    if (visit->length == sizeof(visit->answer))
      finish(visit, false);
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    finish(visit, n == 0);
  }
}

/* An event for the socket, instead of the one before */
static bool watch(struct visit *visit, struct event_base *base, short what,
    event_callback_fn callback) {
  if (visit->event)
    event_free(visit->event);
  visit->event = event_new(base, visit->socket, what, callback, visit);
  return visit->event && event_add(visit->event, NULL) == 0;
}

/* Connected, or not: sending tells */
static void on_writable(evutil_socket_t number, short what, void *user_data) {
  struct visit *visit = user_data;
  struct event_base *base = event_get_base(visit->event);

  (void)what;
  /* a new connection has room for so few bytes */
  if (send(number, visit->answer, visit->length, MSG_NOSIGNAL) !=
      (ssize_t)visit->length) {
    finish(visit, false);
    return;
  }
  visit->length = 0;
  if (!watch(visit, base, EV_READ | EV_PERSIST, on_readable))
    finish(visit, false);
}

static bool write_request(struct visit *visit, const char *host) {
  int n = snprintf(visit->answer, sizeof(visit->answer),
      "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);

  if (n < 0 || (size_t)n >= sizeof(visit->answer)) {
    errno = EINVAL;
    return false;
  }
  visit->length = (size_t)n;
  return true;
}

bool visit_start(struct visit *visit, struct event_base *base,
    const char *address, const char *host) {
  struct sockaddr_storage peer;
  int length = (int)sizeof(peer);

  if (!write_request(visit, host))
    return false;
  if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&peer, &length)) {
    errno = EINVAL;
    return false;
  }
  visit->socket =
      socket(peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (visit->socket < 0)
    return false;
  if (connect(visit->socket, (struct sockaddr *)&peer, (socklen_t)length) < 0 &&
      errno != EINPROGRESS) {
    visit_end(visit);
    return false;
  }
  if (!watch(visit, base, EV_WRITE, on_writable)) {
    visit_end(visit);
    return false;
  }
  return true;
}

void visit_end(struct visit *visit) {
  int saved = errno;

  if (visit->event)
    event_free(visit->event);
  visit->event = NULL;
  if (visit->socket >= 0)
    close(visit->socket);
  visit->socket = -1;
  errno = saved;
}
