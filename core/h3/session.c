/* SPDX-License-Identifier: MIT */
/* The session: roles, jobs, and what the transport says and asks. */
#include "h3/session.h"
#include "h3/control.h"
#include "h3/stream.h"
#include <assert.h>
#include <reverst/error.h>
#include <stdlib.h>

/* ---- life ---- */

static void run_job(struct rv_job *job) {
  struct rv_h3_session *session =
      rv_container_of(job, struct rv_h3_session, job);
  struct rv_list *node;
  if (session->control_wanted)
    rv_h3_control_open(session);
  /* A handler that answers at once touches its stream again: twice, so that
     the answer leaves in this turn. */
  for (int pass = 0; pass < 2; pass++) {
    struct rv_list touched;
    rv_list_init(&touched);
    rv_list_append(&touched, &session->touched);
    while (!session->closed && (node = rv_list_pop(&touched)) != NULL)
      rv_h3_stream_process(
          rv_container_of(node, struct rv_h3_stream, touched_node));
    rv_list_append(&session->touched, &touched);
  }
}

static void free_session(struct rv_job *job) {
  struct rv_h3_session *session =
      rv_container_of(job, struct rv_h3_session, free_job);
  rv_list_each(node, &session->all)
      rv_h3_stream_free(rv_container_of(node, struct rv_h3_stream, all_node));
  rv_h3_uni_free_all(session);
  rv_map_deinit(&session->streams);
  rv_turn_remove(&session->job);
  session->engine->live.h3_sessions--;
  free(session);
}

int rv_h3_session_new(
    struct rv_h3_session **session, const struct rv_h3_options *options) {
  struct rv_h3_session *new = malloc(sizeof(*new));
  if (new == NULL)
    return REVERST_ERR_NO_MEMORY;
  *new = (struct rv_h3_session){
    .engine = options->engine,
    .qpack = options->qpack,
    .transport = options->transport,
    .handler = options->handler,
    .news = options->news,
    .role = options->role,
    .strict = options->strict,
    .send_request_trailers = options->send_request_trailers,
    .limits = options->limits ? options->limits : &rv_limits_forwarded,
    .window = options->peer_window,
    .first_refused = INT64_MAX,
    .job.run = run_job,
    .free_job.run = free_session,
  };
  rv_map_init(&new->streams, new->engine->hash_secret);
  rv_list_init(&new->all);
  rv_list_init(&new->touched);
  for (int i = 0; i < RV_H3_QUEUE_COUNT; i++)
    rv_list_init(&new->queues[i]);
  rv_list_init(&new->held);
  rv_list_init(&new->uni);
  rv_h3_control_init(new);
  new->engine->live.h3_sessions++;
  if (!rv_h3_is_requester(new)) {
    new->control_wanted = true;
    rv_turn_add(&new->engine->turn, &new->job, RV_PHASE_PROCESS);
  }
  *session = new;
  return 0;
}

void rv_h3_session_close(struct rv_h3_session *session) {
  if (session->closed)
    return;
  session->closed = true;
  session->news = NULL;
  rv_list_each(node, &session->all)
      rv_h3_stream_lost(rv_container_of(node, struct rv_h3_stream, all_node));
  rv_turn_remove(&session->job);
  rv_turn_add(&session->engine->turn, &session->free_job, RV_PHASE_FREE);
}

void rv_h3_session_error(
    struct rv_h3_session *session, uint64_t code, const char *reason) {
  if (session->failed || session->closed)
    return;
  session->failed = true;
  session->transport->close(session->transport, code, rv_span_of(reason));
}

void rv_h3_session_set_strict(
    struct rv_h3_session *session, bool strict, bool send_request_trailers) {
  session->strict = strict;
  session->send_request_trailers = send_request_trailers;
}

/* ---- requests ---- */

static bool is_over(const struct rv_h3_session *session) {
  return session->failed || session->closed || session->goaway_received;
}

static int start(struct rv_h3_stream *stream, struct rv_exchange *exchange) {
  struct rv_h3_transport *transport = stream->session->transport;
  int64_t id;
  int r =
      rv_h3_stream_send_head(stream, RV_H3_REQUEST_HEAD, &exchange->request);
  if (r < 0)
    return r;
  r = transport->open_stream(transport, true, &id);
  if (r < 0)
    return r;
  r = rv_h3_stream_add(stream, id);
  if (r < 0)
    transport->reset_stream(transport, id, RV_H3_REQUEST_CANCELLED);
  return r;
}

int rv_h3_session_submit(
    struct rv_h3_session *session, struct rv_exchange *exchange) {
  assert(rv_h3_is_requester(session));
  if (is_over(session))
    return REVERST_ERR_CLOSED;
  if (session->transport->streams_left(session->transport) == 0)
    return REVERST_ERR_AGAIN;
  struct rv_h3_stream *stream = rv_h3_stream_new(session);
  if (stream == NULL)
    return REVERST_ERR_NO_MEMORY;
  int r = start(stream, exchange);
  if (r < 0) {
    rv_h3_stream_free(stream);
    return r;
  }
  rv_h3_control_open(session);
  rv_exchange_attach_upstream(exchange, &stream->waker);
  rv_h3_stream_attach(stream, exchange);
  stream->head_queued = true;
  if (exchange->request.no_body)
    stream->end_queued = true;
  rv_h3_stream_schedule(stream);
  return 0;
}

uint64_t rv_h3_session_streams_left(const struct rv_h3_session *session) {
  if (is_over(session))
    return 0;
  return session->transport->streams_left(session->transport);
}

/* ---- both ---- */

/* A requester names no push: all ids from 0 on. */
void rv_h3_session_drain(struct rv_h3_session *session) {
  if (session->goaway_sent || session->failed || session->closed)
    return;
  session->goaway_sent = true;
  if (!rv_h3_is_requester(session))
    session->first_refused = session->next_request_id;
  rv_h3_control_open(session);
  rv_h3_control_goaway(session, (uint64_t)session->next_request_id);
}

bool rv_h3_session_is_draining(const struct rv_h3_session *session) {
  return session->goaway_received;
}

size_t rv_h3_session_active(const struct rv_h3_session *session) {
  return session->active;
}

bool rv_h3_session_can_connect_protocol(const struct rv_h3_session *session) {
  return session->connect_protocol;
}

/* ---- from the transport ---- */

/* A stream that the peer opened: NULL when there is none to be. */
static struct rv_h3_stream *accept_stream(
    struct rv_h3_session *session, int64_t stream_id) {
  struct rv_h3_transport *transport = session->transport;
  if (rv_h3_is_requester(session)) {
    transport->stop_stream(transport, stream_id, RV_H3_STREAM_CREATION_ERROR);
    transport->reset_stream(transport, stream_id, RV_H3_STREAM_CREATION_ERROR);
    return NULL;
  }
  struct rv_h3_stream *stream = rv_h3_stream_new(session);
  if (stream != NULL && rv_h3_stream_add(stream, stream_id) < 0) {
    rv_h3_stream_free(stream);
    stream = NULL;
  }
  if (stream == NULL) {
    transport->stop_stream(transport, stream_id, RV_H3_REQUEST_REJECTED);
    transport->reset_stream(transport, stream_id, RV_H3_REQUEST_REJECTED);
    return NULL;
  }
  if (stream_id >= session->next_request_id)
    session->next_request_id = stream_id + 4;
  if (stream_id >= session->first_refused ||
      rv_engine_is_short_of_memory(session->engine))
    rv_h3_stream_abort(stream, RV_H3_REQUEST_REJECTED, RV_FAILURE_REFUSED);
  return stream;
}

int rv_h3_session_receive(struct rv_h3_session *session, int64_t stream_id,
    const uint8_t *data, size_t length, bool fin) {
  if (session->failed || session->closed)
    return REVERST_ERR_CLOSED;
  if (rv_h3_is_uni(stream_id)) {
    rv_h3_uni_receive(session, stream_id, data, length, fin);
    return 0;
  }
  struct rv_h3_stream *stream = rv_h3_stream_find(session, stream_id);
  if (stream == NULL)
    stream = accept_stream(session, stream_id);
  if (stream == NULL)
    return REVERST_ERR_CLOSED;
  rv_h3_stream_receive(stream, data, length, fin);
  return 0;
}

void rv_h3_session_stream_reset(
    struct rv_h3_session *session, int64_t stream_id, uint64_t code) {
  if (session->failed || session->closed)
    return;
  if (rv_h3_is_uni(stream_id)) {
    rv_h3_uni_reset(session, stream_id);
    return;
  }
  struct rv_h3_stream *stream = rv_h3_stream_find(session, stream_id);
  if (stream == NULL) { /* nothing came before: our half would stay open */
    session->transport->reset_stream(
        session->transport, stream_id, RV_H3_REQUEST_CANCELLED);
    return;
  }
  if (!rv_h3_stream_is_receiving(stream))
    return;
  /* The answer to our STOP_SENDING: the response goes on. */
  if (stream->upload_stopped) {
    rv_h3_stream_receive_nothing(stream);
    return;
  }
  rv_h3_stream_abort(stream, RV_H3_REQUEST_CANCELLED,
      stream->send_failed              ? RV_FAILURE_REQUEST_MALFORMED
      : code == RV_H3_REQUEST_REJECTED ? RV_FAILURE_REFUSED
                                       : RV_FAILURE_UPSTREAM_RESET);
}

void rv_h3_session_stream_stopped(
    struct rv_h3_session *session, int64_t stream_id, uint64_t code) {
  (void)code; /* whatever it is, the peer reads no more */
  if (session->failed || session->closed)
    return;
  if (stream_id == session->control_id) {
    rv_h3_session_error(
        session, RV_H3_CLOSED_CRITICAL_STREAM, "critical stream closed");
    return;
  }
  struct rv_h3_stream *stream = rv_h3_stream_find(session, stream_id);
  if (stream == NULL)
    return;
  rv_h3_stream_shut_writing(stream);
  if (rv_h3_is_requester(session))
    rv_h3_stream_touch(stream);
  else
    rv_h3_stream_abort(stream, RV_H3_REQUEST_CANCELLED, RV_FAILURE_CANCELLED);
}

void rv_h3_session_stream_closed(
    struct rv_h3_session *session, int64_t stream_id) {
  if (session->closed)
    return;
  if (stream_id == session->control_id) {
    session->control_shut = true;
    return;
  }
  if (rv_h3_is_uni(stream_id)) {
    rv_h3_uni_closed(session, stream_id);
    return;
  }
  struct rv_h3_stream *stream = rv_h3_stream_find(session, stream_id);
  if (stream != NULL) {
    rv_h3_stream_lost(stream);
    rv_h3_stream_touch(stream);
  } else if (!rv_h3_is_requester(session)) {
    session->transport->release_stream(session->transport);
  }
}

void rv_h3_session_acknowledged(
    struct rv_h3_session *session, int64_t stream_id, uint64_t length) {
  struct rv_h3_stream *stream = rv_h3_stream_find(session, stream_id);
  if (stream != NULL)
    rv_h3_output_acknowledged(&stream->output, length);
}

static void release_held(struct rv_h3_session *session) {
  rv_list_each(node, &session->held) rv_h3_stream_release(
      rv_container_of(node, struct rv_h3_stream, queue_node));
}

/* A transport need not tell that the connection's window grew: then more is
   left of it than was when it was looked at last. */
static void watch_window(struct rv_h3_session *session) {
  uint64_t left = session->transport->window_left(session->transport);
  if (left > session->window)
    session->window = left;
  if (left > session->window_seen)
    release_held(session);
  session->window_seen = left;
}

static void on_news(struct rv_h3_session *session) {
  watch_window(session);
  if (session->control_wanted && session->control_id < 0)
    rv_turn_add(&session->engine->turn, &session->job, RV_PHASE_PROCESS);
  session->transport->touch(session->transport);
  rv_wake(session->news);
}

void rv_h3_session_credited(struct rv_h3_session *session, int64_t stream_id) {
  struct rv_h3_transport *transport = session->transport;
  if (session->failed || session->closed)
    return;
  if (stream_id < 0) {
    on_news(session);
    return;
  }
  if (stream_id == session->control_id) {
    session->control_blocked = false;
    transport->touch(transport);
    return;
  }
  struct rv_h3_stream *stream = rv_h3_stream_find(session, stream_id);
  if (stream == NULL)
    return;
  stream->blocked = false;
  rv_fairness_open(
      &stream->fairness, transport->stream_window_left(transport, stream_id));
  rv_h3_stream_release(stream);
}

/* ---- packet building ---- */

static void next_control_write(struct rv_h3_session *session,
    int64_t *stream_id, struct iovec *vectors, size_t *vector_count,
    bool *fin) {
  *stream_id = session->control_id;
  vectors[0] = (struct iovec){
    .iov_base = session->control + session->control_written,
    .iov_len = session->control_length - session->control_written,
  };
  *vector_count = 1;
  *fin = false;
}

bool rv_h3_session_next_write(struct rv_h3_session *session, int64_t *stream_id,
    struct iovec *vectors, size_t *vector_count, bool *fin) {
  if (session->failed || session->closed)
    return false;
  watch_window(session);
  if (rv_h3_control_has_unsent(session)) {
    next_control_write(session, stream_id, vectors, vector_count, fin);
    return true;
  }
  for (int i = 0; i < RV_H3_QUEUE_COUNT; i++) {
    /* A stream that has nothing after all leaves its queue. */
    while (!rv_list_empty(&session->queues[i])) {
      struct rv_h3_stream *stream = rv_container_of(
          session->queues[i].next, struct rv_h3_stream, queue_node);
      *stream_id = stream->id;
      if (rv_h3_stream_next_write(stream, vectors, vector_count, fin))
        return true;
    }
  }
  return false;
}

void rv_h3_session_written(
    struct rv_h3_session *session, int64_t stream_id, size_t length, bool fin) {
  session->window_seen -=
      length < session->window_seen ? length : session->window_seen;
  if (stream_id == session->control_id) {
    session->control_written += length;
    return;
  }
  struct rv_h3_stream *stream = rv_h3_stream_find(session, stream_id);
  if (stream != NULL)
    rv_h3_stream_written(stream, length, fin);
}

void rv_h3_session_blocked(struct rv_h3_session *session, int64_t stream_id) {
  if (stream_id == session->control_id) {
    session->control_blocked = true;
    return;
  }
  struct rv_h3_stream *stream = rv_h3_stream_find(session, stream_id);
  if (stream == NULL)
    return;
  stream->blocked = true;
  rv_h3_stream_schedule(stream);
}

void rv_h3_session_write_shut(
    struct rv_h3_session *session, int64_t stream_id) {
  if (stream_id == session->control_id) {
    session->control_shut = true;
    return;
  }
  struct rv_h3_stream *stream = rv_h3_stream_find(session, stream_id);
  if (stream == NULL)
    return;
  rv_h3_stream_shut_writing(stream);
  rv_h3_stream_touch(stream);
}
