/* SPDX-License-Identifier: MIT */
/* Request streams: life, errors, and what is done in the session's job. */
#include "h3/stream.h"
#include <reverst/error.h>
#include <stdlib.h>

static void wake(struct rv_waker *waker) {
  rv_h3_stream_touch(rv_container_of(waker, struct rv_h3_stream, waker));
}

struct rv_h3_stream *rv_h3_stream_new(struct rv_h3_session *session) {
  struct rv_h3_stream *stream = malloc(sizeof(*stream));
  if (stream == NULL)
    return NULL;
  *stream = (struct rv_h3_stream){
    .session = session,
    .id = -1,
    .waker.wake = wake,
    .body_expected = RV_NO_LENGTH,
  };
  rv_buffer_init(&stream->section, RV_H3_MAX_SECTION);
  rv_h3_output_init(&stream->output);
  rv_list_push(&session->all, &stream->all_node);
  session->engine->live.h3_streams++;
  return stream;
}

int rv_h3_stream_add(struct rv_h3_stream *stream, int64_t id) {
  struct rv_h3_session *session = stream->session;
  stream->id = id;
  rv_fairness_open(&stream->fairness,
      session->transport->stream_window_left(session->transport, id));
  return rv_map_insert(&session->streams, &stream->node,
      (struct rv_span){ (const char *)&stream->id, sizeof(stream->id) });
}

struct rv_h3_stream *rv_h3_stream_find(
    struct rv_h3_session *session, int64_t id) {
  struct rv_map_node *node = rv_map_find(
      &session->streams, (struct rv_span){ (const char *)&id, sizeof(id) });
  if (node == NULL)
    return NULL;
  return rv_container_of(node, struct rv_h3_stream, node);
}

void rv_h3_stream_free(struct rv_h3_stream *stream) {
  struct rv_h3_session *session = stream->session;
  rv_h3_stream_detach(stream);
  rv_h3_stream_shut_writing(stream);
  rv_map_remove(&session->streams, &stream->node);
  rv_list_remove(&stream->all_node);
  rv_list_remove(&stream->touched_node);
  rv_h3_output_deinit(&stream->output);
  rv_buffer_deinit(&stream->section);
  session->engine->live.h3_streams--;
  free(stream);
}

void rv_h3_stream_touch(struct rv_h3_stream *stream) {
  struct rv_h3_session *session = stream->session;
  if (session->closed)
    return;
  if (!rv_list_linked(&stream->touched_node))
    rv_list_push(&session->touched, &stream->touched_node);
  rv_turn_add(&session->engine->turn, &session->job, RV_PHASE_PROCESS);
}

void rv_h3_stream_attach(
    struct rv_h3_stream *stream, struct rv_exchange *exchange) {
  stream->exchange = exchange;
  stream->session->active++;
}

/* The exchange may be gone afterwards. */
void rv_h3_stream_detach(struct rv_h3_stream *stream) {
  struct rv_exchange *exchange = stream->exchange;
  if (exchange == NULL)
    return;
  stream->exchange = NULL;
  stream->session->active--;
  rv_h3_stream_receive_nothing(stream);
  if (rv_h3_is_requester(stream->session))
    rv_exchange_detach_upstream(exchange);
  else
    rv_exchange_detach_downstream(exchange);
}

/* What we could not send is the cause of whatever the peer then makes of it. */
static void fail_exchange(
    struct rv_h3_stream *stream, enum rv_failure failure) {
  if (stream->exchange != NULL && rv_h3_is_requester(stream->session))
    rv_exchange_fail(stream->exchange,
        stream->send_failed ? RV_FAILURE_REQUEST_MALFORMED : failure);
}

void rv_h3_stream_abort(
    struct rv_h3_stream *stream, uint64_t code, enum rv_failure failure) {
  struct rv_h3_transport *transport = stream->session->transport;
  if (!stream->write_shut && !stream->end_written)
    transport->reset_stream(transport, stream->id, code);
  rv_h3_stream_shut_writing(stream);
  if (rv_h3_stream_is_receiving(stream))
    transport->stop_stream(transport, stream->id, code);
  fail_exchange(stream, failure);
  rv_h3_stream_detach(stream);
  rv_h3_stream_receive_nothing(stream);
}

void rv_h3_stream_error(struct rv_h3_stream *stream, uint64_t code) {
  rv_h3_stream_abort(stream, code, RV_FAILURE_ORIGIN_MALFORMED);
}

void rv_h3_stream_lost(struct rv_h3_stream *stream) {
  fail_exchange(stream,
      stream->any_written ? RV_FAILURE_TUNNEL_LOST : RV_FAILURE_REFUSED);
  stream->closed = true;
  rv_h3_stream_detach(stream);
  rv_h3_stream_shut_writing(stream);
  rv_map_remove(&stream->session->streams, &stream->node);
  rv_h3_output_deinit(&stream->output);
}

void rv_h3_streams_refused(struct rv_h3_session *session, uint64_t id) {
  rv_list_each(node, &session->all) {
    struct rv_h3_stream *stream =
        rv_container_of(node, struct rv_h3_stream, all_node);
    if (stream->exchange != NULL && (uint64_t)stream->id >= id &&
        !rv_exchange_has_head(stream->exchange))
      rv_h3_stream_abort(stream, RV_H3_REQUEST_CANCELLED, RV_FAILURE_REFUSED);
  }
}

void rv_h3_stream_process(struct rv_h3_stream *stream) {
  struct rv_h3_session *session = stream->session;
  if (stream->closed) {
    if (!rv_h3_is_requester(session))
      session->transport->release_stream(session->transport);
    rv_h3_stream_free(stream);
    return;
  }
  if (stream->exchange != NULL) {
    if (rv_h3_is_requester(session))
      rv_h3_requester_process(stream);
    else
      rv_h3_responder_process(stream);
  }
  rv_h3_stream_credit_body(stream);
  rv_h3_stream_schedule(stream);
}
