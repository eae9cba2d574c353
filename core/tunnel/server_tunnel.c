/* SPDX-License-Identifier: MIT */
/* Reads a registration, answers it, then sends requests. */
#include "tunnel/server_tunnel.h"

#include "tunnel/early.h"
#include <reverst/error.h>
#include <stdlib.h>

enum { H3_REQUEST_REJECTED = 0x10b };

enum state {
  READING,  /* the registration */
  DECIDING, /* the owner does */
  LIVE,
  CLOSED
};

struct rv_server_tunnel {
  struct rv_link link;
  struct rv_qpack *qpack;
  const struct rv_limits *limits;
  const struct rv_server_tunnel_events *events;
  void *user_data;

  enum state state;
  int64_t registration_stream;        /* -1: none has come */
  struct rv_message_decoder *decoder; /* until the decision */
  struct rv_features features;        /* the peer's */
  struct rv_early early;

  struct rv_timer registration_timer;
  struct rv_job registration_job, free_job;
  struct rv_waker news;
  struct rv_job news_job;
};

static struct rv_server_tunnel *tunnel_of(
    struct rv_quic_application *application) {
  return rv_container_of(
      application, struct rv_server_tunnel, link.application);
}

static struct rv_engine *engine_of(const struct rv_server_tunnel *tunnel) {
  return tunnel->link.engine;
}

/* ---- the session ---- */

static int start_session(struct rv_server_tunnel *tunnel) {
  struct rv_h3_options options = {
    .role = RV_H3_REQUESTER,
    .qpack = tunnel->qpack,
    .limits = tunnel->limits,
    .strict = tunnel->features.any,
    .send_request_trailers = tunnel->features.trailers,
    .news = &tunnel->news,
  };
  int r = rv_link_start_session(&tunnel->link, &options);

  if (r == 0)
    rv_early_replay(&tunnel->early, tunnel->link.session);
  return r;
}

/* ---- reading the registration ---- */

static void refuse_stream(struct rv_server_tunnel *tunnel, int64_t stream_id) {
  rv_quic_connection_stop_stream(
      tunnel->link.connection, stream_id, H3_REQUEST_REJECTED);
  rv_quic_connection_reset_stream(
      tunnel->link.connection, stream_id, H3_REQUEST_REJECTED);
}

static void judge_registration(
    struct rv_server_tunnel *tunnel, enum rv_message_result result) {
  if (result == RV_MESSAGE_MORE)
    return;
  if (result == RV_MESSAGE_BAD) {
    rv_server_tunnel_refuse(tunnel, RV_REFUSAL_BAD_REQUEST);
  } else if (result == RV_MESSAGE_NO_GROUP) {
    rv_server_tunnel_refuse(tunnel, RV_REFUSAL_NOT_FOUND);
  } else if (tunnel->state == READING) {
    tunnel->state = DECIDING;
    rv_turn_add(
        &engine_of(tunnel)->turn, &tunnel->registration_job, RV_PHASE_SCRIPT);
  }
}

static int read_registration(struct rv_server_tunnel *tunnel, int64_t stream_id,
    const uint8_t *data, size_t length, bool fin) {
  if (tunnel->registration_stream < 0) {
    if (rv_message_decoder_new(&tunnel->decoder, RV_MESSAGE_REQUEST) < 0)
      return REVERST_ERR_NO_MEMORY;
    tunnel->registration_stream = stream_id;
  }
  if (stream_id != tunnel->registration_stream) {
    refuse_stream(tunnel, stream_id);
    return REVERST_ERR_CLOSED;
  }
  if (tunnel->state == LIVE || tunnel->state == CLOSED)
    return REVERST_ERR_CLOSED;
  judge_registration(
      tunnel, rv_message_decoder_feed(tunnel->decoder, data, length, fin));
  rv_quic_connection_credit(tunnel->link.connection, stream_id, length);
  return 0;
}

static int receive_uni(struct rv_server_tunnel *tunnel, int64_t stream_id,
    const uint8_t *data, size_t length, bool fin) {
  if (rv_early_keep(&tunnel->early, stream_id, data, length, fin))
    return 0;
  if (tunnel->state != LIVE) {
    rv_server_tunnel_refuse(tunnel, RV_REFUSAL_BAD_REQUEST);
    return REVERST_ERR_CLOSED;
  }
  /* Legitimate, if unusual: from now on a session reads it. */
  if (start_session(tunnel) < 0)
    return REVERST_ERR_NO_MEMORY;
  return rv_h3_session_receive(
      tunnel->link.session, stream_id, data, length, fin);
}

static int on_stream_data(struct rv_quic_application *application,
    int64_t stream_id, const uint8_t *data, size_t length, bool fin) {
  struct rv_server_tunnel *tunnel = tunnel_of(application);

  if (rv_is_bidi(stream_id) && rv_is_client_initiated(stream_id))
    return read_registration(tunnel, stream_id, data, length, fin);
  if (tunnel->link.session == NULL)
    return receive_uni(tunnel, stream_id, data, length, fin);
  return rv_h3_session_receive(
      tunnel->link.session, stream_id, data, length, fin);
}

/* An unexpected end of a registration: the peer may try again on another
   stream. */
static void forget_registration(struct rv_server_tunnel *tunnel) {
  rv_message_decoder_free(tunnel->decoder);
  tunnel->decoder = NULL;
  tunnel->registration_stream = -1;
}

static void on_stream_reset(
    struct rv_quic_application *application, int64_t stream_id, uint64_t code) {
  struct rv_server_tunnel *tunnel = tunnel_of(application);

  if (stream_id == tunnel->registration_stream) {
    if (tunnel->state == READING)
      forget_registration(tunnel);
  } else if (tunnel->link.session != NULL) {
    rv_h3_session_stream_reset(tunnel->link.session, stream_id, code);
  } else {
    rv_early_reset(&tunnel->early, stream_id, code);
  }
}

static void on_handshake_completed(struct rv_quic_application *application) {
  (void)application; /* the client speaks first */
}

/* ---- decisions ---- */

static void run_registration_job(struct rv_job *job) {
  struct rv_server_tunnel *tunnel =
      rv_container_of(job, struct rv_server_tunnel, registration_job);

  if (tunnel->state == DECIDING)
    tunnel->events->on_registration(tunnel, tunnel->user_data);
}

const struct rv_message *rv_server_tunnel_registration(
    const struct rv_server_tunnel *tunnel) {
  return rv_message_decoder_message(tunnel->decoder);
}

bool rv_server_tunnel_is_undecided(const struct rv_server_tunnel *tunnel) {
  return tunnel->state == DECIDING;
}

/* Credentials are not needed any longer. */
static void drop_registration(struct rv_server_tunnel *tunnel) {
  rv_timer_stop(&engine_of(tunnel)->timers, &tunnel->registration_timer);
  rv_message_decoder_free(tunnel->decoder);
  tunnel->decoder = NULL;
}

static int answer(struct rv_server_tunnel *tunnel) {
  struct rv_message message;
  int r = 0;

  rv_message_init(&message);
  if (tunnel->features.any) {
    message.has_metadata = true;
    r = rv_fields_add(&message.metadata, RV_FEATURES_KEY,
        rv_arena_copy(&message.arena, RV_FEATURES_OURS));
  }
  rv_message_encode_response(&message, &tunnel->link.message);
  rv_message_deinit(&message);
  return tunnel->link.message.failed ? REVERST_ERR_NO_MEMORY : r;
}

void rv_server_tunnel_accept(struct rv_server_tunnel *tunnel) {
  if (tunnel->state != DECIDING)
    return;
  tunnel->features =
      rv_features_of(rv_message_decoder_message(tunnel->decoder));
  drop_registration(tunnel);
  if (answer(tunnel) < 0) {
    rv_link_close(&tunnel->link, RV_LINK_SERVER_ERROR, RV_SPAN("server error"));
    return;
  }
  tunnel->state = LIVE;
  rv_quic_connection_accept(tunnel->link.connection);
  rv_link_send_message(&tunnel->link, tunnel->registration_stream);
}

void rv_server_tunnel_refuse(
    struct rv_server_tunnel *tunnel, enum rv_refusal refusal) {
  if (tunnel->state == READING || tunnel->state == DECIDING)
    rv_server_tunnel_close(
        tunnel, rv_refusal_code(refusal), rv_refusal_reason(refusal));
}

void rv_server_tunnel_close(
    struct rv_server_tunnel *tunnel, uint64_t code, struct rv_span reason) {
  tunnel->state = CLOSED;
  rv_link_close(&tunnel->link, code, reason);
}

static void on_registration_timeout(struct rv_timer *timer) {
  struct rv_server_tunnel *tunnel =
      rv_container_of(timer, struct rv_server_tunnel, registration_timer);

  rv_server_tunnel_refuse(tunnel, RV_REFUSAL_TIMEOUT);
}

/* ---- requests ---- */

int rv_server_tunnel_submit(
    struct rv_server_tunnel *tunnel, struct rv_exchange *exchange) {
  if (!rv_server_tunnel_is_live(tunnel) || tunnel->link.connection == NULL)
    return REVERST_ERR_CLOSED;
  if (tunnel->link.session == NULL && start_session(tunnel) < 0)
    return REVERST_ERR_CLOSED;
  return rv_h3_session_submit(tunnel->link.session, exchange);
}

void rv_server_tunnel_drain(struct rv_server_tunnel *tunnel) {
  if (tunnel->state != LIVE || !tunnel->features.drain)
    return;
  if (tunnel->link.session != NULL || start_session(tunnel) == 0)
    rv_h3_session_drain(tunnel->link.session);
}

void rv_server_tunnel_ping(struct rv_server_tunnel *tunnel) {
  if (tunnel->link.connection != NULL)
    rv_quic_connection_ping(tunnel->link.connection);
}

static void wake_news(struct rv_waker *waker) {
  struct rv_server_tunnel *tunnel =
      rv_container_of(waker, struct rv_server_tunnel, news);

  rv_turn_add(&engine_of(tunnel)->turn, &tunnel->news_job, RV_PHASE_PROCESS);
}

static void run_news_job(struct rv_job *job) {
  struct rv_server_tunnel *tunnel =
      rv_container_of(job, struct rv_server_tunnel, news_job);

  if (tunnel->state == LIVE)
    tunnel->events->on_news(tunnel, tunnel->user_data);
}

bool rv_server_tunnel_is_live(const struct rv_server_tunnel *tunnel) {
  return tunnel->state == LIVE && !tunnel->link.closing;
}

bool rv_server_tunnel_is_draining(const struct rv_server_tunnel *tunnel) {
  return tunnel->link.session != NULL &&
         rv_h3_session_is_draining(tunnel->link.session);
}

bool rv_server_tunnel_is_suspect(const struct rv_server_tunnel *tunnel) {
  const struct rv_quic_connection *connection = tunnel->link.connection;
  uint64_t since, patience;

  if (connection == NULL)
    return false;
  since = rv_quic_connection_silent_since(connection);
  if (since == RV_NEVER)
    return false;
  patience = 3 * rv_quic_connection_pto(connection);
  if (patience < RV_SECOND)
    patience = RV_SECOND;
  return engine_of(tunnel)->now > since + patience;
}

uint64_t rv_server_tunnel_streams_left(const struct rv_server_tunnel *tunnel) {
  if (tunnel->state != LIVE || tunnel->link.connection == NULL)
    return 0;
  return rv_quic_connection_streams_left(tunnel->link.connection, true);
}

size_t rv_server_tunnel_active(const struct rv_server_tunnel *tunnel) {
  return tunnel->link.session ? rv_h3_session_active(tunnel->link.session) : 0;
}

const struct rv_address *rv_server_tunnel_peer(
    const struct rv_server_tunnel *tunnel) {
  return rv_quic_connection_peer(tunnel->link.connection);
}

struct rv_span rv_server_tunnel_server_name(
    const struct rv_server_tunnel *tunnel) {
  return rv_quic_connection_server_name(tunnel->link.connection);
}

/* ---- life ---- */

static void run_free_job(struct rv_job *job) {
  free(rv_container_of(job, struct rv_server_tunnel, free_job));
}

static void on_closed(struct rv_quic_application *application,
    const struct rv_quic_close *close) {
  struct rv_server_tunnel *tunnel = tunnel_of(application);
  struct rv_engine *engine = engine_of(tunnel);

  tunnel->state = CLOSED;
  rv_link_deinit(&tunnel->link);
  tunnel->events->on_closed(tunnel, close, tunnel->user_data);
  drop_registration(tunnel);
  rv_early_deinit(&tunnel->early);
  rv_turn_remove(&tunnel->registration_job);
  rv_turn_remove(&tunnel->news_job);
  engine->live.tunnels--;
  rv_turn_add(&engine->turn, &tunnel->free_job, RV_PHASE_FREE);
}

static void set_callbacks(struct rv_server_tunnel *tunnel) {
  struct rv_quic_application *application = &tunnel->link.application;

  application->on_handshake_completed = on_handshake_completed;
  application->on_stream_data = on_stream_data;
  application->on_stream_reset = on_stream_reset;
  application->on_closed = on_closed;
  tunnel->registration_job.run = run_registration_job;
  tunnel->news_job.run = run_news_job;
  tunnel->free_job.run = run_free_job;
  tunnel->news.wake = wake_news;
}

int rv_server_tunnel_new(struct rv_server_tunnel **tunnel,
    const struct rv_server_tunnel_options *options) {
  struct rv_server_tunnel *new = calloc(1, sizeof(*new));
  uint64_t timeout = options->registration_timeout;
  int r;

  if (new == NULL)
    return REVERST_ERR_NO_MEMORY;
  rv_link_init(&new->link, options->engine);
  new->link.connection = options->connection;
  new->qpack = options->qpack;
  new->limits = options->limits;
  new->events = options->events;
  new->user_data = options->user_data;
  new->registration_stream = -1;
  set_callbacks(new);
  rv_timer_init(&new->registration_timer, on_registration_timeout);
  r = rv_timer_set(&options->engine->timers, &new->registration_timer,
      rv_deadline(options->engine->now, timeout ? timeout : 10 * RV_SECOND));
  if (r < 0) {
    free(new);
    return r;
  }
  options->engine->live.tunnels++;
  rv_quic_connection_set_application(
      options->connection, &new->link.application);
  *tunnel = new;
  return 0;
}
