/* SPDX-License-Identifier: MIT */
/* A connection to an origin: one exchange at a time. */
#include "h1/client.h"
#include "h1/message.h"
#include "h1/sender.h"
#include <reverst/error.h>
#include <stdlib.h>

static const uint64_t default_body_timeout = 60 * RV_SECOND;

/* While there is no exchange the connection is idle, or closing. */
struct rv_h1_client {
  struct rv_h1_client_options options;
  struct rv_engine *engine;
  struct rv_stream_user user;
  struct rv_stream *stream; /* NULL: not started, or closed */
  struct rv_waker waker;
  struct rv_job job, free_job;
  struct rv_timer timer;

  struct rv_exchange *exchange;
  struct rv_h1_sender sender;
  struct rv_h1_parser parser;
  struct rv_slices input; /* received, not parsed: the pipe wants no more */
  bool answered;          /* the final head was handed over */
  bool keeps;             /* the origin keeps the connection after it */
  bool until_close;       /* the body ends with the connection */
  bool any_byte;          /* of an answer to this exchange */
  bool was_used;
  bool connected;
  bool stream_ended; /* FIN was read */
  bool reading;      /* what the stream was told */
  bool closing;
  int send_result; /* negative: gather could not go on */

  uint64_t active_ns;  /* when a byte went either way */
  uint64_t waiting_ns; /* when the request was sent whole; 0: not yet */
};

static void run(struct rv_h1_client *client);

/* ---- the end of an exchange ---- */

static void detach(struct rv_h1_client *client) {
  struct rv_exchange *exchange = client->exchange;

  client->exchange = NULL;
  if (exchange != NULL)
    rv_exchange_detach_upstream(exchange);
}

static void close_stream(struct rv_h1_client *client) {
  if (client->closing)
    return;
  client->closing = true;
  detach(client);
  rv_slices_clear(&client->input);
  (void)rv_timer_set(&client->engine->timers, &client->timer, RV_NEVER);
  if (client->stream != NULL)
    rv_stream_close(client->stream, RV_STREAM_ABORT);
  else
    rv_turn_add(&client->engine->turn, &client->free_job, RV_PHASE_FREE);
}

/* The exchange fails, and the connection with it: where one message ends and
   the next begins is not known any more. */
static void fail(struct rv_h1_client *client, enum rv_failure failure) {
  if (client->exchange != NULL)
    rv_exchange_fail(client->exchange, failure);
  close_stream(client);
}

/* Why did an exchange fail whose connection was lost (RFC 9112 section 9.3.1)?
   A kept connection may have been closed by the origin while the request was
   under way to it. */
static enum rv_failure loss_of(const struct rv_h1_client *client) {
  if (!client->connected)
    return RV_FAILURE_ORIGIN_UNREACHABLE;
  if (client->any_byte)
    return RV_FAILURE_UPSTREAM_RESET;
  if (client->sender.sent == 0)
    return RV_FAILURE_REFUSED;
  return client->was_used ? RV_FAILURE_TUNNEL_LOST : RV_FAILURE_UPSTREAM_RESET;
}

/* The response was handed over whole. Bytes behind it, or a request that is not
   sent whole, leave a connection that nothing can follow on. */
static void on_response_complete(struct rv_h1_client *client) {
  bool kept = client->keeps && client->input.length == 0 &&
              !client->stream_ended && rv_h1_sender_done(&client->sender);

  detach(client);
  if (!kept) {
    close_stream(client);
    return;
  }
  rv_h1_parser_reset(&client->parser);
  (void)rv_timer_set(&client->engine->timers, &client->timer, RV_NEVER);
  if (client->options.on_idle != NULL)
    client->options.on_idle(client, client->options.user_data);
}

/* ---- reading the response ---- */

static void on_informational(struct rv_h1_client *client) {
  if (client->parser.head.status == 101 ||
      rv_exchange_inform(client->exchange, &client->parser.head) < 0) {
    fail(client, RV_FAILURE_ORIGIN_MALFORMED);
    return;
  }
  rv_h1_parser_reset(&client->parser);
}

static void on_final_head(
    struct rv_h1_client *client, enum rv_h1_framing framing) {
  struct rv_head *head = &client->parser.head;

  client->answered = true;
  client->keeps = rv_h1_keeps(&head->fields, client->parser.minor) &&
                  framing != RV_H1_UNTIL_CLOSE;
  client->until_close = framing == RV_H1_UNTIL_CLOSE;
  rv_filter_hop_by_hop(&head->fields);
  rv_h1_parser_begin_body(&client->parser, framing,
      framing == RV_H1_LENGTH ? (uint64_t)head->content_length : 0);
  if (rv_exchange_respond(client->exchange, head) < 0)
    close_stream(client); /* nobody waits for it any more */
}

static void on_head(struct rv_h1_client *client) {
  struct rv_head *head = &client->parser.head;
  enum rv_h1_framing framing;

  if (rv_filter_check_head(head, client->parser.limits) != RV_FAILURE_NONE ||
      head->status < 100 ||
      rv_h1_response_framing(head, client->exchange->request.method,
          client->parser.minor, &framing) != RV_FAILURE_NONE)
    fail(client, RV_FAILURE_ORIGIN_MALFORMED);
  else if (head->status < 200) {
    rv_filter_hop_by_hop(&head->fields);
    on_informational(client);
  } else
    on_final_head(client, framing);
}

static void end_body(struct rv_h1_client *client) {
  struct rv_fields *trailers = &client->parser.trailers;

  if (trailers->count > 0) {
    if (rv_filter_check_fields(trailers, client->parser.limits) !=
        RV_FAILURE_NONE) {
      fail(client, RV_FAILURE_ORIGIN_MALFORMED);
      return;
    }
    rv_filter_trailers(trailers);
  }
  if (rv_pipe_end(&client->exchange->response_body,
          trailers->count > 0 ? trailers : NULL) < 0)
    fail(client, RV_FAILURE_INTERNAL);
  else
    on_response_complete(client);
}

static void consume(
    struct rv_h1_client *client, const struct rv_h1_read *read) {
  struct rv_slice body;

  rv_slices_consume(&client->input, read->consumed - read->body_length);
  if (read->body_length > 0 &&
      rv_slices_take(&client->input, read->body_length, &body) &&
      rv_pipe_push(&client->exchange->response_body, body) < 0)
    fail(client, RV_FAILURE_INTERNAL);
}

static void read_some(struct rv_h1_client *client) {
  struct rv_h1_read read;
  struct iovec bytes;

  rv_slices_peek(&client->input, 0, &bytes, 1);
  read = rv_h1_parser_read(&client->parser, bytes.iov_base, bytes.iov_len);
  consume(client, &read);
  if (client->exchange == NULL)
    return;
  if (read.event == RV_H1_FAILED)
    fail(client, client->parser.failure == RV_FAILURE_INTERNAL
                     ? RV_FAILURE_INTERNAL
                     : RV_FAILURE_ORIGIN_MALFORMED);
  else if (read.event == RV_H1_HEAD)
    on_head(client);
  if (client->exchange != NULL && client->answered &&
      rv_h1_parser_done(&client->parser))
    end_body(client);
}

static bool wants_input(const struct rv_h1_client *client) {
  return client->exchange == NULL || !client->answered ||
         rv_pipe_wants(&client->exchange->response_body);
}

/* FIN: the end of a body that has no other end, or else a loss. */
static void on_all_read(struct rv_h1_client *client) {
  if (client->exchange == NULL)
    close_stream(client);
  else if (client->answered && client->until_close)
    end_body(client);
  else
    fail(client, loss_of(client));
}

static void read_input(struct rv_h1_client *client) {
  while (client->exchange != NULL && client->input.length > 0 &&
         wants_input(client))
    read_some(client);
  if (client->closing)
    return;
  if (client->exchange == NULL && client->input.length > 0)
    close_stream(client); /* an answer that nobody asked for */
  else if (client->stream_ended && client->input.length == 0)
    on_all_read(client);
}

/* ---- writing the request ---- */

/* Methods that say nothing about a body get Content-Length: 0 where a body is
   usual (RFC 9110 section 8.6). */
static bool expects_body(struct rv_span method) {
  return rv_span_equal(method, RV_SPAN("POST")) ||
         rv_span_equal(method, RV_SPAN("PUT")) ||
         rv_span_equal(method, RV_SPAN("PATCH"));
}

static struct rv_h1_shape shape_of(const struct rv_head *head) {
  struct rv_h1_shape shape = { RV_H1_CHUNKED, RV_NO_LENGTH, false };

  if (head->content_length != RV_NO_LENGTH) {
    shape.framing = RV_H1_LENGTH;
    shape.length = head->content_length;
  } else if (head->no_body) {
    shape.framing = RV_H1_NO_BODY;
    if (expects_body(head->method))
      shape.length = 0;
  }
  return shape;
}

static void write_head(struct rv_h1_client *client) {
  struct rv_head *head = &client->exchange->request;
  struct rv_h1_shape shape = shape_of(head);
  int r;

  rv_filter_hop_by_hop(&head->fields);
  r = rv_h1_write_request(
      &client->sender.queue, &client->engine->chunks, head, &shape);

  if (r < 0) {
    fail(client, r == REVERST_ERR_MALFORMED ? RV_FAILURE_REQUEST_MALFORMED
                                            : RV_FAILURE_INTERNAL);
    return;
  }
  rv_h1_sender_begin(&client->sender, shape.framing,
      shape.length > 0 ? (uint64_t)shape.length : 0);
}

/* Why could the body not be sent on? The origin must see that it is not
   whole. */
static enum rv_failure failure_of(int r, const struct rv_pipe *body) {
  switch (r) {
  case REVERST_ERR_CLOSED:
    return body->state == RV_PIPE_ABORTED ? body->cause : RV_FAILURE_CANCELLED;
  case REVERST_ERR_PROTOCOL:
  case REVERST_ERR_MALFORMED:
    return RV_FAILURE_REQUEST_MALFORMED;
  default:
    return RV_FAILURE_INTERNAL;
  }
}

static void settle_request(struct rv_h1_client *client) {
  struct rv_pipe *body = &client->exchange->request_body;
  int r = client->send_result;

  if (r == 0)
    r = rv_h1_sender_settle(&client->sender, body);
  if (r < 0)
    fail(client, failure_of(r, body));
}

/* ---- time ---- */

/* A connection that is not there yet has its own timeout, in the stream. */
static uint64_t deadline_of(const struct rv_h1_client *client) {
  if (client->exchange == NULL || !client->connected)
    return RV_NEVER;
  if (client->answered || !rv_h1_sender_done(&client->sender))
    return rv_deadline(client->active_ns, client->options.body_timeout);
  return rv_deadline(client->waiting_ns, client->options.response_timeout);
}

static void on_timer(struct rv_timer *timer) {
  struct rv_h1_client *client =
      rv_container_of(timer, struct rv_h1_client, timer);

  if (client->exchange == NULL)
    return;
  if (deadline_of(client) > client->engine->now)
    run(client); /* sets it anew: bytes that were sent did not */
  else
    fail(client, client->answered || !rv_h1_sender_done(&client->sender)
                     ? RV_FAILURE_TIMEOUT_BODY
                     : RV_FAILURE_TIMEOUT_HEAD);
}

/* ---- the turn ---- */

static void set_reading(struct rv_h1_client *client) {
  bool reading = wants_input(client);

  if (reading == client->reading)
    return;
  client->reading = reading;
  rv_stream_set_reading(client->stream, reading);
}

static bool has_something_to_send(const struct rv_h1_client *client) {
  return client->sender.queue.length > 0 ||
         (client->exchange != NULL && !client->sender.complete &&
             rv_pipe_available(&client->exchange->request_body) > 0);
}

/* Nobody wants the response: cancelled, given up by the router, or stopped. */
static bool is_unwanted(const struct rv_exchange *exchange) {
  return exchange->cancelled || exchange->failure != RV_FAILURE_NONE ||
         exchange->response_body.state == RV_PIPE_STOPPED;
}

static void advance(struct rv_h1_client *client) {
  if (client->exchange != NULL && is_unwanted(client->exchange))
    close_stream(client);
  if (!client->closing)
    read_input(client);
  if (client->exchange != NULL)
    settle_request(client);
}

static void run(struct rv_h1_client *client) {
  if (client->closing)
    return;
  advance(client);
  if (client->closing || client->stream == NULL)
    return;
  set_reading(client);
  if (has_something_to_send(client))
    rv_stream_touch(client->stream);
  if (client->exchange != NULL && rv_timer_set(&client->engine->timers,
                                      &client->timer, deadline_of(client)) < 0)
    fail(client, RV_FAILURE_INTERNAL);
}

static void run_job(struct rv_job *job) {
  run(rv_container_of(job, struct rv_h1_client, job));
}

static void wake(struct rv_waker *waker) {
  struct rv_h1_client *client =
      rv_container_of(waker, struct rv_h1_client, waker);

  rv_turn_add(&client->engine->turn, &client->job, RV_PHASE_PROCESS);
}

/* ---- what the stream calls ---- */

static struct rv_h1_client *client_of(struct rv_stream_user *user) {
  return rv_container_of(user, struct rv_h1_client, user);
}

static void on_connected(struct rv_stream_user *user) {
  struct rv_h1_client *client = client_of(user);

  client->connected = true;
  client->active_ns = client->engine->now;
  run(client);
}

static void on_data(struct rv_stream_user *user, struct rv_slice slice) {
  struct rv_h1_client *client = client_of(user);

  client->connected = client->any_byte = client->was_used = true;
  client->active_ns = client->engine->now;
  if (rv_slices_push(&client->input, slice) < 0)
    fail(client, RV_FAILURE_INTERNAL);
  run(client);
}

static void on_end(struct rv_stream_user *user) {
  struct rv_h1_client *client = client_of(user);

  client->stream_ended = true;
  run(client);
}

/* A failure is not acted upon here: the stream is in the midst of writing. */
static size_t gather(
    struct rv_stream_user *user, struct iovec *vectors, size_t max) {
  struct rv_h1_client *client = client_of(user);

  if (client->exchange != NULL)
    client->send_result =
        rv_h1_sender_pull(&client->sender, &client->exchange->request_body);
  if (client->send_result < 0) {
    wake(&client->waker);
    return 0;
  }
  return rv_h1_sender_gather(&client->sender, vectors, max);
}

static void on_sent(struct rv_stream_user *user, size_t length) {
  struct rv_h1_client *client = client_of(user);

  rv_h1_sender_sent(&client->sender, length);
  client->active_ns = client->engine->now;
  if (rv_h1_sender_done(&client->sender)) {
    client->waiting_ns = client->engine->now;
    run(client);
  } else if (has_something_to_send(client)) {
    rv_stream_touch(client->stream);
  }
}

static void free_client(struct rv_h1_client *client) {
  if (client->options.on_closed != NULL)
    client->options.on_closed(client, client->options.user_data);
  rv_timer_stop(&client->engine->timers, &client->timer);
  rv_turn_remove(&client->job);
  rv_turn_remove(&client->free_job);
  rv_slices_deinit(&client->input);
  rv_h1_sender_deinit(&client->sender);
  rv_h1_parser_deinit(&client->parser);
  client->engine->live.h1_connections--;
  free(client);
}

static void on_closed(struct rv_stream_user *user, int error) {
  struct rv_h1_client *client = client_of(user);

  (void)error;
  client->closing = true;
  client->stream = NULL;
  if (client->exchange != NULL)
    rv_exchange_fail(client->exchange, loss_of(client));
  detach(client);
  free_client(client);
}

static const struct rv_stream_user_ops user_ops = {
  .on_connected = on_connected,
  .on_data = on_data,
  .on_end = on_end,
  .gather = gather,
  .on_sent = on_sent,
  .on_closed = on_closed,
};

/* ---- life ---- */

static void run_free_job(struct rv_job *job) {
  free_client(rv_container_of(job, struct rv_h1_client, free_job));
}

int rv_h1_client_new(
    struct rv_h1_client **result, const struct rv_h1_client_options *options) {
  struct rv_h1_client *client = calloc(1, sizeof(*client));

  *result = client;
  if (client == NULL)
    return REVERST_ERR_NO_MEMORY;
  client->options = *options;
  if (options->body_timeout == 0)
    client->options.body_timeout = default_body_timeout;
  if (options->response_timeout == 0)
    client->options.response_timeout = RV_NEVER;
  client->engine = options->engine;
  client->user.ops = &user_ops;
  client->waker.wake = wake;
  client->job.run = run_job;
  client->free_job.run = run_free_job;
  client->reading = true;
  rv_timer_init(&client->timer, on_timer);
  rv_slices_init(&client->input);
  rv_h1_sender_init(&client->sender, &client->engine->chunks);
  rv_h1_parser_init(&client->parser, false,
      options->limits != NULL ? options->limits : &rv_limits_default);
  client->engine->live.h1_connections++;
  return 0;
}

struct rv_stream_user *rv_h1_client_user(struct rv_h1_client *client) {
  return &client->user;
}

void rv_h1_client_start(struct rv_h1_client *client, struct rv_stream *stream) {
  client->stream = stream;
  run(client);
}

void rv_h1_client_submit(
    struct rv_h1_client *client, struct rv_exchange *exchange) {
  client->exchange = exchange;
  client->answered = client->any_byte = client->until_close = false;
  client->waiting_ns = 0;
  client->active_ns = client->engine->now;
  rv_exchange_attach_upstream(exchange, &client->waker);
  if (client->closing) {
    fail(client, RV_FAILURE_REFUSED);
    detach(client);
    return;
  }
  write_head(client);
  wake(&client->waker);
}

void rv_h1_client_close(struct rv_h1_client *client) {
  if (client->exchange != NULL)
    rv_exchange_fail(client->exchange, loss_of(client));
  close_stream(client);
}
