/* SPDX-License-Identifier: MIT */
/* The life of a connection: made, closed, ended. */
#include "quic/internal.h"

#include <assert.h>
#include <reverst/error.h>
#include <stdlib.h>

enum { CLIENT_INITIAL_ID_SIZE = 18 };

static ngtcp2_conn *get_transport(ngtcp2_crypto_conn_ref *reference) {
  return rv_container_of(reference, struct rv_quic_connection, reference)
      ->transport;
}

/* ---- the end ---- */

static void free_connection(struct rv_quic_connection *connection) {
  struct rv_quic_endpoint *endpoint = connection->endpoint;
  struct rv_engine *engine = endpoint->engine;

  rv_quic_connection_stop_pending(connection);
  rv_timer_stop(&engine->timers, &connection->timer);
  rv_turn_remove(&connection->write_job);
  rv_turn_remove(&connection->end_job);
  rv_list_remove(&connection->waiting);
  rv_list_remove(&connection->node);
  /* the session looks into the transport when it goes, not the other way */
  if (connection->transport)
    ngtcp2_conn_set_tls_native_handle(connection->transport, NULL);
  rv_quic_tls_session_free(connection->tls);
  ngtcp2_conn_del(connection->transport);
  rv_quic_ids_clear(&endpoint->ids, &connection->route);
  rv_quic_ids_clear(&endpoint->resets, &connection->resets);
  rv_tls_context_unref(connection->tls_context);
  free(connection->deferred.credits);
  free(connection->server_name);
  free(connection->reason);
  free(connection);
  engine->live.quic_connections--;
  if (endpoint->closing && rv_list_empty(&endpoint->connections))
    rv_turn_add(&engine->turn, &endpoint->free_job, RV_PHASE_FREE);
}

static void close_streams(struct rv_quic_connection *connection) {
  struct rv_list *node;

  while ((node = rv_list_pop(&connection->streams)) != NULL) {
    struct rv_quic_stream *stream =
        rv_container_of(node, struct rv_quic_stream, node);
    int64_t id = stream->id;

    free(stream);
    if (connection->application)
      connection->application->on_stream_closed(connection->application, id);
  }
}

static void on_end(struct rv_job *job) {
  struct rv_quic_connection *connection =
      rv_container_of(job, struct rv_quic_connection, end_job);

  assert(connection->state == RV_QUIC_ENDED);
  close_streams(connection);
  if (connection->application)
    connection->application->on_closed(
        connection->application, &connection->close);
  free_connection(connection);
}

void rv_quic_connection_end(struct rv_quic_connection *connection) {
  connection->state = RV_QUIC_ENDED;
  rv_timer_stop(&connection->endpoint->engine->timers, &connection->timer);
  rv_quic_connection_stop_pending(connection);
  rv_turn_add(
      &connection->endpoint->engine->turn, &connection->end_job, RV_PHASE_FREE);
}

static void begin_close(struct rv_quic_connection *connection,
    const struct rv_quic_close *close, bool silent) {
  size_t length = close->reason.length;

  if (connection->state != RV_QUIC_OPEN)
    return;
  if (length > RV_QUIC_MAX_REASON)
    length = RV_QUIC_MAX_REASON;
  connection->state = RV_QUIC_CLOSING;
  connection->silent = silent;
  connection->close = *close;
  connection->reason = length > 0 ? malloc(length) : NULL;
  if (!connection->reason)
    length = 0;
  else
    memcpy(connection->reason, close->reason.data, length);
  connection->close.reason = (struct rv_span){ connection->reason, length };
  rv_quic_connection_touch(connection);
}

void rv_quic_connection_close(struct rv_quic_connection *connection,
    enum rv_quic_close_kind kind, uint64_t code, struct rv_span reason) {
  begin_close(connection,
      &(struct rv_quic_close){ .kind = kind, .code = code, .reason = reason },
      false);
}

void rv_quic_connection_drop(struct rv_quic_connection *connection,
    enum rv_quic_close_kind kind, uint64_t code) {
  begin_close(
      connection, &(struct rv_quic_close){ .kind = kind, .code = code }, true);
}

/* The peer closed it, or a stateless reset says that it knows nothing. */
static void close_by_peer(struct rv_quic_connection *connection) {
  const ngtcp2_ccerr *error = ngtcp2_conn_get_ccerr2(connection->transport);
  struct rv_quic_close close = {
    .by_peer = true,
    .kind = error->type == NGTCP2_CCERR_TYPE_APPLICATION
                ? RV_QUIC_CLOSE_APPLICATION
                : RV_QUIC_CLOSE_TRANSPORT,
    .code = error->error_code,
    .reason = { (const char *)error->reason, error->reasonlen },
  };

  if (connection->reset)
    close = (struct rv_quic_close){
      .by_peer = true,
      .kind = RV_QUIC_CLOSE_RESET,
    };
  begin_close(connection, &close, true);
}

static void close_with(
    struct rv_quic_connection *connection, const ngtcp2_ccerr *error) {
  rv_quic_connection_close(connection, RV_QUIC_CLOSE_TRANSPORT,
      error->error_code, (struct rv_span){ NULL, 0 });
}

void rv_quic_connection_fail(struct rv_quic_connection *connection, int error) {
  ngtcp2_ccerr close;

  ngtcp2_ccerr_default(&close);
  switch (error) {
  case NGTCP2_ERR_DRAINING:
    close_by_peer(connection);
    return;
  case NGTCP2_ERR_IDLE_CLOSE:
    rv_quic_connection_drop(connection, RV_QUIC_CLOSE_IDLE, 0);
    return;
  case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
    rv_quic_connection_drop(connection, RV_QUIC_CLOSE_HANDSHAKE_TIMEOUT, 0);
    return;
  case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
    rv_quic_connection_drop(
        connection, RV_QUIC_CLOSE_TRANSPORT, NGTCP2_VERSION_NEGOTIATION_ERROR);
    return;
  case NGTCP2_ERR_DROP_CONN:
  case NGTCP2_ERR_RETRY:
    rv_quic_connection_drop(
        connection, RV_QUIC_CLOSE_TRANSPORT, NGTCP2_NO_ERROR);
    return;
  case NGTCP2_ERR_CRYPTO:
    ngtcp2_ccerr_set_tls_alert(
        &close, ngtcp2_conn_get_tls_alert2(connection->transport), NULL, 0);
    break;
  default:
    ngtcp2_ccerr_set_liberr(&close, error, NULL, 0);
    break;
  }
  close_with(connection, &close);
}

void rv_quic_connection_stop_pending(struct rv_quic_connection *connection) {
  if (!connection->pending)
    return;
  connection->pending = false;
  rv_quic_pending_remove(
      &connection->endpoint->pending, &connection->counted_as);
}

/* ---- the beginning ---- */

static void on_timer(struct rv_timer *timer) {
  struct rv_quic_connection *connection =
      rv_container_of(timer, struct rv_quic_connection, timer);
  int r;

  if (connection->state != RV_QUIC_OPEN)
    return;
  r = ngtcp2_conn_handle_expiry(
      connection->transport, connection->endpoint->engine->now);
  if (r != 0)
    rv_quic_connection_fail(connection, r);
  connection->timed = true;
  rv_quic_connection_touch(connection);
}

static struct rv_quic_connection *new_connection(
    struct rv_quic_endpoint *endpoint, const struct rv_address *local,
    const struct rv_address *remote, const struct rv_quic_settings *settings) {
  struct rv_quic_connection *connection = calloc(1, sizeof(*connection));

  if (!connection)
    return NULL;
  connection->endpoint = endpoint;
  connection->local = *local;
  connection->peer = *remote;
  connection->last_received = endpoint->engine->now;
  connection->keep_alive_period = settings->keep_alive_period;
  connection->window = settings->connection_window;
  connection->max_window = settings->max_connection_window;
  connection->stream_window = settings->stream_window;
  connection->max_stream_window = settings->max_stream_window;
  connection->reference.get_conn = get_transport;
  connection->write_job.run = rv_quic_connection_on_write;
  connection->end_job.run = on_end;
  rv_timer_init(&connection->timer, on_timer);
  rv_list_init(&connection->streams);
  rv_quic_route_init(&connection->route);
  rv_quic_route_init(&connection->resets);
  connection->route.connection = connection;
  connection->resets.connection = connection;
  rv_list_push(&endpoint->connections, &connection->node);
  endpoint->engine->live.quic_connections++;
  return connection;
}

static int attach_tls(struct rv_quic_connection *connection,
    struct rv_tls_context *context, const char *server_name) {
  const struct rv_quic_tls_options options = {
    .context = context,
    .reference = &connection->reference,
    .server = connection->server,
    .alpn = connection->endpoint->alpn,
    .server_name = server_name,
  };
  int r = rv_quic_tls_session_new(&connection->tls, &options);

  if (r < 0)
    return r;
  ngtcp2_conn_set_tls_native_handle(connection->transport, connection->tls);
  connection->tls_context = rv_tls_context_ref(context);
  return 0;
}

/* So that setting it later cannot fail. */
static int reserve_timer(struct rv_quic_connection *connection) {
  struct rv_engine *engine = connection->endpoint->engine;

  return rv_timer_set(&engine->timers, &connection->timer,
      ngtcp2_conn_get_expiry2(connection->transport));
}

static int set_up_server(struct rv_quic_connection *connection,
    const struct rv_quic_incoming *incoming) {
  struct rv_quic_endpoint *endpoint = connection->endpoint;
  const ngtcp2_pkt_hd *header = incoming->header;
  ngtcp2_callbacks callbacks;
  ngtcp2_settings settings;
  ngtcp2_transport_params parameters;
  ngtcp2_path_storage path;
  ngtcp2_cid id;
  int r;

  rv_quic_callbacks_init(&callbacks);
  rv_quic_settings_apply(
      &endpoint->settings, endpoint->engine, &settings, &parameters);
  rv_quic_make_id(endpoint, &id);
  parameters.original_dcid =
      incoming->original_id ? *incoming->original_id : header->dcid;
  parameters.original_dcid_present = 1;
  if (incoming->original_id) {
    parameters.retry_scid = header->dcid;
    parameters.retry_scid_present = 1;
    settings.token = header->token;
    settings.tokenlen = header->tokenlen;
    settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
  }
  if (rv_quic_make_reset_token(
          endpoint, &id, parameters.stateless_reset_token) == 0)
    parameters.stateless_reset_token_present = 1;
  rv_quic_path_set(&path, &connection->local, &connection->peer);
  if (ngtcp2_conn_server_new(&connection->transport, &header->scid, &id,
          &path.path, header->version, &callbacks, &settings, &parameters, NULL,
          connection) != 0)
    return REVERST_ERR_NO_MEMORY;
  r = attach_tls(connection, endpoint->server_tls, NULL);
  if (r == 0)
    r = rv_quic_ids_add(
        &endpoint->ids, &connection->route, id.data, id.datalen);
  if (r == 0)
    r = rv_quic_ids_add(&endpoint->ids, &connection->route, header->dcid.data,
        header->dcid.datalen);
  return r < 0 ? r : reserve_timer(connection);
}

int rv_quic_connection_new_server(struct rv_quic_connection **connection,
    struct rv_quic_endpoint *endpoint,
    const struct rv_quic_incoming *incoming) {
  const struct rv_datagram *datagram = incoming->datagram;
  struct rv_quic_connection *made;
  int r = rv_quic_pending_add(&endpoint->pending, datagram->remote);

  if (r < 0)
    return r;
  made = new_connection(
      endpoint, datagram->local, datagram->remote, &endpoint->settings);
  if (!made) {
    rv_quic_pending_remove(&endpoint->pending, datagram->remote);
    return REVERST_ERR_NO_MEMORY;
  }
  made->server = true;
  made->pending = true;
  made->counted_as = *datagram->remote;
  r = set_up_server(made, incoming);
  if (r < 0) {
    free_connection(made);
    return r;
  }
  *connection = made;
  return 0;
}

static int set_up_client(struct rv_quic_connection *connection,
    const struct rv_quic_settings *wanted,
    const struct rv_quic_connect_options *options) {
  struct rv_quic_endpoint *endpoint = connection->endpoint;
  ngtcp2_callbacks callbacks;
  ngtcp2_settings settings;
  ngtcp2_transport_params parameters;
  ngtcp2_path_storage path;
  ngtcp2_cid id, peer_id = { .datalen = CLIENT_INITIAL_ID_SIZE };
  int r;

  rv_quic_callbacks_init(&callbacks);
  rv_quic_settings_apply(wanted, endpoint->engine, &settings, &parameters);
  rv_quic_make_id(endpoint, &id);
  rv_random(endpoint->engine, peer_id.data, peer_id.datalen);
  rv_quic_path_set(&path, &connection->local, &connection->peer);
  if (ngtcp2_conn_client_new(&connection->transport, &peer_id, &id, &path.path,
          NGTCP2_PROTO_VER_V1, &callbacks, &settings, &parameters, NULL,
          connection) != 0)
    return REVERST_ERR_NO_MEMORY;
  r = attach_tls(connection, options->tls, options->server_name);
  if (r == 0)
    r = rv_quic_ids_add(
        &endpoint->ids, &connection->route, id.data, id.datalen);
  return r < 0 ? r : reserve_timer(connection);
}

int rv_quic_endpoint_connect(struct rv_quic_endpoint *endpoint,
    struct rv_quic_connection **connection,
    const struct rv_quic_connect_options *options) {
  struct rv_quic_settings settings =
      rv_quic_settings_complete(&options->settings);
  struct rv_quic_connection *made;
  int r;

  if (endpoint->closing)
    return REVERST_ERR_CLOSED;
  r = rv_quic_tls_prepare(options->tls, false);
  if (r < 0)
    return r;
  made = new_connection(endpoint, options->local, options->remote, &settings);
  if (!made)
    return REVERST_ERR_NO_MEMORY;
  r = set_up_client(made, &settings, options);
  if (r < 0) {
    free_connection(made);
    return r;
  }
  made->application = options->application;
  rv_quic_connection_touch(made);
  *connection = made;
  return 0;
}
