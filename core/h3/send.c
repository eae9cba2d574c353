/* SPDX-License-Identifier: MIT */
/* Request streams: the sending side. */
#include "h3/stream.h"
#include <reverst/error.h>

struct rv_pipe *rv_h3_stream_outgoing(const struct rv_h3_stream *stream) {
  if (stream->exchange == NULL)
    return NULL;
  return rv_h3_is_requester(stream->session) ? &stream->exchange->request_body
                                             : &stream->exchange->response_body;
}

/* ---- queueing ---- */

int rv_h3_stream_send_head(struct rv_h3_stream *stream,
    enum rv_h3_section_kind kind, const struct rv_head *head) {
  struct rv_h3_session *session = stream->session;
  struct rv_h3_section_rules rules = {
    .kind = kind,
    .limits = session->limits,
  };
  int r = rv_h3_section_write_head(
      session->qpack, &rules, head, &stream->output, &session->engine->chunks);
  stream->head_bytes = rv_h3_output_unsent(&stream->output);
  return r;
}

static void count_queued(struct rv_h3_stream *stream, uint64_t length) {
  stream->session->queued += length;
  stream->body_queued += length;
  stream->fairness.sent += length;
}

static int queue_data_head(struct rv_h3_stream *stream, size_t length) {
  uint8_t frame[RV_H3_FRAME_HEAD_MAX];
  size_t n = rv_h3_frame_write_head(frame, RV_H3_DATA, length);
  return rv_h3_output_copy(
      &stream->output, &stream->session->engine->chunks, frame, n);
}

int rv_h3_stream_send_copy(struct rv_h3_stream *stream, struct rv_span data) {
  int r = queue_data_head(stream, data.length);
  if (r == 0)
    r = rv_h3_output_copy(&stream->output, &stream->session->engine->chunks,
        data.data, data.length);
  return r;
}

static int queue_body(
    struct rv_h3_stream *stream, struct rv_pipe *pipe, size_t length) {
  struct rv_slice slice;
  int r = queue_data_head(stream, length);
  count_queued(stream, length);
  while (r == 0 && length > 0 && rv_pipe_take(pipe, length, &slice)) {
    length -= slice.length;
    r = rv_h3_output_push(&stream->output, slice);
  }
  return r;
}

static int queue_trailers(struct rv_h3_stream *stream, struct rv_pipe *pipe) {
  struct rv_h3_session *session = stream->session;
  bool request = rv_h3_is_requester(session);
  struct rv_h3_section_rules rules = {
    .kind = RV_H3_TRAILERS,
    .limits = session->limits,
  };
  if (!pipe->has_trailers || (request && !session->send_request_trailers))
    return 0;
  return rv_h3_section_write_trailers(session->qpack, &rules, &pipe->trailers,
      &stream->output, &session->engine->chunks);
}

/* ---- how much ---- */

static uint64_t smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/* Body bytes that may be queued now: one quantum at most, within all windows.
   What other streams have queued is as good as sent. */
static size_t body_allowance(const struct rv_h3_stream *stream) {
  struct rv_h3_session *session = stream->session;
  struct rv_h3_transport *transport = session->transport;
  uint64_t left = transport->window_left(transport);
  uint64_t stream_left = transport->stream_window_left(transport, stream->id);
  left -= smaller(left, session->queued);
  uint64_t n = smaller(left, stream_left);
  n -= smaller(n, 5); /* a DATA frame's head of that size */
  n = smaller(
      n, rv_fairness_allowance(&stream->fairness, session->window, left));
  return (size_t)smaller(n, RV_H3_QUANTUM);
}

/* Content-Length that the head declared; the peer takes any difference for a
   malformed message. */
static bool fits_length(
    const struct rv_h3_stream *stream, const struct rv_pipe *pipe, bool end) {
  const struct rv_exchange *exchange = stream->exchange;
  bool request = rv_h3_is_requester(stream->session);
  const struct rv_head *head =
      request ? &exchange->request : &exchange->response;
  uint64_t sent = pipe->taken;
  if (head->content_length == RV_NO_LENGTH || head->no_body ||
      (!request &&
          rv_is_bodyless(exchange->request.method, exchange->response.status)))
    return true;
  return end ? sent == (uint64_t)head->content_length
             : sent <= (uint64_t)head->content_length;
}

/* ---- what is next ---- */

static bool may_send_body(const struct rv_h3_stream *stream) {
  return stream->head_queued && !stream->end_queued;
}

/* All was taken from the pipe: trailers, if any, and FIN follow. */
static int queue_end(struct rv_h3_stream *stream, struct rv_pipe *pipe) {
  if (!may_send_body(stream) || !rv_pipe_finished(pipe))
    return 0;
  if (!fits_length(stream, pipe, true))
    return REVERST_ERR_MALFORMED;
  stream->end_queued = true;
  return queue_trailers(stream, pipe);
}

static int fill(struct rv_h3_stream *stream) {
  struct rv_pipe *pipe = rv_h3_stream_outgoing(stream);
  int r = 0;
  if (pipe == NULL || !may_send_body(stream))
    return 0;
  if (rv_h3_output_unsent(&stream->output) == 0) {
    size_t n = (size_t)smaller(rv_pipe_available(pipe), body_allowance(stream));
    if (n > 0)
      r = queue_body(stream, pipe, n);
    if (r == 0 && n > 0 && !fits_length(stream, pipe, false))
      r = REVERST_ERR_MALFORMED;
  }
  return r < 0 ? r : queue_end(stream, pipe);
}

/* ---- scheduling ---- */

static bool end_is_due(const struct rv_h3_stream *stream) {
  return stream->end_queued && !stream->end_written &&
         rv_h3_output_unsent(&stream->output) == 0;
}

static bool has_something(const struct rv_h3_stream *stream) {
  const struct rv_pipe *pipe = rv_h3_stream_outgoing(stream);
  if (stream->write_shut || stream->end_written)
    return false;
  if (end_is_due(stream))
    return true;
  if (rv_h3_output_unsent(&stream->output) > 0)
    return !stream->blocked;
  if (pipe == NULL || !may_send_body(stream))
    return false;
  return rv_pipe_finished(pipe) ||
         (rv_pipe_available(pipe) > 0 && !stream->blocked);
}

/* NULL: out of all of them. Where it is already it keeps its place. */
static void move_to(struct rv_h3_stream *stream, struct rv_list *queue) {
  if (stream->queue == queue)
    return;
  rv_list_remove(&stream->queue_node);
  stream->queue = queue;
  if (queue != NULL)
    rv_list_push(queue, &stream->queue_node);
}

void rv_h3_stream_schedule(struct rv_h3_stream *stream) {
  struct rv_h3_session *session = stream->session;
  if (session->failed || session->closed || !has_something(stream)) {
    move_to(stream, NULL);
    return;
  }
  if (stream->queue == &session->held)
    return;
  move_to(
      stream, &session->queues[stream->head_bytes > 0 ? RV_H3_QUEUE_HEADS
                                                      : RV_H3_QUEUE_BODIES]);
  session->transport->touch(session->transport);
}

void rv_h3_stream_release(struct rv_h3_stream *stream) {
  if (stream->queue == &stream->session->held)
    move_to(stream, NULL);
  rv_h3_stream_schedule(stream);
}

void rv_h3_stream_shut_writing(struct rv_h3_stream *stream) {
  stream->write_shut = true;
  stream->head_bytes = 0;
  stream->session->queued -= stream->body_queued;
  stream->body_queued = 0;
  move_to(stream, NULL);
}

/* ---- packet building ---- */

/* The message cannot be sent as it was announced, or memory ran out. */
static void give_up(struct rv_h3_stream *stream, int r) {
  struct rv_h3_transport *transport = stream->session->transport;
  (void)r;
  transport->reset_stream(transport, stream->id, RV_H3_INTERNAL_ERROR);
  rv_h3_stream_shut_writing(stream);
  stream->send_failed = true;
  rv_h3_stream_touch(stream);
}

bool rv_h3_stream_next_write(struct rv_h3_stream *stream, struct iovec *vectors,
    size_t *vector_count, bool *fin) {
  size_t covered;
  int r = fill(stream);
  if (r < 0) {
    give_up(stream, r);
    return false;
  }
  size_t unsent = rv_h3_output_unsent(&stream->output);
  if (unsent == 0 && !end_is_due(stream)) {
    /* With something to send, a window or its share of it is used up. */
    move_to(stream, has_something(stream) ? &stream->session->held : NULL);
    return false;
  }
  *vector_count =
      rv_h3_output_peek(&stream->output, vectors, *vector_count, &covered);
  *fin = stream->end_queued && covered == unsent;
  return true;
}

static void count_written(struct rv_h3_stream *stream, size_t length) {
  uint64_t body = smaller(stream->body_queued, length);
  stream->body_queued -= body;
  stream->session->queued -= body;
  stream->head_bytes -= (size_t)smaller(stream->head_bytes, length);
  stream->turn_bytes += length;
}

/* To the end of the line after a quantum, or out of it. */
void rv_h3_stream_written(
    struct rv_h3_stream *stream, size_t length, bool fin) {
  bool had_head = stream->head_bytes > 0;
  stream->any_written = stream->any_written || length > 0 || fin;
  if (stream->closed)
    return;
  rv_h3_output_written(&stream->output, length);
  count_written(stream, length);
  if (fin && stream->end_queued && rv_h3_output_unsent(&stream->output) == 0) {
    stream->end_written = true;
    rv_h3_stream_touch(stream);
  }
  bool turn_is_over = stream->turn_bytes >= RV_H3_QUANTUM;
  if (!turn_is_over && has_something(stream) &&
      had_head == (stream->head_bytes > 0))
    return;
  stream->turn_bytes = 0;
  move_to(stream, NULL);
  rv_h3_stream_schedule(stream);
}
