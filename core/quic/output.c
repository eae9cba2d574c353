/* SPDX-License-Identifier: MIT */
/* Datagrams out: one burst for each touched connection and turn. */
#include "quic/internal.h"

#include <reverst/error.h>
#include <stdlib.h>

#define STUCK_AFTER (20 * RV_SECOND)

enum { LINGER_PTOS = 3 /* RFC 9000 section 10.2 */ };

/* ---- the sink ---- */

static void keep_rest(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, size_t sent) {
  struct rv_quic_backlog *backlog = &endpoint->backlog;
  size_t length = datagram->length - sent;

  backlog->data = malloc(length);
  if (!backlog->data)
    return; /* lost, as packets may be */
  memcpy(backlog->data, datagram->data + sent, length);
  backlog->length = length;
  backlog->offset = 0;
  backlog->local = *datagram->local;
  backlog->remote = *datagram->remote;
  backlog->segment_size = datagram->segment_size;
  backlog->ecn = datagram->ecn;
}

int rv_quic_endpoint_send(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram) {
  size_t size =
      datagram->segment_size ? datagram->segment_size : datagram->length;
  int r;

  if (rv_quic_endpoint_blocked(endpoint))
    return REVERST_ERR_AGAIN;
  r = endpoint->sink->send(endpoint->sink, datagram);
  endpoint->stats.send_batches++;
  endpoint->stats.datagrams_sent += (datagram->length + size - 1) / size;
  if (r == 0)
    return 0;
  keep_rest(endpoint, datagram, r > 0 ? (size_t)r : 0);
  return REVERST_ERR_AGAIN;
}

void rv_quic_endpoint_writable(struct rv_quic_endpoint *endpoint) {
  struct rv_quic_backlog *backlog = &endpoint->backlog;
  struct rv_list *node;
  int r = 0;

  if (backlog->data) {
    r = endpoint->sink->send(
        endpoint->sink, &(struct rv_datagram){
                            .local = &backlog->local,
                            .remote = &backlog->remote,
                            .data = backlog->data + backlog->offset,
                            .length = backlog->length - backlog->offset,
                            .segment_size = backlog->segment_size,
                            .ecn = backlog->ecn,
                        });
    if (r > 0)
      backlog->offset += (size_t)r;
    if (r != 0)
      return;
    free(backlog->data);
    backlog->data = NULL;
  }
  while ((node = rv_list_pop(&endpoint->waiting)) != NULL)
    rv_quic_connection_touch(
        rv_container_of(node, struct rv_quic_connection, waiting));
}

/* ---- one packet ---- */

struct offer {
  struct rv_quic_write write;
  ngtcp2_vec vectors[RV_QUIC_MAX_VECTORS];
  size_t total;
  uint32_t flags;
};

/* Asks the application; without an offer only what ngtcp2 itself has to say is
   sent. At a closed connection window nothing is asked for, so that "blocked"
   always means the stream's. */
static bool get_offer(
    struct rv_quic_connection *connection, struct offer *offer) {
  struct rv_quic_application *application = connection->application;
  ngtcp2_conn *transport = connection->transport;

  offer->total = 0;
  offer->flags = NGTCP2_WRITE_STREAM_FLAG_MORE;
  offer->write.stream_id = -1;
  offer->write.vector_count = 0;
  offer->write.fin = false;
  if (!application || !connection->handshake_reported ||
      connection->state != RV_QUIC_OPEN ||
      ngtcp2_conn_get_max_data_left2(transport) == 0 ||
      !application->next_write(application, &offer->write)) {
    offer->write.stream_id = -1;
    offer->write.vector_count = 0;
    return false;
  }
  for (size_t i = 0; i < offer->write.vector_count; i++) {
    offer->vectors[i] = (ngtcp2_vec){
      .base = offer->write.vectors[i].iov_base,
      .len = offer->write.vectors[i].iov_len,
    };
    offer->total += offer->write.vectors[i].iov_len;
  }
  if (offer->write.fin)
    offer->flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
  /* packets of one batch have one length; a lone small one stays small */
  if (offer->total > ngtcp2_conn_get_path_max_tx_udp_payload_size2(transport))
    offer->flags |= NGTCP2_WRITE_STREAM_FLAG_PADDING;
  return true;
}

/* False: another offer may go into the same packet. */
static bool take_result(struct rv_quic_connection *connection,
    const struct offer *offer, bool offered, ngtcp2_ssize result,
    ngtcp2_ssize accepted) {
  struct rv_quic_application *application = connection->application;
  int64_t stream_id = offer->write.stream_id;
  size_t length = accepted > 0 ? (size_t)accepted : 0;

  if (length > 0)
    connection->in_flight = 0; /* not stuck, whatever the sum is */
  switch (result) {
  case NGTCP2_ERR_STREAM_DATA_BLOCKED:
    application->on_blocked(application, stream_id);
    return false;
  case NGTCP2_ERR_STREAM_SHUT_WR:
  case NGTCP2_ERR_STREAM_NOT_FOUND:
    application->on_write_shut(application, stream_id);
    return false;
  default:
    if (offered)
      application->on_written(application, stream_id, length,
          accepted >= 0 && offer->write.fin && length == offer->total);
    return result != NGTCP2_ERR_WRITE_MORE;
  }
}

static ngtcp2_ssize write_packet(ngtcp2_conn *transport, ngtcp2_path *path,
    ngtcp2_pkt_info *info, uint8_t *data, size_t size, ngtcp2_tstamp now,
    void *user_data) {
  struct rv_quic_connection *connection = user_data;
  ngtcp2_ssize result, accepted;
  struct offer offer;
  bool offered;

  do {
    offered = get_offer(connection, &offer);
    accepted = -1;
    result = ngtcp2_conn_writev_stream(transport, path, info, data, size,
        &accepted, offered ? offer.flags : NGTCP2_WRITE_STREAM_FLAG_NONE,
        offer.write.stream_id, offer.vectors, offer.write.vector_count, now);
  } while (!take_result(connection, &offer, offered, result, accepted));
  connection->exhausted = !offered;
  return result;
}

/* ---- a burst ---- */

static int send_batch(struct rv_quic_connection *connection,
    const ngtcp2_path *path, const uint8_t *data, size_t length,
    size_t segment_size, uint8_t ecn) {
  struct rv_address local, remote;

  rv_quic_address_set(&local, &path->local);
  rv_quic_address_set(&remote, &path->remote);
  return rv_quic_endpoint_send(connection->endpoint,
      &(struct rv_datagram){
          .local = &local,
          .remote = &remote,
          .data = data,
          .length = length,
          .segment_size = segment_size < length ? segment_size : 0,
          .ecn = ecn,
      });
}

/* Had everything that was to be said room in the batch? A last packet that is
   not full and was not held up by the application tells. */
static bool is_drained(const struct rv_quic_connection *connection,
    size_t length, size_t segment_size) {
  size_t full =
      ngtcp2_conn_get_path_max_tx_udp_payload_size2(connection->transport);
  size_t rest = length % segment_size;

  return connection->exhausted && !connection->timed &&
         connection->handshake_reported && (rest ? rest : segment_size) < full;
}

/* One batch of at most `size` bytes: what was written, 0, or an error. */
static ngtcp2_ssize write_batch(
    struct rv_quic_connection *connection, size_t size, bool *drained) {
  struct rv_quic_endpoint *endpoint = connection->endpoint;
  ngtcp2_path_storage path;
  ngtcp2_pkt_info info = { 0 };
  size_t segment_size = 0;
  ngtcp2_ssize n;

  ngtcp2_path_storage_zero(&path);
  connection->building = true;
  n = ngtcp2_conn_write_aggregate_pkt2(connection->transport, &path.path, &info,
      endpoint->send_buffer, size, &segment_size, write_packet, 0,
      endpoint->engine->now);
  connection->building = false;
  rv_quic_connection_run_deferred(connection);
  *drained = n == 0;
  if (n <= 0)
    return n;
  *drained = is_drained(connection, (size_t)n, segment_size);
  send_batch(connection, &path.path, endpoint->send_buffer, (size_t)n,
      segment_size, info.ecn);
  return n;
}

/* Within what pacing allows now. Whether all was said decides on the next
   deadline: when it was, there is no need to wake for the pacer. */
static int write_burst(
    struct rv_quic_connection *connection, uint64_t *deadline) {
  ngtcp2_conn *transport = connection->transport;
  uint64_t now = connection->endpoint->engine->now;
  size_t least = ngtcp2_conn_get_max_tx_udp_payload_size2(transport);
  size_t budget = ngtcp2_conn_get_send_quantum2(transport);
  bool drained;
  ngtcp2_ssize n;

  if (budget < least)
    budget = least;
  if (budget > RV_QUIC_MAX_BURST)
    budget = RV_QUIC_MAX_BURST;
  do {
    n = write_batch(connection, budget, &drained);
    if (n < 0)
      return (int)n;
    budget -= (size_t)n;
  } while (!drained && budget >= least &&
           !rv_quic_endpoint_blocked(connection->endpoint));
  *deadline = ngtcp2_conn_get_expiry2(transport);
  ngtcp2_conn_update_pkt_tx_time(transport, now);
  if (!drained)
    *deadline = ngtcp2_conn_get_expiry2(transport);
  connection->timed = false;
  return 0;
}

/* ---- the last packet ---- */

static ngtcp2_ssize write_close(
    struct rv_quic_connection *connection, ngtcp2_path *path) {
  struct rv_quic_endpoint *endpoint = connection->endpoint;
  const struct rv_quic_close *close = &connection->close;
  const uint8_t *reason = (const uint8_t *)close->reason.data;
  ngtcp2_pkt_info info;
  ngtcp2_ccerr error;

  ngtcp2_ccerr_default(&error);
  if (close->kind == RV_QUIC_CLOSE_APPLICATION)
    ngtcp2_ccerr_set_application_error(
        &error, close->code, reason, close->reason.length);
  else
    ngtcp2_ccerr_set_transport_error(
        &error, close->code, reason, close->reason.length);
  return ngtcp2_conn_write_connection_close(connection->transport, path, &info,
      endpoint->send_buffer, RV_QUIC_MAX_BURST, &error, endpoint->engine->now);
}

/* Silent ends that the peer knows of drain; others are forgotten at once, so
   that the peer gets a stateless reset when it speaks again. */
static void write_last(struct rv_quic_connection *connection) {
  struct rv_quic_endpoint *endpoint = connection->endpoint;
  struct rv_quic_linger_options linger = {
    .route = &connection->route,
    .duration = LINGER_PTOS * ngtcp2_conn_get_pto2(connection->transport),
    .local = &connection->local,
    .remote = &connection->peer,
  };
  struct rv_address local, remote;
  ngtcp2_path_storage path;
  ngtcp2_ssize n = 0;

  ngtcp2_path_storage_zero(&path);
  if (!connection->silent)
    n = write_close(connection, &path.path);
  if (n > 0) {
    rv_quic_address_set(&local, &path.path.local);
    rv_quic_address_set(&remote, &path.path.remote);
    linger.local = &local;
    linger.remote = &remote;
    linger.packet = endpoint->send_buffer;
    linger.length = (size_t)n;
    send_batch(connection, &path.path, endpoint->send_buffer, (size_t)n, 0, 0);
  }
  if (!endpoint->closing &&
      (n > 0 || (connection->close.by_peer && !connection->reset)))
    rv_quic_linger_start(endpoint, &linger);
  rv_quic_connection_end(connection);
}

/* A PING is what the keep-alive timer sends, so it is made due. */
static void set_ping(struct rv_quic_connection *connection, bool on) {
  if (connection->ping)
    ngtcp2_conn_set_keep_alive_timeout(
        connection->transport, on ? 1 : connection->keep_alive_period);
  if (!on)
    connection->ping = false;
}

/* ngtcp2 counts a PATH_RESPONSE as in flight, but starts no PTO for it. When
   the acknowledgments of some are lost while the congestion window is small,
   nothing can be sent any more, and the peer's PINGs keep the connection. */
static bool is_stuck(struct rv_quic_connection *connection) {
  uint64_t now = connection->endpoint->engine->now;
  ngtcp2_conn_info info;

  ngtcp2_conn_get_conn_info2(connection->transport, &info);
  if (connection->in_flight == 0 && info.bytes_in_flight > 0)
    connection->owed_since = now;
  if (info.bytes_in_flight < info.cwnd ||
      info.bytes_in_flight != connection->in_flight) {
    connection->in_flight = info.bytes_in_flight;
    connection->in_flight_since = now;
    return false;
  }
  return now - connection->in_flight_since >= STUCK_AFTER &&
         connection->last_received > connection->in_flight_since;
}

void rv_quic_connection_on_write(struct rv_job *job) {
  struct rv_quic_connection *connection =
      rv_container_of(job, struct rv_quic_connection, write_job);
  struct rv_quic_endpoint *endpoint = connection->endpoint;
  uint64_t deadline = RV_NEVER;
  int r;

  if (connection->state == RV_QUIC_ENDED)
    return;
  if (rv_quic_endpoint_blocked(endpoint) && !endpoint->closing) {
    if (!rv_list_linked(&connection->waiting))
      rv_list_push(&endpoint->waiting, &connection->waiting);
    return;
  }
  if (connection->state == RV_QUIC_CLOSING) {
    write_last(connection);
    return;
  }
  set_ping(connection, true);
  r = write_burst(connection, &deadline);
  set_ping(connection, false);
  if (r != 0) {
    rv_quic_connection_fail(connection, r);
    return;
  }
  if (rv_timer_set(&endpoint->engine->timers, &connection->timer, deadline) < 0)
    rv_quic_connection_fail(connection, NGTCP2_ERR_NOMEM);
  else if (is_stuck(connection))
    rv_quic_connection_close(connection, RV_QUIC_CLOSE_TRANSPORT,
        NGTCP2_NO_VIABLE_PATH, RV_SPAN("nothing is acknowledged any more"));
}
