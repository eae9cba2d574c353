/* SPDX-License-Identifier: MIT */
/* The interface of a byte stream (TCP, Unix socket, TLS over either) and
   of its user (an HTTP/1.1 codec). event/ implements the one, h1/ the other. */
#ifndef RV_BASE_STREAM_H
#define RV_BASE_STREAM_H

#include "base/chunk.h"
#include <stdbool.h>
#include <sys/uio.h>

enum rv_stream_close {
  /* Shut the sending side, read and discard for at most 2 s or 1 MiB, then
     close: so that what was written arrives (RFC 9112 section 9.6). */
  RV_STREAM_LINGER,
  RV_STREAM_ABORT /* at once, with a reset where possible */
};

struct rv_stream_user;

struct rv_stream {
  const struct rv_stream_ops *ops;
  struct rv_stream_user *user; /* NULL once the user has closed it */
};

struct rv_stream_ops {
  /* There may be something to send: gather is called once at the end of the
     turn, and again whenever the socket takes more. */
  void (*touch)(struct rv_stream *stream);

  /* Back-pressure: while false nothing is read (a reset is still noticed).
     Begins as true. */
  void (*set_reading)(struct rv_stream *stream, bool reading);

  /* After all that gather yields was sent: half-close (FIN). */
  void (*shutdown)(struct rv_stream *stream);

  /* The user is done: no callback comes any more but on_closed, at the end of
     the turn or when lingering is over. Everything gathered must have been
     sent, else it is lost. */
  void (*close)(struct rv_stream *stream, enum rv_stream_close how);
};

struct rv_stream_user {
  const struct rv_stream_user_ops *ops;
};

/* None of these is called within rv_stream_ops calls. Each may call those. */
struct rv_stream_user_ops {
  /* Of one that we dialled. */
  void (*on_connected)(struct rv_stream_user *user);
  /* The slice is the user's now. */
  void (*on_data)(struct rv_stream_user *user, struct rv_slice slice);
  void (*on_end)(struct rv_stream_user *user); /* FIN was read */

  /* While reading is paused: the peer's FIN has come, behind bytes that were
     not read yet. on_end still follows once they were. May come more than
     once; may be NULL. */
  void (*on_hangup)(struct rv_stream_user *user);

  /* Fills at most `max` vectors with what is to be sent, in order; 0: nothing.
     The bytes stay valid until on_sent reports them. */
  size_t (*gather)(
      struct rv_stream_user *user, struct iovec *vectors, size_t max);
  void (*on_sent)(struct rv_stream_user *user, size_t length);

  /* The last call: 0 after close, else the errno that broke it. The stream
     frees itself afterwards. */
  void (*on_closed)(struct rv_stream_user *user, int error);
};

static inline void rv_stream_touch(struct rv_stream *stream) {
  stream->ops->touch(stream);
}
static inline void rv_stream_set_reading(
    struct rv_stream *stream, bool reading) {
  stream->ops->set_reading(stream, reading);
}
static inline void rv_stream_shutdown(struct rv_stream *stream) {
  stream->ops->shutdown(stream);
}
static inline void rv_stream_close(
    struct rv_stream *stream, enum rv_stream_close how) {
  stream->ops->close(stream, how);
}

#endif
