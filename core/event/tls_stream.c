/* SPDX-License-Identifier: MIT */
/* TLS between a stream and its user: it is a user of the one, and a stream for
   the other. */
#include "event/tls_stream.h"

#include <errno.h>
#include <reverst/error.h>
#include <stdlib.h>

enum {
  OUTPUT_MARK = 65536,           /* above it nothing more is encrypted */
  ANSWER_MARK = 2 * OUTPUT_MARK, /* above it nothing more is read */
  GATHER_VECTORS = 16
};
#define FLUSH_TIME (2 * RV_SECOND)

enum tls_state {
  TLS_HANDSHAKE,
  TLS_OPEN,
  TLS_FLUSHING, /* closed by the user; the last bytes are on their way */
  TLS_FAILED,   /* an alert may be on its way until the end of the turn */
  TLS_CLOSED    /* the lower stream was told to close */
};

struct tls {
  struct rv_stream stream;
  struct rv_stream_user *user; /* who hears on_closed, once it has closed */
  struct rv_stream_user lower_user;
  struct rv_stream *lower; /* valid until its on_closed */
  struct rv_engine *engine;
  struct rv_tls_session *session;
  struct rv_job read_job, close_job;
  struct rv_timer timer; /* of flushing */
  enum tls_state state;
  bool reading;       /* the user wants bytes */
  bool lower_reading; /* what the lower stream was told */
  bool ended;         /* close_notify has come */
  bool lower_ended;   /* FIN has come */
  bool has_more;      /* the user may have more to send */
  bool wants_shutdown, is_shut;
  int error;
  const char *reason;
};

static struct tls *tls_of(struct rv_stream *stream) {
  return rv_container_of(stream, struct tls, stream);
}

static struct tls *tls_of_user(struct rv_stream_user *user) {
  return rv_container_of(user, struct tls, lower_user);
}

static struct rv_slices *output_of(const struct tls *tls) {
  return rv_tls_session_output(tls->session);
}

/* ---- the end ---- */

static void close_lower(struct tls *tls, enum rv_stream_close how) {
  if (tls->state == TLS_CLOSED)
    return;
  tls->state = TLS_CLOSED;
  rv_timer_stop(&tls->engine->timers, &tls->timer);
  rv_turn_remove(&tls->read_job);
  rv_turn_remove(&tls->close_job);
  rv_stream_close(tls->lower, how);
}

static void run_close(struct rv_job *job) {
  close_lower(rv_container_of(job, struct tls, close_job), RV_STREAM_ABORT);
}

/* The turn writes what there is, and closes then. */
static void fail(struct tls *tls, int error, const char *reason) {
  if (tls->state >= TLS_FAILED)
    return;
  tls->state = TLS_FAILED;
  tls->error = error;
  tls->reason = reason;
  rv_stream_touch(tls->lower);
  rv_turn_add(&tls->engine->turn, &tls->close_job, RV_PHASE_FREE);
}

static void fail_by_session(struct tls *tls) {
  fail(tls, EPROTO, rv_tls_session_reason(tls->session));
}

static void on_timer(struct rv_timer *timer) {
  close_lower(rv_container_of(timer, struct tls, timer), RV_STREAM_ABORT);
}

/* ---- reading ---- */

static void deliver(struct tls *tls, const uint8_t *data, size_t length) {
  struct rv_chunk_pool *pool = &tls->engine->chunks;
  size_t size;
  uint8_t *space = rv_chunk_pool_space(pool, length, &size);

  if (space == NULL) {
    fail(tls, ENOMEM, NULL);
    return;
  }
  memcpy(space, data, length);
  tls->stream.user->ops->on_data(
      tls->stream.user, rv_chunk_pool_commit(pool, length));
}

static bool can_read(const struct tls *tls) {
  return tls->state == TLS_OPEN && tls->reading && !tls->ended;
}

/* The session may want chunks of the pool while it decrypts, so not into one.
 */
static void read_some(struct tls *tls) {
  uint8_t data[RV_TLS_RECORD];

  while (can_read(tls)) {
    ssize_t n = rv_tls_session_read(tls->session, data, sizeof(data));
    if (n == REVERST_ERR_AGAIN)
      break;
    if (n < 0) {
      fail_by_session(tls);
    } else if (n == 0) {
      tls->ended = true;
      tls->stream.user->ops->on_end(tls->stream.user);
    } else {
      deliver(tls, data, (size_t)n);
    }
  }
  if (can_read(tls) && tls->lower_ended)
    fail(tls, ECONNRESET, NULL);
}

/* Handshakes and key updates may want an answer: who does not take it may not
   ask for more. */
static void settle(struct tls *tls) {
  bool reading = (tls->state != TLS_OPEN || tls->reading) &&
                 output_of(tls)->length <= ANSWER_MARK;

  if (tls->state == TLS_CLOSED)
    return;
  if (output_of(tls)->length > 0)
    rv_stream_touch(tls->lower);
  if (reading == tls->lower_reading)
    return;
  tls->lower_reading = reading;
  rv_stream_set_reading(tls->lower, reading);
}

static void shake_hands(struct tls *tls) {
  int r = rv_tls_session_handshake(tls->session);

  if (r == REVERST_ERR_AGAIN) {
    if (tls->lower_ended)
      fail(tls, EPROTO, "the other side closed in the midst of the handshake");
  } else if (r < 0) {
    fail_by_session(tls);
  } else {
    tls->state = TLS_OPEN;
    rv_stream_touch(tls->lower);
    tls->stream.user->ops->on_connected(tls->stream.user);
  }
}

static void advance(struct tls *tls) {
  if (tls->state == TLS_HANDSHAKE)
    shake_hands(tls);
  read_some(tls);
  settle(tls);
}

static void run_read(struct rv_job *job) {
  advance(rv_container_of(job, struct tls, read_job));
}

/* ---- writing ---- */

static bool encrypt(struct tls *tls, const struct iovec *vector) {
  const uint8_t *data = vector->iov_base;

  for (size_t at = 0, length; at < vector->iov_len; at += length) {
    length = vector->iov_len - at;
    if (length > RV_TLS_RECORD)
      length = RV_TLS_RECORD;
    if (rv_tls_session_write(tls->session, data + at, length) < 0) {
      fail_by_session(tls);
      return false;
    }
  }
  return true;
}

/* false: the user has no more, or is gone. */
static bool encrypt_some(struct tls *tls) {
  struct iovec vectors[GATHER_VECTORS];
  size_t count =
      tls->stream.user->ops->gather(tls->stream.user, vectors, GATHER_VECTORS);
  size_t sent = 0;

  for (size_t i = 0; i < count && output_of(tls)->length < OUTPUT_MARK; i++) {
    if (!encrypt(tls, &vectors[i]))
      return false;
    sent += vectors[i].iov_len;
  }
  if (sent > 0)
    tls->stream.user->ops->on_sent(tls->stream.user, sent);
  return sent > 0 && tls->state == TLS_OPEN;
}

static void shut_if_wanted(struct tls *tls) {
  if (!tls->wants_shutdown || tls->is_shut || tls->has_more)
    return;
  tls->is_shut = true;
  rv_tls_session_end(tls->session);
  rv_stream_shutdown(tls->lower);
}

static size_t gather(
    struct rv_stream_user *user, struct iovec *vectors, size_t max) {
  struct tls *tls = tls_of_user(user);

  if (tls->state == TLS_OPEN && !tls->is_shut) {
    tls->has_more = true;
    while (output_of(tls)->length < OUTPUT_MARK && tls->has_more)
      tls->has_more = encrypt_some(tls);
    if (tls->state == TLS_OPEN)
      shut_if_wanted(tls);
  }
  if (tls->state == TLS_CLOSED)
    return 0;
  return rv_slices_peek(output_of(tls), 0, vectors, max);
}

static void on_sent(struct rv_stream_user *user, size_t length) {
  struct tls *tls = tls_of_user(user);

  rv_slices_consume(output_of(tls), length);
  if (tls->state == TLS_FLUSHING && output_of(tls)->length == 0)
    close_lower(tls, RV_STREAM_LINGER);
  else if (tls->state == TLS_OPEN && tls->has_more)
    rv_stream_touch(tls->lower);
  settle(tls);
}

/* ---- what the lower stream calls ---- */

static void on_connected(struct rv_stream_user *user) {
  (void)user; /* it was connected before */
}

static void on_data(struct rv_stream_user *user, struct rv_slice slice) {
  struct tls *tls = tls_of_user(user);

  if (tls->ended || tls->state > TLS_OPEN)
    rv_slice_release(&slice);
  else if (rv_tls_session_feed(tls->session, slice) < 0)
    fail(tls, ENOMEM, NULL);
  advance(tls);
}

static void on_end(struct rv_stream_user *user) {
  struct tls *tls = tls_of_user(user);

  tls->lower_ended = true;
  advance(tls);
}

static void on_hangup(struct rv_stream_user *user) {
  struct tls *tls = tls_of_user(user);

  if (tls->state == TLS_OPEN && tls->stream.user->ops->on_hangup != NULL)
    tls->stream.user->ops->on_hangup(tls->stream.user);
}

static void on_closed(struct rv_stream_user *user, int error) {
  struct tls *tls = tls_of_user(user);

  if (tls->state < TLS_FLUSHING)
    tls->error = error;
  rv_timer_stop(&tls->engine->timers, &tls->timer);
  rv_turn_remove(&tls->read_job);
  rv_turn_remove(&tls->close_job);
  if (tls->stream.user != NULL)
    tls->user = tls->stream.user;
  tls->user->ops->on_closed(tls->user, tls->error);
  tls->engine->live.streams--;
  rv_tls_session_free(tls->session);
  free(tls);
}

static const struct rv_stream_user_ops lower_user_ops = {
  .on_connected = on_connected,
  .on_data = on_data,
  .on_end = on_end,
  .on_hangup = on_hangup,
  .gather = gather,
  .on_sent = on_sent,
  .on_closed = on_closed,
};

/* ---- the interface ---- */

static void touch(struct rv_stream *stream) {
  struct tls *tls = tls_of(stream);

  if (tls->state == TLS_OPEN)
    rv_stream_touch(tls->lower);
}

static void set_reading(struct rv_stream *stream, bool reading) {
  struct tls *tls = tls_of(stream);

  tls->reading = reading;
  if (tls->state == TLS_OPEN)
    rv_turn_add(&tls->engine->turn, &tls->read_job, RV_PHASE_PROCESS);
}

static void shut(struct rv_stream *stream) {
  struct tls *tls = tls_of(stream);

  tls->wants_shutdown = true;
  touch(stream);
}

/* Everything was encrypted, but perhaps not sent. */
static void flush(struct tls *tls) {
  if (!tls->is_shut)
    rv_tls_session_end(tls->session);
  if (output_of(tls)->length == 0 ||
      rv_timer_set(&tls->engine->timers, &tls->timer,
          rv_deadline(tls->engine->now, FLUSH_TIME)) < 0) {
    close_lower(tls, RV_STREAM_LINGER);
    return;
  }
  tls->state = TLS_FLUSHING;
  settle(tls);
}

static void close_stream(struct rv_stream *stream, enum rv_stream_close how) {
  struct tls *tls = tls_of(stream);

  if (stream->user == NULL)
    return;
  tls->user = stream->user;
  stream->user = NULL;
  tls->error = 0;
  if (tls->state >= TLS_FAILED)
    return;
  if (how == RV_STREAM_LINGER && tls->state == TLS_OPEN)
    flush(tls);
  else
    close_lower(tls, RV_STREAM_ABORT);
}

static const struct rv_stream_ops tls_ops = {
  .touch = touch,
  .set_reading = set_reading,
  .shutdown = shut,
  .close = close_stream,
};

static struct tls *tls_new(struct rv_stream *lower, struct rv_engine *engine) {
  struct tls *tls = calloc(1, sizeof(*tls));

  if (tls == NULL)
    return NULL;
  tls->stream.ops = &tls_ops;
  tls->lower_user.ops = &lower_user_ops;
  tls->lower = lower;
  tls->engine = engine;
  tls->read_job.run = run_read;
  tls->close_job.run = run_close;
  tls->reading = tls->lower_reading = true;
  rv_timer_init(&tls->timer, on_timer);
  return tls;
}

/* The first words are the client's. */
int rv_tls_stream_open(struct rv_stream **stream, struct rv_stream *lower,
    const struct rv_tls_session_options *options, struct rv_stream_user *user) {
  struct tls *tls = tls_new(lower, options->engine);
  int r = REVERST_ERR_NO_MEMORY;

  if (tls != NULL)
    r = rv_tls_session_new(&tls->session, options);
  if (r == 0)
    r = rv_tls_session_handshake(tls->session);
  if (r < 0 && r != REVERST_ERR_AGAIN) {
    if (tls != NULL)
      rv_tls_session_free(tls->session);
    free(tls);
    return r;
  }
  tls->stream.user = user;
  tls->engine->live.streams++;
  lower->user = &tls->lower_user;
  rv_stream_touch(lower);
  *stream = &tls->stream;
  return 0;
}

const char *rv_tls_stream_reason(struct rv_stream *stream) {
  return tls_of(stream)->reason;
}
