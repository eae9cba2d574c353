/* SPDX-License-Identifier: MIT */
/* Streams over TCP and Unix sockets, and listeners for them. */
#ifndef RV_EVENT_TCP_H
#define RV_EVENT_TCP_H

#include "base/address.h"
#include "base/stream.h"
#include "event/loop.h"

/* A stream on an accepted socket (owned from now on, closed also on failure).
 */
int rv_tcp_stream_open(struct rv_stream **stream, struct rv_loop *loop, int fd,
    struct rv_stream_user *user);

/* Dials; the user hears on_connected, or on_closed with the errno (ETIMEDOUT
   after `timeout` nanoseconds). A failure to even start is reported the same
   way. */
int rv_tcp_stream_connect(struct rv_stream **stream, struct rv_loop *loop,
    const struct rv_address *address, uint64_t timeout,
    struct rv_stream_user *user);

struct rv_listener;

struct rv_listener_options {
  struct rv_loop *loop;
  const struct rv_address *address; /* a stale Unix socket is replaced */
  bool beside; /* another that lets it, see rv_listener_let_beside */
  /* A connection came: the callee owns `fd` (non-blocking, close-on-exec). */
  void (*on_accept)(int fd, const struct rv_address *peer, void *user_data);
  void *user_data;
};

/* REVERST_ERR_LISTEN (with an entry that names the address). When descriptors
   run out it pauses accepting for a moment instead of spinning, and logs it
   once. */
int rv_listener_open(
    struct rv_listener **listener, const struct rv_listener_options *options);
void rv_listener_close(struct rv_listener *listener); /* NULL is fine */
const struct rv_address *rv_listener_address(
    const struct rv_listener *listener); /* as bound */

/* Whether one that is opened `beside` may have an address that overlaps this
   one's, such as 127.0.0.1:80 and 0.0.0.0:80, which is for the moment in which
   it takes its place: any program of the same user may do it (SO_REUSEPORT). */
void rv_listener_let_beside(struct rv_listener *listener, bool may);

#endif
