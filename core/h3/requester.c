/* SPDX-License-Identifier: MIT */
/* Request streams of a requester, which is the exchange's upstream. */
#include "h3/stream.h"
#include <reverst/error.h>

static bool is_unwanted(const struct rv_h3_stream *stream) {
  const struct rv_exchange *exchange = stream->exchange;
  return exchange->cancelled || exchange->failure != RV_FAILURE_NONE ||
         rv_pipe_is_unwanted(&exchange->response_body);
}

/* The peer wants no more of the upload. What was sent may still be replayed: a
   reset may follow that allows another try, and the pipe sees to that. */
static void stop_upload(struct rv_h3_stream *stream) {
  if (stream->write_shut && !stream->end_written)
    rv_pipe_stop(&stream->exchange->request_body);
}

static bool is_upload_over(const struct rv_h3_stream *stream) {
  return stream->end_written || stream->write_shut;
}

void rv_h3_requester_process(struct rv_h3_stream *stream) {
  struct rv_exchange *exchange = stream->exchange;
  if (stream->send_failed) {
    rv_h3_stream_abort(
        stream, RV_H3_REQUEST_CANCELLED, RV_FAILURE_REQUEST_MALFORMED);
    return;
  }
  if (stream->receiving == RV_H3_RECEIVED && is_upload_over(stream)) {
    rv_h3_stream_detach(stream);
    return;
  }
  if (exchange->request_body.state == RV_PIPE_ABORTED) {
    rv_h3_stream_abort(
        stream, RV_H3_REQUEST_CANCELLED, exchange->request_body.cause);
    return;
  }
  if (stream->receiving != RV_H3_RECEIVED && is_unwanted(stream)) {
    rv_h3_stream_abort(stream, RV_H3_REQUEST_CANCELLED, RV_FAILURE_CANCELLED);
    return;
  }
  stop_upload(stream);
}

static int on_informational(
    struct rv_h3_stream *stream, struct rv_head *head, bool last) {
  int r = rv_exchange_inform(stream->exchange, head);
  return r == 0 && last ? REVERST_ERR_MALFORMED : r;
}

int rv_h3_requester_on_head(
    struct rv_h3_stream *stream, struct rv_head *head, bool last) {
  struct rv_exchange *exchange = stream->exchange;
  if (head->status < 200)
    return on_informational(stream, head, last);
  bool bodyless = rv_is_bodyless(exchange->request.method, head->status);
  bool connected = head->status < 300 &&
                   rv_span_equal(exchange->request.method, RV_SPAN("CONNECT"));
  /* A tunnel has no length, whatever its head says (RFC 9110 section 8.6). */
  stream->body_expected = bodyless    ? 0
                          : connected ? RV_NO_LENGTH
                                      : head->content_length;
  if (last && stream->body_expected > 0)
    return REVERST_ERR_MALFORMED;
  head->no_body = bodyless || last;
  stream->receiving = RV_H3_RECEIVING_BODY;
  rv_h3_stream_touch(stream);
  return rv_exchange_respond(exchange, head);
}
