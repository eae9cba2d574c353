/* SPDX-License-Identifier: MIT */
/* The answering half of a visitor's connection. */
#include "base/log.h"
#include "h1/connection.h"
#include <reverst/error.h>

/* To others it was cancelled; the record says what the visitor was told. */
static void note_cause(
    struct rv_h1_server *server, struct rv_exchange *exchange) {
  if (server->cause != RV_FAILURE_NONE &&
      (exchange->failure == RV_FAILURE_NONE ||
          exchange->failure == RV_FAILURE_CANCELLED))
    exchange->failure = server->cause;
  server->cause = RV_FAILURE_NONE;
}

void rv_h1_answer_end(struct rv_h1_server *server) {
  struct rv_exchange *exchange = server->exchange;

  if (exchange == NULL)
    return;
  server->exchange = NULL;
  if (!rv_exchange_finished(exchange))
    rv_exchange_cancel(exchange);
  note_cause(server, exchange);
  if (exchange->record.end_ns == 0)
    exchange->record.end_ns = server->engine->now;
  if (server->options.on_exchange_ended != NULL)
    server->options.on_exchange_ended(exchange, server->options.user_data);
  rv_exchange_detach_downstream(exchange);
}

/* ---- failures ---- */

/* Must the connection end with this answer? A visitor that waits for a 100 that
   never came may send its body or not: what follows could not be told apart
   (RFC 9110 section 10.1.1). */
static bool closes(const struct rv_h1_server *server) {
  return server->close_after || server->draining || server->stream_ended ||
         (server->awaits_100 && server->progress == RV_H1_IN_BODY);
}

static void write_failure(
    struct rv_h1_server *server, struct rv_h1_failure failure) {
  const struct rv_failure_row *row = rv_failure_row(failure.failure);

  server->answering = true;
  server->close_after = closes(server) || row->h1_action == RV_H1_CLOSE;
  failure.close = server->close_after;
  rv_h1_sender_begin(&server->sender, RV_H1_NO_BODY, 0);
  if (row->status == 0 || rv_h1_write_failure(&server->sender.queue,
                              &server->engine->chunks, &failure) < 0)
    server->broken = true;
}

static void answer_failure(
    struct rv_h1_server *server, enum rv_failure failure) {
  struct rv_exchange *exchange = server->exchange;

  write_failure(server,
      (struct rv_h1_failure){
          .failure = failure,
          .request_id = exchange->record.request_id,
          .fields = &exchange->answer_fields,
          .head_only = rv_span_equal(exchange->request.method, RV_SPAN("HEAD")),
      });
}

/* The request was answered whole; this concerns the rest of its body. A second
   answer would be taken for that of the next request. */
static bool was_answered(const struct rv_h1_server *server) {
  return server->progress == RV_H1_IN_BODY && server->exchange == NULL;
}

/* The access log knows exchanges only: this is all that tells of the others. */
static void log_refusal(struct rv_h1_server *server, enum rv_failure failure) {
  char peer[RV_ADDRESS_TEXT_SIZE];

  rv_log(server->engine, REVERST_LOG_DEBUG, "request_refused",
      rv_log_text("cause", rv_failure_row(failure)->word),
      rv_log_text("peer", rv_address_print(&server->options.peer, peer)));
}

void rv_h1_answer_refuse(struct rv_h1_server *server, enum rv_failure failure) {
  log_refusal(server, failure);
  server->cause = failure;
  if (server->answering) {
    server->broken = true;
    return;
  }
  if (was_answered(server)) {
    rv_h1_server_close(server, RV_STREAM_LINGER);
    return;
  }
  server->close_after = true;
  if (server->exchange != NULL)
    answer_failure(server, failure);
  else
    write_failure(server, (struct rv_h1_failure){
                              .failure = failure,
                              .head_only = rv_span_equal(
                                  server->parser.head.method, RV_SPAN("HEAD")),
                          });
  server->progress = RV_H1_COMPLETE;
  rv_slices_clear(&server->input);
  rv_h1_answer_end(server);
}

void rv_h1_answer_check(struct rv_h1_server *server, int r) {
  if (r >= 0)
    return;
  server->broken = true;
  if (r != REVERST_ERR_CLOSED)
    server->cause = r == REVERST_ERR_NO_MEMORY ? RV_FAILURE_INTERNAL
                                               : RV_FAILURE_ORIGIN_MALFORMED;
}

/* ---- heads ---- */

static void write_informational(struct rv_h1_server *server) {
  static const struct rv_h1_shape shape = { RV_H1_NO_BODY, RV_NO_LENGTH,
    false };
  struct rv_informational *informational;

  while ((informational = rv_exchange_take_informational(server->exchange)) !=
         NULL) {
    struct rv_head *head = &informational->head;
    rv_filter_hop_by_hop(&head->fields);
    if (head->status == 100)
      server->awaits_100 = false;
    /* HTTP/1.0 does not know them (RFC 9110 section 15.2). One that is not
       valid is left out: nothing depends on it. */
    if (server->minor > 0 &&
        rv_h1_write_response(&server->sender.queue, &server->engine->chunks,
            head, &shape) == REVERST_ERR_NO_MEMORY)
      server->broken = true;
    rv_informational_free(informational);
  }
}

/* The whole body is in the pipe already, so its length is known. */
static int64_t known_length(
    const struct rv_head *head, const struct rv_pipe *body) {
  if (head->content_length != RV_NO_LENGTH)
    return head->content_length;
  if (head->no_body)
    return 0;
  if (body->state == RV_PIPE_ENDED && !body->has_trailers)
    return (int64_t)(body->pushed - body->taken);
  return RV_NO_LENGTH;
}

static struct rv_h1_shape shape_of(struct rv_h1_server *server) {
  const struct rv_exchange *exchange = server->exchange;
  const struct rv_head *head = &exchange->response;
  struct rv_h1_shape shape = { RV_H1_LENGTH, RV_NO_LENGTH, false };

  if (rv_is_bodyless(exchange->request.method, head->status)) {
    shape.framing = RV_H1_NO_BODY;
    if (head->status != 204 && head->status >= 200)
      shape.length = head->content_length;
    return shape;
  }
  shape.length = known_length(head, &exchange->response_body);
  if (shape.length == RV_NO_LENGTH)
    shape.framing = server->minor > 0 ? RV_H1_CHUNKED : RV_H1_UNTIL_CLOSE;
  return shape;
}

static void write_head(struct rv_h1_server *server) {
  struct rv_exchange *exchange = server->exchange;
  struct rv_h1_shape shape;
  int r = REVERST_ERR_MALFORMED;

  rv_filter_hop_by_hop(&exchange->response.fields);
  shape = shape_of(server);
  shape.close = closes(server) || shape.framing == RV_H1_UNTIL_CLOSE;
  server->close_after = shape.close;
  if (exchange->response.status >= 200)
    r = rv_h1_write_response(&server->sender.queue, &server->engine->chunks,
        &exchange->response, &shape);
  if (r == REVERST_ERR_MALFORMED) {
    rv_pipe_stop(&exchange->response_body);
    server->cause = RV_FAILURE_ORIGIN_MALFORMED;
    answer_failure(server, RV_FAILURE_ORIGIN_MALFORMED);
    return;
  }
  server->answering = true;
  server->broken = r < 0;
  rv_h1_sender_begin(&server->sender, shape.framing,
      shape.length > 0 ? (uint64_t)shape.length : 0);
  if (shape.framing == RV_H1_NO_BODY)
    rv_pipe_stop(&exchange->response_body);
}

void rv_h1_answer_advance(struct rv_h1_server *server) {
  struct rv_exchange *exchange = server->exchange;

  if (exchange == NULL)
    return;
  if (!server->answering) {
    write_informational(server);
    if (exchange->concluded)
      answer_failure(server, exchange->failure);
    else if (exchange->response_body.state == RV_PIPE_ABORTED)
      answer_failure(server, exchange->response_body.cause);
    else if (exchange->has_response)
      write_head(server);
  }
  if (server->answering)
    rv_h1_answer_check(
        server, rv_h1_sender_settle(&server->sender, &exchange->response_body));
}
