/* SPDX-License-Identifier: MIT */
/* What an application may ask of a connection. */
#include "quic/internal.h"

#include <reverst/error.h>
#include <stdlib.h>

enum { ACCEPTED_WINDOW = 1024 * 1024 };

struct rv_quic_stream *rv_quic_stream_new(
    struct rv_quic_connection *connection, int64_t stream_id) {
  struct rv_quic_stream *stream = calloc(1, sizeof(*stream));

  if (!stream)
    return NULL;
  stream->id = stream_id;
  rv_quic_window_init(connection, stream);
  rv_list_push(&connection->streams, &stream->node);
  return stream;
}

void rv_quic_stream_free(struct rv_quic_stream *stream) {
  if (!stream)
    return;
  rv_list_remove(&stream->node);
  free(stream);
}

void rv_quic_connection_set_application(struct rv_quic_connection *connection,
    struct rv_quic_application *application) {
  connection->application = application;
}

void rv_quic_connection_touch(struct rv_quic_connection *connection) {
  if (connection->state != RV_QUIC_ENDED)
    rv_turn_add(&connection->endpoint->engine->turn, &connection->write_job,
        RV_PHASE_WRITE);
}

int rv_quic_connection_open_stream(
    struct rv_quic_connection *connection, bool bidi, int64_t *stream_id) {
  struct rv_quic_stream *stream;
  int r;

  if (connection->state != RV_QUIC_OPEN)
    return REVERST_ERR_CLOSED;
  stream = rv_quic_stream_new(connection, -1);
  if (!stream)
    return REVERST_ERR_NO_MEMORY;
  r = bidi ? ngtcp2_conn_open_bidi_stream(
                 connection->transport, &stream->id, stream)
           : ngtcp2_conn_open_uni_stream(
                 connection->transport, &stream->id, stream);
  if (r != 0) {
    rv_quic_stream_free(stream);
    return r == NGTCP2_ERR_NOMEM ? REVERST_ERR_NO_MEMORY : REVERST_ERR_AGAIN;
  }
  *stream_id = stream->id;
  return 0;
}

uint64_t rv_quic_connection_streams_left(
    const struct rv_quic_connection *connection, bool bidi) {
  return bidi ? ngtcp2_conn_get_streams_bidi_left2(connection->transport)
              : ngtcp2_conn_get_streams_uni_left2(connection->transport);
}

/* ---- credit ---- */

static void give_credit(
    struct rv_quic_connection *connection, int64_t stream_id, uint64_t length) {
  struct rv_quic_stream *stream =
      ngtcp2_conn_get_stream_user_data2(connection->transport, stream_id);

  if (stream)
    length = rv_quic_window_consumed(connection, stream, length);
  if (ngtcp2_conn_extend_max_stream_offset(
          connection->transport, stream_id, length) == NGTCP2_ERR_NOMEM)
    rv_quic_connection_close(connection, RV_QUIC_CLOSE_TRANSPORT,
        NGTCP2_INTERNAL_ERROR, RV_SPAN(""));
}

/* A credit that is lost stalls its stream for good, so without memory the
   connection ends. */
static void defer_credit(
    struct rv_quic_connection *connection, int64_t stream_id, uint64_t length) {
  struct rv_quic_deferred *deferred = &connection->deferred;

  if (deferred->count == deferred->capacity) {
    size_t capacity = deferred->capacity ? 2 * deferred->capacity : 8;
    struct rv_quic_credit *credits =
        realloc(deferred->credits, capacity * sizeof(*credits));

    if (!credits) {
      rv_quic_connection_close(connection, RV_QUIC_CLOSE_TRANSPORT,
          NGTCP2_INTERNAL_ERROR, RV_SPAN(""));
      return;
    }
    deferred->credits = credits;
    deferred->capacity = capacity;
  }
  deferred->credits[deferred->count++] =
      (struct rv_quic_credit){ stream_id, length };
}

void rv_quic_connection_credit(
    struct rv_quic_connection *connection, int64_t stream_id, size_t length) {
  if (connection->state != RV_QUIC_OPEN || length == 0)
    return;
  if (connection->building)
    defer_credit(connection, stream_id, length);
  else
    give_credit(connection, stream_id, length);
  rv_quic_connection_touch(connection);
}

void rv_quic_connection_release_stream(struct rv_quic_connection *connection) {
  if (connection->state != RV_QUIC_OPEN)
    return;
  if (connection->building)
    connection->deferred.released_streams++;
  else
    ngtcp2_conn_extend_max_streams_bidi(connection->transport, 1);
  rv_quic_connection_touch(connection);
}

void rv_quic_connection_run_deferred(struct rv_quic_connection *connection) {
  struct rv_quic_deferred *deferred = &connection->deferred;

  for (size_t i = 0; i < deferred->count; i++)
    give_credit(connection, deferred->credits[i].stream_id,
        deferred->credits[i].length);
  deferred->count = 0;
  if (deferred->released_streams > 0)
    ngtcp2_conn_extend_max_streams_bidi(
        connection->transport, deferred->released_streams);
  deferred->released_streams = 0;
}

/* What strangers sent so far is credited, and the window becomes one that a
   working tunnel starts with; it grows from there as it is used. */
void rv_quic_connection_accept(struct rv_quic_connection *connection) {
  uint64_t target = ACCEPTED_WINDOW;

  if (connection->accepted)
    return;
  connection->accepted = true;
  rv_quic_connection_stop_pending(connection);
  if (connection->state != RV_QUIC_OPEN)
    return;
  if (target > connection->max_window)
    target = connection->max_window;
  if (target < connection->window)
    target = connection->window;
  ngtcp2_conn_extend_max_offset(connection->transport,
      connection->withheld + target - connection->window);
  connection->withheld = 0;
  rv_quic_connection_touch(connection);
}

/* ---- streams ---- */

void rv_quic_connection_reset_stream(
    struct rv_quic_connection *connection, int64_t stream_id, uint64_t code) {
  if (connection->state != RV_QUIC_OPEN)
    return;
  ngtcp2_conn_shutdown_stream_write(connection->transport, 0, stream_id, code);
  rv_quic_connection_touch(connection);
}

void rv_quic_connection_stop_stream(
    struct rv_quic_connection *connection, int64_t stream_id, uint64_t code) {
  if (connection->state != RV_QUIC_OPEN)
    return;
  ngtcp2_conn_shutdown_stream_read(connection->transport, 0, stream_id, code);
  rv_quic_connection_touch(connection);
}

/* ---- the path ---- */

int rv_quic_connection_migrate(
    struct rv_quic_connection *connection, const struct rv_address *local) {
  ngtcp2_path_storage path;

  if (connection->state != RV_QUIC_OPEN)
    return REVERST_ERR_CLOSED;
  rv_quic_path_set(&path, local, &connection->peer);
  switch (ngtcp2_conn_initiate_immediate_migration(
      connection->transport, &path.path, connection->endpoint->engine->now)) {
  case 0:
    connection->local = *local;
    rv_quic_connection_touch(connection);
    return 0;
  case NGTCP2_ERR_CONN_ID_BLOCKED:
  case NGTCP2_ERR_INVALID_STATE:
    return REVERST_ERR_AGAIN;
  case NGTCP2_ERR_NOMEM:
    return REVERST_ERR_NO_MEMORY;
  default:
    return REVERST_ERR_INVALID;
  }
}

uint64_t rv_quic_connection_keep_alive_period(
    const struct rv_quic_connection *connection) {
  return connection->keep_alive_period;
}

void rv_quic_connection_ping(struct rv_quic_connection *connection) {
  connection->ping = true;
  rv_quic_connection_touch(connection);
}

/* ---- questions ---- */

uint64_t rv_quic_connection_stream_window_left(
    const struct rv_quic_connection *connection, int64_t stream_id) {
  return ngtcp2_conn_get_max_stream_data_left2(
      connection->transport, stream_id);
}

uint64_t rv_quic_connection_window_left(
    const struct rv_quic_connection *connection) {
  return ngtcp2_conn_get_max_data_left2(connection->transport);
}

uint64_t rv_quic_connection_peer_initial_window(
    const struct rv_quic_connection *connection) {
  const ngtcp2_transport_params *parameters =
      ngtcp2_conn_get_remote_transport_params2(connection->transport);

  return parameters ? parameters->initial_max_data : 0;
}

const struct rv_address *rv_quic_connection_peer(
    const struct rv_quic_connection *connection) {
  return &connection->peer;
}

struct rv_span rv_quic_connection_server_name(
    const struct rv_quic_connection *connection) {
  return rv_span_of(connection->server_name);
}

uint64_t rv_quic_connection_last_received(
    const struct rv_quic_connection *connection) {
  return connection->last_received;
}

uint64_t rv_quic_connection_silent_since(
    const struct rv_quic_connection *connection) {
  if (connection->in_flight == 0)
    return RV_NEVER;
  return connection->last_received > connection->owed_since
             ? connection->last_received
             : connection->owed_since;
}

uint64_t rv_quic_connection_pto(const struct rv_quic_connection *connection) {
  return ngtcp2_conn_get_pto2(connection->transport);
}
