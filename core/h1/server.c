/* SPDX-License-Identifier: MIT */
/* The life and the reading half of a visitor's connection. */
#include "h1/connection.h"
#include <reverst/error.h>
#include <stdlib.h>

enum { MAX_DISCARDED = 1 << 20 };

static const uint64_t default_head_timeout = 10 * RV_SECOND;
static const uint64_t default_keep_alive_timeout = 75 * RV_SECOND;
static const uint64_t default_body_timeout = 60 * RV_SECOND;

static void run(struct rv_h1_server *server);

/* ---- reading a request ---- */

/* Everything about a head that may be wrong. */
static enum rv_failure check_head(
    struct rv_h1_server *server, enum rv_h1_framing *framing) {
  struct rv_h1_parser *parser = &server->parser;
  struct rv_head *head = &parser->head;
  enum rv_failure failure = rv_filter_check_head(head, parser->limits);

  if (failure == RV_FAILURE_NONE)
    failure = rv_h1_read_target(
        head, parser->target, parser->minor, server->options.default_host);
  if (failure == RV_FAILURE_NONE)
    failure = rv_h1_request_framing(head, parser->minor, framing);
  return failure;
}

/* What the head says about this connection, before that is removed. HTTP/1.0 is
   answered and closed: its persistence is a later invention with holes (RFC
   9112 appendix C.2.2). */
static void note_connection_fields(
    struct rv_h1_server *server, struct rv_fields *fields) {
  const struct rv_span *expect = rv_fields_find(fields, RV_SPAN("expect"));

  if (server->minor == 0 || !rv_h1_keeps(fields, server->minor))
    server->close_after = true;
  server->awaits_100 = server->minor > 0 && expect != NULL &&
                       rv_span_equal_nocase(*expect, RV_SPAN("100-continue"));
  rv_filter_hop_by_hop(fields);
}

static void submit(struct rv_h1_server *server, struct rv_exchange *exchange) {
  struct rv_head *head = &server->parser.head;

  head->scheme = server->options.scheme;
  rv_head_move(&exchange->request, head);
  exchange->peer = server->options.peer;
  server->exchange = exchange;
  server->progress = RV_H1_IN_BODY;
  if (exchange->request.no_body) {
    server->progress = RV_H1_COMPLETE;
    (void)rv_pipe_end(&exchange->request_body, NULL); /* cannot fail */
  }
  rv_exchange_submit(exchange, server->options.handler);
}

static void on_head(struct rv_h1_server *server) {
  struct rv_h1_parser *parser = &server->parser;
  enum rv_h1_framing framing = RV_H1_NO_BODY;
  enum rv_failure failure;
  struct rv_exchange *exchange;

  server->minor = parser->minor;
  failure = check_head(server, &framing);
  if (failure != RV_FAILURE_NONE) {
    rv_h1_answer_refuse(server, failure);
    return;
  }
  exchange = rv_exchange_new(server->engine, &server->waker);
  if (exchange == NULL) {
    rv_h1_answer_refuse(server, RV_FAILURE_INTERNAL);
    return;
  }
  note_connection_fields(server, &parser->head.fields);
  rv_h1_parser_begin_body(parser, framing,
      framing == RV_H1_LENGTH ? (uint64_t)parser->head.content_length : 0);
  submit(server, exchange);
}

/* Is the rest of the body for nobody, whatever comes? */
static bool discards(const struct rv_h1_server *server) {
  const struct rv_exchange *exchange = server->exchange;

  return exchange == NULL || exchange->request_body.state == RV_PIPE_ABORTED ||
         rv_pipe_is_unwanted(&exchange->request_body);
}

static void on_body(struct rv_h1_server *server, struct rv_slice slice) {
  server->awaits_100 = false;
  if (discards(server)) {
    server->discarded += slice.length;
    rv_slice_release(&slice);
    return;
  }
  if (rv_pipe_push(&server->exchange->request_body, slice) < 0)
    rv_pipe_abort(&server->exchange->request_body, RV_FAILURE_INTERNAL);
}

static void on_request_complete(struct rv_h1_server *server) {
  struct rv_fields *trailers = &server->parser.trailers;

  server->progress = RV_H1_COMPLETE;
  if (server->exchange == NULL)
    return;
  if (trailers->count > 0) {
    enum rv_failure failure =
        rv_filter_check_fields(trailers, server->parser.limits);
    if (failure != RV_FAILURE_NONE) {
      rv_h1_answer_refuse(server, failure);
      return;
    }
    rv_filter_trailers(trailers);
  }
  if (rv_pipe_end(&server->exchange->request_body,
          trailers->count > 0 ? trailers : NULL) < 0)
    rv_pipe_abort(&server->exchange->request_body, RV_FAILURE_INTERNAL);
}

/* Takes what the parser consumed off the input; the last part of it is body. */
static void consume(
    struct rv_h1_server *server, const struct rv_h1_read *read) {
  struct rv_slice body;

  rv_slices_consume(&server->input, read->consumed - read->body_length);
  if (read->body_length > 0 &&
      rv_slices_take(&server->input, read->body_length, &body))
    on_body(server, body);
}

static void read_some(struct rv_h1_server *server) {
  struct rv_h1_read read;
  struct iovec bytes;

  rv_slices_peek(&server->input, 0, &bytes, 1);
  read = rv_h1_parser_read(&server->parser, bytes.iov_base, bytes.iov_len);
  consume(server, &read);
  if (server->progress == RV_H1_WAITS) {
    server->progress = RV_H1_IN_HEAD;
    server->head_ns = server->engine->now;
  }
  if (read.event == RV_H1_FAILED)
    rv_h1_answer_refuse(server, server->parser.failure);
  else if (read.event == RV_H1_HEAD)
    on_head(server);
  else if (server->progress == RV_H1_IN_BODY &&
           rv_h1_parser_done(&server->parser))
    on_request_complete(server);
}

/* May more of the input be parsed now? */
static bool wants_input(const struct rv_h1_server *server) {
  switch (server->progress) {
  case RV_H1_WAITS:
  case RV_H1_IN_HEAD:
    return true;
  case RV_H1_IN_BODY:
    if (discards(server))
      return server->discarded < MAX_DISCARDED;
    return rv_pipe_wants(&server->exchange->request_body);
  default:
    return false;
  }
}

static void read_input(struct rv_h1_server *server) {
  while (!server->broken && server->input.length > 0 && wants_input(server))
    read_some(server);
}

/* A FIN, once all that came before it was looked at. */
static void on_all_read(struct rv_h1_server *server) {
  switch (server->progress) {
  case RV_H1_WAITS:
    rv_h1_server_close(server, RV_STREAM_LINGER);
    break;
  case RV_H1_IN_HEAD:
    rv_h1_answer_refuse(server, RV_FAILURE_REQUEST_MALFORMED);
    break;
  case RV_H1_IN_BODY:
    server->close_after = true;
    if (!server->answering)
      rv_h1_answer_refuse(server, RV_FAILURE_REQUEST_MALFORMED);
    else if (server->exchange != NULL)
      rv_pipe_abort(
          &server->exchange->request_body, RV_FAILURE_REQUEST_MALFORMED);
    server->progress = RV_H1_COMPLETE;
    server->stream_ended = false; /* the answer under way is delivered */
    break;
  case RV_H1_COMPLETE:
    server->close_after = true;
    if (server->exchange != NULL && !server->options.half_close)
      server->broken = true;
    break;
  }
}

/* ---- one request after the other ---- */

/* The answer was sent whole: the connection closes, goes on with the rest of
   the body that nobody wants, or with the next request. */
static void end_answer(struct rv_h1_server *server) {
  server->answering = false;
  server->served = true;
  rv_h1_answer_end(server);
  if (server->close_after || server->draining)
    rv_h1_server_close(server, RV_STREAM_LINGER);
}

static void begin_next(struct rv_h1_server *server) {
  rv_h1_parser_reset(&server->parser);
  server->progress = RV_H1_WAITS;
  server->discarded = 0;
  server->awaits_100 = false;
  server->active_ns = server->engine->now;
}

/* Between two requests: the last one was read and answered. */
static bool is_between(const struct rv_h1_server *server) {
  return server->progress == RV_H1_COMPLETE && server->exchange == NULL &&
         !server->answering;
}

/* Does what can be done for the request under way; true when its answer was
   finished, or the rest of its body was: there may be more to do then. */
static bool advance_once(struct rv_h1_server *server) {
  bool ended = false;

  if (is_between(server))
    begin_next(server);
  read_input(server);
  if (server->stream_ended && server->input.length == 0 && !server->broken)
    on_all_read(server);
  if (!server->closing)
    rv_h1_answer_advance(server);
  if (server->broken)
    rv_h1_server_close(server, RV_STREAM_ABORT);
  if (!server->closing && server->answering &&
      rv_h1_sender_done(&server->sender)) {
    end_answer(server);
    ended = true;
  }
  return ended || is_between(server);
}

static void advance(struct rv_h1_server *server) {
  while (advance_once(server) && !server->closing)
    continue;
  if (server->exchange == NULL && !server->answering &&
      server->discarded >= MAX_DISCARDED)
    rv_h1_server_close(server, RV_STREAM_LINGER);
}

/* ---- time ---- */

static uint64_t deadline_of(const struct rv_h1_server *server) {
  const struct rv_h1_server_options *options = &server->options;

  if (server->progress == RV_H1_WAITS)
    return rv_deadline(server->active_ns,
        server->served ? options->keep_alive_timeout : options->head_timeout);
  if (server->progress == RV_H1_IN_HEAD)
    return rv_deadline(server->head_ns, options->head_timeout);
  if (server->answering || server->progress == RV_H1_IN_BODY)
    return rv_deadline(server->active_ns, options->body_timeout);
  return RV_NEVER;
}

static void on_timer(struct rv_timer *timer) {
  struct rv_h1_server *server =
      rv_container_of(timer, struct rv_h1_server, timer);

  if (server->closing)
    return;
  if (deadline_of(server) > server->engine->now) {
    run(server); /* sets it anew: bytes that were sent did not */
    return;
  }
  server->active_ns = server->engine->now;
  if (server->answering)
    rv_h1_answer_refuse(server, RV_FAILURE_TIMEOUT_BODY);
  else if (server->progress == RV_H1_IN_HEAD)
    rv_h1_answer_refuse(server, RV_FAILURE_TIMEOUT_REQUEST);
  else if (server->exchange == NULL)
    rv_h1_server_close(server, RV_STREAM_LINGER);
  else
    rv_h1_answer_refuse(server, wants_input(server) ? RV_FAILURE_TIMEOUT_REQUEST
                                                    : RV_FAILURE_TIMEOUT_BODY);
  run(server);
}

/* ---- the turn ---- */

/* What is not parsed now is not read either, beyond what came with it: a
   visitor's FIN is only seen while all it sent was looked at. */
static void set_reading(struct rv_h1_server *server) {
  bool reading =
      server->input.length == 0 &&
      (wants_input(server) || (server->progress == RV_H1_COMPLETE &&
                                  server->discarded < MAX_DISCARDED));

  if (reading == server->reading)
    return;
  server->reading = reading;
  rv_stream_set_reading(server->stream, reading);
}

static bool has_something_to_send(const struct rv_h1_server *server) {
  return server->sender.queue.length > 0 ||
         (server->exchange != NULL && server->answering &&
             !server->sender.complete &&
             rv_pipe_available(&server->exchange->response_body) > 0);
}

static void run(struct rv_h1_server *server) {
  if (server->closing || server->stream == NULL)
    return;
  advance(server);
  if (server->closing)
    return;
  set_reading(server);
  if (has_something_to_send(server))
    rv_stream_touch(server->stream);
  if (rv_timer_set(
          &server->engine->timers, &server->timer, deadline_of(server)) < 0)
    rv_h1_server_close(server, RV_STREAM_ABORT);
}

static void run_job(struct rv_job *job) {
  run(rv_container_of(job, struct rv_h1_server, job));
}

static void wake(struct rv_waker *waker) {
  struct rv_h1_server *server =
      rv_container_of(waker, struct rv_h1_server, waker);

  rv_turn_add(&server->engine->turn, &server->job, RV_PHASE_PROCESS);
}

/* ---- what the stream calls ---- */

static struct rv_h1_server *server_of(struct rv_stream_user *user) {
  return rv_container_of(user, struct rv_h1_server, user);
}

static void on_connected(struct rv_stream_user *user) {
  (void)user; /* a visitor's stream is connected from the start */
}

static void on_data(struct rv_stream_user *user, struct rv_slice slice) {
  struct rv_h1_server *server = server_of(user);

  if (server->closing) {
    rv_slice_release(&slice);
    return;
  }
  if (server->close_after && server->progress == RV_H1_COMPLETE) {
    server->discarded += slice.length;
    rv_slice_release(&slice);
    set_reading(server);
    return;
  }
  server->active_ns = server->engine->now;
  if (rv_slices_push(&server->input, slice) < 0)
    server->broken = true;
  run(server);
}

static void on_end(struct rv_stream_user *user) {
  struct rv_h1_server *server = server_of(user);

  server->stream_ended = true;
  run(server);
}

/* What is unread could only be the rest of this request, or the next one: the
   FIN behind it cancels this one in either case. Only an answer that came
   before the request was whole is still delivered. */
static void on_hangup(struct rv_stream_user *user) {
  struct rv_h1_server *server = server_of(user);

  if (server->exchange == NULL || server->options.half_close ||
      (server->progress == RV_H1_IN_BODY && server->answering))
    return;
  server->broken = true;
  run(server);
}

static size_t gather(
    struct rv_stream_user *user, struct iovec *vectors, size_t max) {
  struct rv_h1_server *server = server_of(user);

  if (server->exchange != NULL && server->answering)
    rv_h1_answer_check(server,
        rv_h1_sender_pull(&server->sender, &server->exchange->response_body));
  if (server->broken) {
    wake(&server->waker); /* the stream is in the midst of writing */
    return 0;
  }
  return rv_h1_sender_gather(&server->sender, vectors, max);
}

static void on_sent(struct rv_stream_user *user, size_t length) {
  struct rv_h1_server *server = server_of(user);

  rv_h1_sender_sent(&server->sender, length);
  server->active_ns = server->engine->now;
  if (rv_h1_sender_done(&server->sender))
    run(server);
  else if (has_something_to_send(server))
    rv_stream_touch(server->stream);
}

static void free_server(struct rv_h1_server *server) {
  if (server->options.on_closed != NULL)
    server->options.on_closed(server, server->options.user_data);
  rv_timer_stop(&server->engine->timers, &server->timer);
  rv_turn_remove(&server->job);
  rv_turn_remove(&server->free_job);
  rv_slices_deinit(&server->input);
  rv_h1_sender_deinit(&server->sender);
  rv_h1_parser_deinit(&server->parser);
  server->engine->live.h1_connections--;
  free(server);
}

static void on_closed(struct rv_stream_user *user, int error) {
  struct rv_h1_server *server = server_of(user);

  (void)error;
  server->closing = true;
  server->stream = NULL;
  rv_h1_answer_end(server);
  free_server(server);
}

static const struct rv_stream_user_ops user_ops = {
  .on_connected = on_connected,
  .on_data = on_data,
  .on_end = on_end,
  .on_hangup = on_hangup,
  .gather = gather,
  .on_sent = on_sent,
  .on_closed = on_closed,
};

/* ---- life ---- */

static void run_free_job(struct rv_job *job) {
  free_server(rv_container_of(job, struct rv_h1_server, free_job));
}

static uint64_t or_default(uint64_t value, uint64_t fallback) {
  return value == 0 ? fallback : value;
}

int rv_h1_server_new(
    struct rv_h1_server **result, const struct rv_h1_server_options *options) {
  struct rv_h1_server *server = calloc(1, sizeof(*server));

  *result = server;
  if (server == NULL)
    return REVERST_ERR_NO_MEMORY;
  server->options = *options;
  server->options.head_timeout =
      or_default(options->head_timeout, default_head_timeout);
  server->options.keep_alive_timeout =
      or_default(options->keep_alive_timeout, default_keep_alive_timeout);
  server->options.body_timeout =
      or_default(options->body_timeout, default_body_timeout);
  server->engine = options->engine;
  server->user.ops = &user_ops;
  server->waker.wake = wake;
  server->job.run = run_job;
  server->free_job.run = run_free_job;
  server->reading = true;
  rv_timer_init(&server->timer, on_timer);
  rv_slices_init(&server->input);
  rv_h1_sender_init(&server->sender, &server->engine->chunks);
  rv_h1_parser_init(&server->parser, true,
      options->limits != NULL ? options->limits : &rv_limits_default);
  server->engine->live.h1_connections++;
  return 0;
}

struct rv_stream_user *rv_h1_server_user(struct rv_h1_server *server) {
  return &server->user;
}

void rv_h1_server_start(struct rv_h1_server *server, struct rv_stream *stream) {
  server->stream = stream;
  server->active_ns = server->engine->now;
  run(server);
}

void rv_h1_server_close(struct rv_h1_server *server, enum rv_stream_close how) {
  if (server->closing)
    return;
  server->closing = true;
  rv_h1_answer_end(server);
  rv_slices_clear(&server->input);
  rv_timer_set(&server->engine->timers, &server->timer, RV_NEVER);
  if (server->stream != NULL)
    rv_stream_close(server->stream, how);
  else
    rv_turn_add(&server->engine->turn, &server->free_job, RV_PHASE_FREE);
}

void rv_h1_server_drain(struct rv_h1_server *server) {
  server->draining = true;
  if (server->progress == RV_H1_WAITS && server->input.length == 0)
    rv_h1_server_close(server, RV_STREAM_LINGER);
}

void rv_h1_server_abort(struct rv_h1_server *server) {
  rv_h1_server_close(server, RV_STREAM_ABORT);
}

size_t rv_h1_server_held(const struct rv_h1_server *server) {
  const struct rv_exchange *exchange = server->exchange;

  if (exchange == NULL)
    return server->sender.queue.length;
  return server->sender.queue.length + exchange->response_body.queue.length +
         exchange->request_body.queue.length;
}

uint64_t rv_h1_server_active_ns(const struct rv_h1_server *server) {
  return server->active_ns;
}

bool rv_h1_server_is_busy(const struct rv_h1_server *server) {
  return !server->closing &&
         (server->progress != RV_H1_WAITS || server->sender.queue.length > 0);
}
