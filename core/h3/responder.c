/* SPDX-License-Identifier: MIT */
/* Request streams of a responder, which is the exchange's downstream. */
#include "h3/stream.h"
#include <reverst/error.h>
#include <stdio.h>

int rv_h3_responder_on_head(
    struct rv_h3_stream *stream, struct rv_head *head, bool last) {
  struct rv_exchange *exchange =
      rv_exchange_new(stream->session->engine, &stream->waker);
  if (exchange == NULL)
    return REVERST_ERR_NO_MEMORY;
  rv_h3_stream_attach(stream, exchange);
  if (last && head->content_length > 0)
    return REVERST_ERR_MALFORMED;
  rv_head_deinit(&exchange->request);
  rv_head_move(&exchange->request, head);
  stream->body_expected = exchange->request.content_length;
  stream->receiving = RV_H3_RECEIVING_BODY;
  rv_h3_stream_touch(stream);
  return 0;
}

static void hand_over(struct rv_h3_stream *stream) {
  struct rv_exchange *exchange = stream->exchange;
  stream->handed = true;
  exchange->request.no_body = rv_pipe_finished(&exchange->request_body) &&
                              !exchange->request_body.has_trailers;
  rv_exchange_submit(exchange, stream->session->handler);
}

/* The whole answer was sent while the request still comes: nobody needs the
   rest (RFC 9114 section 4.1). */
static void end(struct rv_h3_stream *stream) {
  if (rv_h3_stream_is_receiving(stream) && !stream->upload_stopped)
    stream->session->transport->stop_stream(
        stream->session->transport, stream->id, RV_H3_NO_ERROR);
  rv_h3_stream_detach(stream);
}

/* ---- failures ---- */

/* A rejected request may be tried on another tunnel, whose visitor then never
   learns of this failure. The answer to these two would be the same there. */
static bool is_rejected(enum rv_failure failure) {
  return rv_failure_row(failure)->h3_code == RV_H3_REQUEST_REJECTED &&
         failure != RV_FAILURE_METHOD && failure != RV_FAILURE_UNSUPPORTED;
}

/* Says what happened in words, so that the visitor sees more than a 502. */
static int send_answer(
    struct rv_h3_stream *stream, const struct rv_failure_row *row) {
  struct rv_head head;
  char text[256], length[24];
  int n = snprintf(text, sizeof(text), "%s\n", row->text);
  (void)snprintf(length, sizeof(length), "%d", n);
  rv_head_init(&head);
  head.status = row->status;
  int r = rv_fields_add(&head.fields, RV_SPAN("content-type"),
      RV_SPAN("text/plain; charset=utf-8"));
  if (r == 0)
    r = rv_fields_add(
        &head.fields, RV_SPAN("content-length"), rv_span_of(length));
  if (r == 0)
    r = rv_h3_stream_send_head(stream, RV_H3_RESPONSE_HEAD, &head);
  rv_head_deinit(&head);
  if (r == 0 && !rv_is_bodyless(stream->exchange->request.method, row->status))
    r = rv_h3_stream_send_copy(stream, (struct rv_span){ text, (size_t)n });
  return r;
}

static void fail(struct rv_h3_stream *stream, enum rv_failure failure) {
  const struct rv_failure_row *row = rv_failure_row(failure);
  if (stream->head_queued || row->status == 0 || is_rejected(failure) ||
      send_answer(stream, row) < 0) {
    rv_h3_stream_abort(stream, row->h3_code, failure);
    return;
  }
  stream->head_queued = stream->end_queued = true;
  end(stream);
}

/* ---- the answer ---- */

static int send_informational(struct rv_h3_stream *stream) {
  struct rv_informational *informational;
  int r = 0;
  while (r == 0 && (informational = rv_exchange_take_informational(
                        stream->exchange)) != NULL) {
    r = rv_h3_stream_send_head(
        stream, RV_H3_RESPONSE_HEAD, &informational->head);
    rv_informational_free(informational);
    /* What may not pass is left out: it is only information. */
    if (r == REVERST_ERR_MALFORMED)
      r = 0;
  }
  return r;
}

static int send_head(struct rv_h3_stream *stream) {
  struct rv_exchange *exchange = stream->exchange;
  int r =
      rv_h3_stream_send_head(stream, RV_H3_RESPONSE_HEAD, &exchange->response);
  if (r < 0)
    return r;
  stream->head_queued = true;
  if (exchange->response.no_body ||
      rv_is_bodyless(exchange->request.method, exchange->response.status))
    stream->end_queued = true;
  return 0;
}

static void stop_upload(struct rv_h3_stream *stream) {
  struct rv_h3_transport *transport = stream->session->transport;
  if (stream->upload_stopped || !rv_h3_stream_is_receiving(stream) ||
      !rv_pipe_is_unwanted(&stream->exchange->request_body))
    return;
  stream->upload_stopped = true;
  transport->stop_stream(transport, stream->id, RV_H3_NO_ERROR);
}

/* After CONNECT each direction ends for itself. */
static bool is_over(const struct rv_h3_stream *stream) {
  bool tunnel =
      rv_span_equal(stream->exchange->request.method, RV_SPAN("CONNECT"));
  return stream->end_written &&
         (!tunnel || stream->upload_stopped ||
             !rv_h3_stream_is_receiving(stream) ||
             rv_pipe_is_unwanted(&stream->exchange->request_body));
}

void rv_h3_responder_process(struct rv_h3_stream *stream) {
  struct rv_exchange *exchange = stream->exchange;
  if (!stream->handed)
    hand_over(stream);
  if (stream->exchange == NULL)
    return;
  if (stream->send_failed || stream->write_shut) {
    rv_h3_stream_abort(stream, RV_H3_INTERNAL_ERROR, RV_FAILURE_CANCELLED);
    return;
  }
  int r = send_informational(stream);
  if (r == 0 && exchange->has_response && !stream->head_queued)
    r = send_head(stream);
  if (r < 0) {
    fail(stream, r == REVERST_ERR_MALFORMED ? RV_FAILURE_ORIGIN_MALFORMED
                                            : RV_FAILURE_INTERNAL);
    return;
  }
  if (exchange->response_body.state == RV_PIPE_ABORTED)
    fail(stream, exchange->response_body.cause);
  else if (exchange->concluded)
    fail(stream, exchange->failure);
  else if (is_over(stream))
    end(stream);
  else
    stop_upload(stream);
}
