/* SPDX-License-Identifier: MIT */
/* Writes a registration, reads the answer, then serves requests. */
#include "tunnel/client_tunnel.h"

#include "tunnel/watch.h"
#include <reverst/error.h>
#include <stdlib.h>

enum state {
  DIALLING,
  READY, /* to register, when told to */
  REGISTERING,
  AWAITING_CLOSE, /* the answer's stream ended without an answer */
  LIVE,
  CLOSED
};

struct rv_client_tunnel {
  struct rv_link link;
  struct rv_qpack *qpack;
  const struct rv_limits *limits;
  struct rv_handler *handler;
  const struct rv_client_tunnel_events *events;
  void *user_data;
  uint64_t answer_timeout;

  enum state state;
  int64_t registration_stream;
  struct rv_message_decoder *decoder; /* of the answer; until it is there */
  bool was_registered;
  const char *refusal; /* said by the answer's code */

  struct rv_timer timer;
  struct rv_watch watch;
  struct rv_job ready_job, registered_job, news_job, free_job;
  struct rv_waker news;
};

static struct rv_client_tunnel *tunnel_of(
    struct rv_quic_application *application) {
  return rv_container_of(
      application, struct rv_client_tunnel, link.application);
}

/* ---- registering ---- */

static int start_session(struct rv_client_tunnel *tunnel) {
  struct rv_h3_options options = {
    .role = RV_H3_RESPONDER,
    .qpack = tunnel->qpack,
    .limits = tunnel->limits,
    .handler = tunnel->handler,
    .news = &tunnel->news,
  };

  return rv_link_start_session(&tunnel->link, &options);
}

/* The session is made before the answer is there, since a request may overtake
   it on the way. */
static int start_registering(struct rv_client_tunnel *tunnel) {
  struct rv_engine *engine = tunnel->link.engine;
  int64_t stream_id;
  int r =
      rv_quic_connection_open_stream(tunnel->link.connection, true, &stream_id);

  if (r == 0)
    r = start_session(tunnel);
  if (r < 0)
    return r;
  tunnel->state = REGISTERING;
  tunnel->registration_stream = stream_id;
  rv_link_send_message(&tunnel->link, stream_id);
  return rv_timer_set(
      &engine->timers, &tunnel->timer, engine->now + tunnel->answer_timeout);
}

void rv_client_tunnel_register(struct rv_client_tunnel *tunnel) {
  if (tunnel->state == READY && start_registering(tunnel) < 0)
    rv_link_close(&tunnel->link, RV_LINK_SERVER_ERROR,
        RV_SPAN("the registration cannot be sent"));
}

static void on_handshake_completed(struct rv_quic_application *application) {
  struct rv_client_tunnel *tunnel = tunnel_of(application);

  if (tunnel->state != DIALLING)
    return;
  tunnel->state = READY;
  if (tunnel->events->on_ready == NULL)
    rv_client_tunnel_register(tunnel);
  else
    rv_turn_add(
        &tunnel->link.engine->turn, &tunnel->ready_job, RV_PHASE_PROCESS);
}

static void run_ready_job(struct rv_job *job) {
  struct rv_client_tunnel *tunnel =
      rv_container_of(job, struct rv_client_tunnel, ready_job);

  if (tunnel->state == READY)
    tunnel->events->on_ready(tunnel, tunnel->user_data);
}

/* ---- the answer ---- */

static const char *refusal_of_code(uint8_t code) {
  switch (code) {
  case RV_MESSAGE_BAD_REQUEST:
    return "bad request";
  case RV_MESSAGE_NOT_FOUND:
    return "not found";
  case RV_MESSAGE_UNAUTHORIZED:
    return "unauthorized";
  default:
    return "server error";
  }
}

static void take_answer(struct rv_client_tunnel *tunnel) {
  const struct rv_message *answer = rv_message_decoder_message(tunnel->decoder);
  struct rv_features features = rv_features_of(answer);
  struct rv_engine *engine = tunnel->link.engine;

  rv_timer_set(&engine->timers, &tunnel->timer, RV_NEVER);
  if (answer->code != RV_MESSAGE_OK) {
    tunnel->refusal = refusal_of_code(answer->code);
    rv_link_close(&tunnel->link, RV_LINK_NORMAL, RV_SPAN(""));
    return;
  }
  tunnel->state = LIVE;
  tunnel->was_registered = true;
  rv_h3_session_set_strict(
      tunnel->link.session, features.any, features.trailers);
  rv_quic_connection_accept(tunnel->link.connection);
  rv_turn_add(&engine->turn, &tunnel->registered_job, RV_PHASE_PROCESS);
}

/* A refusing Go server ends the stream first; the close with the reason
   follows. */
static void await_close(struct rv_client_tunnel *tunnel) {
  tunnel->state = AWAITING_CLOSE;
  rv_timer_set(&tunnel->link.engine->timers, &tunnel->timer,
      tunnel->link.engine->now + RV_SECOND);
}

static void read_answer(struct rv_client_tunnel *tunnel, const uint8_t *data,
    size_t length, bool fin) {
  if (tunnel->state != REGISTERING)
    return;
  switch (rv_message_decoder_feed(tunnel->decoder, data, length, fin)) {
  case RV_MESSAGE_COMPLETE:
    take_answer(tunnel);
    return;
  case RV_MESSAGE_BAD:
    if (!fin)
      rv_link_close(&tunnel->link, RV_LINK_CLIENT_ERROR,
          RV_SPAN("the answer cannot be understood"));
    else
      await_close(tunnel);
    return;
  case RV_MESSAGE_NO_GROUP: /* nothing at all */
    await_close(tunnel);
    return;
  case RV_MESSAGE_MORE:
    return;
  }
}

static int on_stream_data(struct rv_quic_application *application,
    int64_t stream_id, const uint8_t *data, size_t length, bool fin) {
  struct rv_client_tunnel *tunnel = tunnel_of(application);

  if (stream_id == tunnel->registration_stream) {
    read_answer(tunnel, data, length, fin);
    return REVERST_ERR_CLOSED; /* read: what is left is to credit it */
  }
  if (tunnel->link.session == NULL)
    return REVERST_ERR_CLOSED;
  return rv_h3_session_receive(
      tunnel->link.session, stream_id, data, length, fin);
}

static void on_stream_reset(
    struct rv_quic_application *application, int64_t stream_id, uint64_t code) {
  struct rv_client_tunnel *tunnel = tunnel_of(application);

  if (stream_id != tunnel->registration_stream) {
    if (tunnel->link.session != NULL)
      rv_h3_session_stream_reset(tunnel->link.session, stream_id, code);
  } else if (tunnel->state == REGISTERING) {
    await_close(tunnel);
  }
}

static void on_timeout(struct rv_timer *timer) {
  struct rv_client_tunnel *tunnel =
      rv_container_of(timer, struct rv_client_tunnel, timer);

  rv_link_close(&tunnel->link, RV_LINK_CLIENT_ERROR,
      RV_SPAN("no answer to the registration"));
}

static void run_registered_job(struct rv_job *job) {
  struct rv_client_tunnel *tunnel =
      rv_container_of(job, struct rv_client_tunnel, registered_job);

  if (tunnel->state != LIVE)
    return;
  /* without memory for it, the idle timeout has to do */
  (void)rv_watch_start(&tunnel->watch, tunnel->link.connection);
  tunnel->events->on_registered(tunnel, tunnel->user_data);
}

/* ---- afterwards ---- */

static void on_watch_changed(struct rv_watch *watch) {
  struct rv_client_tunnel *tunnel =
      rv_container_of(watch, struct rv_client_tunnel, watch);

  if (tunnel->state == LIVE && tunnel->events->on_silence != NULL)
    tunnel->events->on_silence(tunnel, tunnel->user_data);
}

bool rv_client_tunnel_is_silent(const struct rv_client_tunnel *tunnel) {
  return tunnel->watch.silent;
}

static void wake_news(struct rv_waker *waker) {
  struct rv_client_tunnel *tunnel =
      rv_container_of(waker, struct rv_client_tunnel, news);

  rv_turn_add(&tunnel->link.engine->turn, &tunnel->news_job, RV_PHASE_PROCESS);
}

static void run_news_job(struct rv_job *job) {
  struct rv_client_tunnel *tunnel =
      rv_container_of(job, struct rv_client_tunnel, news_job);

  if (tunnel->state == LIVE && rv_h3_session_is_draining(tunnel->link.session))
    tunnel->events->on_draining(tunnel, tunnel->user_data);
}

void rv_client_tunnel_drain(struct rv_client_tunnel *tunnel) {
  if (tunnel->state == LIVE)
    rv_h3_session_drain(tunnel->link.session);
}

void rv_client_tunnel_close(struct rv_client_tunnel *tunnel) {
  rv_link_close(&tunnel->link, RV_LINK_NORMAL, RV_SPAN(""));
}

size_t rv_client_tunnel_active(const struct rv_client_tunnel *tunnel) {
  return tunnel->link.session ? rv_h3_session_active(tunnel->link.session) : 0;
}

/* ---- life ---- */

static void run_free_job(struct rv_job *job) {
  free(rv_container_of(job, struct rv_client_tunnel, free_job));
}

static void release(struct rv_client_tunnel *tunnel) {
  struct rv_engine *engine = tunnel->link.engine;

  rv_timer_stop(&engine->timers, &tunnel->timer);
  rv_message_decoder_free(tunnel->decoder);
  tunnel->decoder = NULL;
  rv_watch_stop(&tunnel->watch);
  rv_turn_remove(&tunnel->ready_job);
  rv_turn_remove(&tunnel->registered_job);
  rv_turn_remove(&tunnel->news_job);
  engine->live.tunnels--;
  rv_turn_add(&engine->turn, &tunnel->free_job, RV_PHASE_FREE);
}

/* Before it was registered, an application close by the server is its refusal.
 */
static void on_closed(struct rv_quic_application *application,
    const struct rv_quic_close *close) {
  struct rv_client_tunnel *tunnel = tunnel_of(application);
  struct rv_quic_close reason = *close;
  bool refused = tunnel->refusal != NULL;

  if (refused)
    reason.reason = rv_span_of(tunnel->refusal);
  else
    refused = !tunnel->was_registered && close->by_peer &&
              close->kind == RV_QUIC_CLOSE_APPLICATION;
  tunnel->state = CLOSED;
  rv_link_deinit(&tunnel->link);
  tunnel->events->on_closed(tunnel, &reason, refused, tunnel->user_data);
  release(tunnel);
}

static void set_callbacks(struct rv_client_tunnel *tunnel) {
  struct rv_quic_application *application = &tunnel->link.application;

  application->on_handshake_completed = on_handshake_completed;
  application->on_stream_data = on_stream_data;
  application->on_stream_reset = on_stream_reset;
  application->on_closed = on_closed;
  tunnel->ready_job.run = run_ready_job;
  tunnel->registered_job.run = run_registered_job;
  tunnel->news_job.run = run_news_job;
  tunnel->free_job.run = run_free_job;
  tunnel->news.wake = wake_news;
  rv_timer_init(&tunnel->timer, on_timeout);
  rv_watch_init(&tunnel->watch, tunnel->link.engine, on_watch_changed);
}

static int prepare(struct rv_client_tunnel *tunnel,
    const struct rv_client_tunnel_options *options) {
  const char *fault;
  int r = rv_message_check_request(options->registration, &fault);

  if (r < 0)
    return r;
  rv_message_encode_request(options->registration, &tunnel->link.message);
  if (tunnel->link.message.failed)
    return REVERST_ERR_NO_MEMORY;
  return rv_message_decoder_new(&tunnel->decoder, RV_MESSAGE_RESPONSE);
}

int rv_client_tunnel_new(struct rv_client_tunnel **tunnel,
    const struct rv_client_tunnel_options *options) {
  struct rv_client_tunnel *new = calloc(1, sizeof(*new));
  struct rv_quic_connect_options connect = *options->connect;
  int r;

  if (new == NULL)
    return REVERST_ERR_NO_MEMORY;
  rv_link_init(&new->link, options->engine);
  new->qpack = options->qpack;
  new->limits = options->limits;
  new->handler = options->handler;
  new->events = options->events;
  new->user_data = options->user_data;
  new->answer_timeout =
      options->answer_timeout ? options->answer_timeout : 30 * RV_SECOND;
  new->registration_stream = -1;
  set_callbacks(new);
  connect.application = &new->link.application;
  options->engine->live.tunnels++;
  r = prepare(new, options);
  if (r == 0)
    r = rv_quic_endpoint_connect(
        options->endpoint, &new->link.connection, &connect);
  if (r < 0) {
    rv_link_deinit(&new->link);
    release(new);
    return r;
  }
  *tunnel = new;
  return 0;
}
