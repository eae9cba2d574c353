/* SPDX-License-Identifier: MIT */
/* A visitor: one HTTP/1.1 request over a plain socket, on an event base. */
#ifndef EXAMPLE_VISIT_H
#define EXAMPLE_VISIT_H

#include <stdbool.h>
#include <stddef.h>

struct event;
struct event_base;

struct visit {
  struct event *event;
  int socket;
  char answer[4096];
  size_t length;
  void (*on_done)(bool complete, void *user_data);
  void *user_data;
};

/* Asks the server at `address` ("127.0.0.1:8181") for "/" of `host`. on_done
   comes once, from the loop, when the server has closed the connection
   (complete), or when it broke or its answer is too long. false: nothing was
   started, errno says why. */
bool visit_start(struct visit *visit, struct event_base *base,
    const char *address, const char *host);

/* May be called at any time, also without a start before it. */
void visit_end(struct visit *visit);

#endif
