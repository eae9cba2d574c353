/* SPDX-License-Identifier: MIT */
/* What ngtcp2 calls: it is noted, or handed on to the application. */
#include "quic/internal.h"

#include <reverst/error.h>
#include <stdlib.h>

enum { UNEXPECTED_MESSAGE = 10, NO_APPLICATION_PROTOCOL = 120 }; /* alerts */

static struct rv_engine *engine_of(
    const struct rv_quic_connection *connection) {
  return connection->endpoint->engine;
}

/* ---- handshake ---- */

/* A server's session is gone after the handshake: nothing may come then. */
static int on_crypto_data(ngtcp2_conn *transport, ngtcp2_encryption_level level,
    uint64_t offset, const uint8_t *data, size_t length, void *user_data) {
  const struct rv_quic_connection *connection = user_data;

  if (connection->tls)
    return ngtcp2_crypto_recv_crypto_data_cb(
        transport, level, offset, data, length, user_data);
  ngtcp2_conn_set_tls_alert(transport, UNEXPECTED_MESSAGE);
  return NGTCP2_ERR_CRYPTO;
}

/* Before any byte of a stream is delivered. */
static int on_handshake_completed(ngtcp2_conn *transport, void *user_data) {
  struct rv_quic_connection *connection = user_data;

  (void)transport;
  if (!rv_quic_tls_session_agreed(
          connection->tls, connection->endpoint->alpn)) {
    rv_quic_connection_close(connection, RV_QUIC_CLOSE_TRANSPORT,
        NGTCP2_CRYPTO_ERROR | NO_APPLICATION_PROTOCOL, RV_SPAN(""));
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  connection->handshake_completed = true;
  return 0;
}

/* ---- connection ids ---- */

static int on_new_connection_id(ngtcp2_conn *transport, ngtcp2_cid *id,
    ngtcp2_stateless_reset_token *token, size_t length, void *user_data) {
  struct rv_quic_connection *connection = user_data;
  struct rv_quic_endpoint *endpoint = connection->endpoint;
  int r;

  (void)transport;
  (void)length; /* always RV_QUIC_ID_SIZE, as the first one */
  do {
    rv_quic_make_id(endpoint, id);
    r = rv_quic_ids_add(
        &endpoint->ids, &connection->route, id->data, id->datalen);
  } while (r == REVERST_ERR_EXISTS);
  if (r < 0 || rv_quic_make_reset_token(endpoint, id, token->data) != 0)
    return NGTCP2_ERR_CALLBACK_FAILURE;
  return 0;
}

static int on_connection_id_removed(
    ngtcp2_conn *transport, const ngtcp2_cid *id, void *user_data) {
  struct rv_quic_connection *connection = user_data;

  (void)transport;
  rv_quic_ids_remove(&connection->endpoint->ids, id->data, id->datalen);
  return 0;
}

/* A stateless reset carries a random id: only its token tells whose it is. */
static int on_peer_id_status(ngtcp2_conn *transport,
    ngtcp2_connection_id_status_type type, uint64_t sequence,
    const ngtcp2_cid *id, const ngtcp2_stateless_reset_token *token,
    void *user_data) {
  struct rv_quic_connection *connection = user_data;
  struct rv_map *map = &connection->endpoint->resets;
  int r;

  (void)transport;
  (void)sequence;
  (void)id;
  if (!token)
    return 0;
  if (type == NGTCP2_CONNECTION_ID_STATUS_TYPE_DEACTIVATE) {
    if (rv_quic_ids_find(map, token->data, sizeof(token->data)) ==
        &connection->resets)
      rv_quic_ids_remove(map, token->data, sizeof(token->data));
    return 0;
  }
  r = rv_quic_ids_add(
      map, &connection->resets, token->data, sizeof(token->data));
  return r == REVERST_ERR_NO_MEMORY ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stateless_reset(ngtcp2_conn *transport,
    const ngtcp2_pkt_stateless_reset2 *reset, void *user_data) {
  struct rv_quic_connection *connection = user_data;

  (void)transport;
  (void)reset;
  connection->reset = true;
  return 0;
}

/* ---- streams ---- */

static int on_stream_open(
    ngtcp2_conn *transport, int64_t stream_id, void *user_data) {
  struct rv_quic_connection *connection = user_data;
  struct rv_quic_stream *stream = rv_quic_stream_new(connection, stream_id);

  if (!stream)
    return NGTCP2_ERR_CALLBACK_FAILURE;
  return ngtcp2_conn_set_stream_user_data(transport, stream_id, stream) == 0
             ? 0
             : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(ngtcp2_conn *transport, uint32_t flags,
    int64_t stream_id, uint64_t code, void *user_data, void *stream_user_data) {
  struct rv_quic_connection *connection = user_data;

  (void)flags;
  (void)code;
  rv_quic_stream_free(stream_user_data);
  if (!ngtcp2_is_bidi_stream(stream_id) &&
      !ngtcp2_conn_is_local_stream2(transport, stream_id))
    ngtcp2_conn_extend_max_streams_uni(transport, 1);
  if (connection->application)
    connection->application->on_stream_closed(
        connection->application, stream_id);
  return 0;
}

static void credit_connection(
    struct rv_quic_connection *connection, size_t length) {
  if (connection->accepted)
    ngtcp2_conn_extend_max_offset(connection->transport, length);
  else
    connection->withheld += length;
}

static int on_stream_data(ngtcp2_conn *transport, uint32_t flags,
    int64_t stream_id, uint64_t offset, const uint8_t *data, size_t length,
    void *user_data, void *stream_user_data) {
  struct rv_quic_connection *connection = user_data;
  struct rv_quic_application *application = connection->application;
  int r = REVERST_ERR_CLOSED;

  (void)offset;
  credit_connection(connection, length);
  if (stream_user_data)
    rv_quic_window_received(stream_user_data, length);
  if (application && connection->state == RV_QUIC_OPEN)
    r = application->on_stream_data(application, stream_id, data, length,
        (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
  if (r == REVERST_ERR_CLOSED)
    return ngtcp2_conn_extend_max_stream_offset(transport, stream_id, length);
  return r < 0 ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_acknowledged(ngtcp2_conn *transport, int64_t stream_id,
    uint64_t offset, uint64_t length, void *user_data, void *stream_user_data) {
  struct rv_quic_application *application =
      ((struct rv_quic_connection *)user_data)->application;

  (void)transport;
  (void)offset;
  (void)stream_user_data;
  if (application && length > 0)
    application->on_stream_acknowledged(application, stream_id, length);
  return 0;
}

static int on_stream_reset(ngtcp2_conn *transport, int64_t stream_id,
    uint64_t final_size, uint64_t code, void *user_data,
    void *stream_user_data) {
  struct rv_quic_application *application =
      ((struct rv_quic_connection *)user_data)->application;

  (void)transport;
  (void)final_size;
  (void)stream_user_data;
  if (application)
    application->on_stream_reset(application, stream_id, code);
  return 0;
}

/* The peer's STOP_SENDING; ngtcp2 resets our side itself. (Its callback named
   stream_stop_sending reports our own.) */
static int on_stop_sending(ngtcp2_conn *transport, int64_t stream_id,
    uint64_t code, void *user_data, void *stream_user_data) {
  struct rv_quic_application *application =
      ((struct rv_quic_connection *)user_data)->application;

  (void)transport;
  (void)stream_user_data;
  if (application)
    application->on_stream_stop_sending(application, stream_id, code);
  return 0;
}

static int on_stream_credit(ngtcp2_conn *transport, int64_t stream_id,
    uint64_t limit, void *user_data, void *stream_user_data) {
  struct rv_quic_application *application =
      ((struct rv_quic_connection *)user_data)->application;

  (void)transport;
  (void)limit;
  (void)stream_user_data;
  if (application)
    application->on_credit(application, stream_id);
  return 0;
}

static int on_more_streams(
    ngtcp2_conn *transport, uint64_t limit, void *user_data) {
  return on_stream_credit(transport, -1, limit, user_data, NULL);
}

/* ---- randomness, all from the engine ---- */

static void on_random(
    uint8_t *data, size_t length, const ngtcp2_rand_ctx *context) {
  rv_random(context->native_handle, data, length);
}

static int on_path_challenge(
    ngtcp2_conn *transport, ngtcp2_path_challenge_data *data, void *user_data) {
  (void)transport;
  rv_random(engine_of(user_data), data->data, sizeof(data->data));
  return 0;
}

void rv_quic_callbacks_init(ngtcp2_callbacks *callbacks) {
  *callbacks = (ngtcp2_callbacks){
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
    .recv_crypto_data = on_crypto_data,
    .handshake_completed = on_handshake_completed,
    .encrypt = ngtcp2_crypto_encrypt_cb,
    .decrypt = ngtcp2_crypto_decrypt_cb,
    .hp_mask = ngtcp2_crypto_hp_mask_cb,
    .recv_stream_data = on_stream_data,
    .acked_stream_data_offset = on_acknowledged,
    .stream_open = on_stream_open,
    .stream_close = on_stream_close,
    .recv_retry = ngtcp2_crypto_recv_retry_cb,
    .extend_max_local_streams_bidi = on_more_streams,
    .extend_max_local_streams_uni = on_more_streams,
    .rand = on_random,
    .remove_connection_id = on_connection_id_removed,
    .update_key = ngtcp2_crypto_update_key_cb,
    .stream_reset = on_stream_reset,
    .extend_max_stream_data = on_stream_credit,
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
    .recv_stateless_reset2 = on_stateless_reset,
    .get_new_connection_id2 = on_new_connection_id,
    .dcid_status2 = on_peer_id_status,
    .get_path_challenge_data2 = on_path_challenge,
    .recv_stop_sending = on_stop_sending,
  };
}
