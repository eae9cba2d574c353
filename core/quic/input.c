/* SPDX-License-Identifier: MIT */
/* Datagrams in: whose they are, and what they do to a connection. */
#include "quic/internal.h"

#include "base/log.h"
#include <reverst/error.h>
#include <stdlib.h>

enum {
  MIN_DATAGRAM = 21, /* nothing valid is shorter */
  RESET_TOKEN_SIZE = NGTCP2_STATELESS_RESET_TOKENLEN
};

/* ---- one connection ---- */

/* Half of what both ends agreed on: two PINGs fit into the idle timeout. */
static uint64_t effective_keep_alive(
    const struct rv_quic_connection *connection) {
  uint64_t own = ngtcp2_conn_get_local_transport_params2(connection->transport)
                     ->max_idle_timeout;
  uint64_t others =
      ngtcp2_conn_get_remote_transport_params2(connection->transport)
          ->max_idle_timeout;
  uint64_t idle = own == 0 || (others != 0 && others < own) ? others : own;
  uint64_t period = connection->keep_alive_period;

  if (period == RV_NEVER)
    return RV_NEVER;
  return idle != 0 && period > idle / 2 ? idle / 2 : period;
}

static void keep_server_name(struct rv_quic_connection *connection) {
  struct rv_span name = rv_quic_tls_session_server_name(connection->tls);

  connection->server_name =
      name.length > 0 ? strndup(name.data, name.length) : NULL;
}

/* On a server the TLS session has done its work: 7 KiB less per tunnel. */
static void finish_handshake(struct rv_quic_connection *connection) {
  connection->handshake_reported = true;
  connection->keep_alive_period = effective_keep_alive(connection);
  ngtcp2_conn_set_keep_alive_timeout(
      connection->transport, connection->keep_alive_period);
  if (connection->server) {
    keep_server_name(connection);
    ngtcp2_conn_set_tls_native_handle(connection->transport, NULL);
    rv_quic_tls_session_free(connection->tls);
    connection->tls = NULL;
  } else {
    rv_quic_connection_accept(connection);
  }
}

static void note_peer_address(
    struct rv_quic_connection *connection, const struct rv_address *remote) {
  if (rv_address_equal(&connection->peer, remote))
    return;
  rv_quic_address_set(
      &connection->peer, &ngtcp2_conn_get_path2(connection->transport)->remote);
}

static bool is_wildcard(const struct rv_address *address) {
  if (address->any.sa_family == AF_INET)
    return address->v4.sin_addr.s_addr == INADDR_ANY;
  return address->any.sa_family == AF_INET6 &&
         IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

/* A client that let the system choose its address does not follow what the
   system chose: to the peer that is a rebinding, which it validates. */
static const struct rv_address *local_of(
    const struct rv_quic_connection *connection,
    const struct rv_datagram *datagram) {
  return !connection->server && is_wildcard(&connection->local)
             ? &connection->local
             : datagram->local;
}

int rv_quic_connection_read(
    struct rv_quic_connection *connection, const struct rv_datagram *datagram) {
  struct rv_quic_application *application = connection->application;
  uint64_t now = connection->endpoint->engine->now;
  ngtcp2_pkt_info info = { .ecn = datagram->ecn };
  ngtcp2_path_storage path;
  int r;

  if (connection->state != RV_QUIC_OPEN)
    return 0;
  rv_quic_path_set(&path, local_of(connection, datagram), datagram->remote);
  r = ngtcp2_conn_read_pkt(connection->transport, &path.path, &info,
      datagram->data, datagram->length, now);
  rv_quic_connection_touch(connection);
  if (r != 0) {
    rv_quic_connection_fail(connection, r);
    return r == NGTCP2_ERR_RETRY ? r : 0;
  }
  connection->last_received = now;
  note_peer_address(connection, datagram->remote);
  if (connection->handshake_completed && !connection->handshake_reported) {
    finish_handshake(connection);
    if (application && connection->state == RV_QUIC_OPEN)
      application->on_handshake_completed(application);
  }
  return 0;
}

/* ---- the endpoint ---- */

static bool has_retry_token(const ngtcp2_pkt_hd *header) {
  return header->tokenlen > 0 &&
         header->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2;
}

/* Negative: it is not to be accepted, or it was answered. */
static int check_token(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_pkt_hd *header,
    ngtcp2_cid *id, const ngtcp2_cid **original_id) {
  *original_id = NULL;
  if (!has_retry_token(header))
    return 0;
  if (rv_quic_check_retry_token(endpoint, datagram, header, id) != 0) {
    rv_quic_send_refusal(endpoint, datagram, header, NGTCP2_INVALID_TOKEN);
    return REVERST_ERR_PROTOCOL;
  }
  *original_id = id;
  return 0;
}

/* Whoever forges addresses shall not fill the table of those to come. */
static bool must_retry(
    const struct rv_quic_endpoint *endpoint, const struct rv_address *remote) {
  return endpoint->pending.count >= endpoint->retry_threshold ||
         rv_quic_pending_is_crowded(&endpoint->pending, remote);
}

static void accept_connection(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_pkt_hd *header) {
  struct rv_quic_incoming incoming = { datagram, header, NULL };
  struct rv_quic_connection *connection;
  ngtcp2_cid id;
  int r = check_token(endpoint, datagram, header, &id, &incoming.original_id);

  if (r < 0)
    return;
  if (!incoming.original_id && must_retry(endpoint, datagram->remote)) {
    rv_quic_send_retry(endpoint, datagram, header);
    return;
  }
  r = rv_quic_connection_new_server(&connection, endpoint, &incoming);
  if (r < 0) {
    rv_log(endpoint->engine, REVERST_LOG_DEBUG, "quic_connection_refused",
        rv_log_text("error", reverst_strerror(r)));
    rv_quic_send_refusal(endpoint, datagram, header, NGTCP2_CONNECTION_REFUSED);
    return;
  }
  /* the first of two Initials of one hello was lost or is late */
  if (rv_quic_connection_read(connection, datagram) == NGTCP2_ERR_RETRY)
    rv_quic_send_retry(endpoint, datagram, header);
  if (connection->state == RV_QUIC_OPEN)
    endpoint->on_accept(endpoint, connection);
}

/* Ports of services that answer anyone: who "asks" from there was forged, to
   make the two answer each other (RFC 9000 section 21.5.6). */
static bool is_reflector(const struct rv_address *address) {
  static const uint16_t ports[] = { 0, 7, 13, 17, 19, 53, 69, 111, 123, 137,
    161, 389, 500, 520, 1434, 1900, 3283, 3702, 5353, 5683, 11211, 27015 };
  uint16_t port =
      ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port
                                               : address->v4.sin_port);

  for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
    if (port == ports[i])
      return true;
  return false;
}

static void receive_long(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_version_cid *ids) {
  const ngtcp2_cid *original_id;
  ngtcp2_pkt_hd header;
  ngtcp2_cid id;

  if (!endpoint->server_tls || endpoint->closing || ids->version == 0 ||
      ngtcp2_accept(&header, datagram->data, datagram->length) != 0)
    endpoint->stats.dropped++;
  else if (header.version != NGTCP2_PROTO_VER_V1)
    rv_quic_send_version_negotiation(endpoint, datagram, ids);
  else if (!has_retry_token(&header) && must_retry(endpoint, datagram->remote))
    rv_quic_send_retry(endpoint, datagram, &header);
  else if (rv_quic_newcomers_are_full(&endpoint->newcomers))
    endpoint->stats.dropped++;
  else if (check_token(endpoint, datagram, &header, &id, &original_id) == 0)
    rv_quic_newcomers_add(endpoint, datagram);
}

static void receive_short(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_version_cid *ids) {
  struct rv_quic_route *route = rv_quic_ids_find(&endpoint->resets,
      datagram->data + datagram->length - RESET_TOKEN_SIZE, RESET_TOKEN_SIZE);

  if (route) {
    rv_quic_connection_read(route->connection, datagram);
    return;
  }
  endpoint->stats.dropped++;
  if (!endpoint->closing)
    rv_quic_send_stateless_reset(endpoint, datagram, ids);
}

/* NULL: it belongs to nothing that is there. */
static struct rv_quic_route *pass_on(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_version_cid *ids) {
  struct rv_quic_route *route =
      rv_quic_ids_find(&endpoint->ids, ids->dcid, ids->dcidlen);

  if (route && route->linger)
    rv_quic_linger_receive(route->linger, datagram);
  else if (route)
    rv_quic_connection_read(route->connection, datagram);
  return route;
}

void rv_quic_accept(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram) {
  ngtcp2_version_cid ids;
  ngtcp2_pkt_hd header;

  if (ngtcp2_pkt_decode_version_cid(
          &ids, datagram->data, datagram->length, RV_QUIC_ID_SIZE) == 0 &&
      !pass_on(endpoint, datagram, &ids) &&
      ngtcp2_accept(&header, datagram->data, datagram->length) == 0)
    accept_connection(endpoint, datagram, &header);
}

static void receive_one(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram) {
  ngtcp2_version_cid ids;
  int r;

  endpoint->stats.datagrams_received++;
  if (datagram->length < MIN_DATAGRAM) {
    endpoint->stats.dropped++;
    return;
  }
  r = ngtcp2_pkt_decode_version_cid(
      &ids, datagram->data, datagram->length, RV_QUIC_ID_SIZE);
  if (r == NGTCP2_ERR_VERSION_NEGOTIATION && endpoint->server_tls &&
      !is_reflector(datagram->remote)) {
    rv_quic_send_version_negotiation(endpoint, datagram, &ids);
    return;
  }
  if (r != 0) {
    endpoint->stats.dropped++;
    return;
  }
  if (pass_on(endpoint, datagram, &ids))
    return;
  if (is_reflector(datagram->remote))
    endpoint->stats.dropped++;
  else if (datagram->data[0] & 0x80)
    receive_long(endpoint, datagram, &ids);
  else
    receive_short(endpoint, datagram, &ids);
}

void rv_quic_endpoint_receive(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram) {
  struct rv_datagram one = *datagram;
  size_t size = datagram->segment_size;

  if (size == 0 || size > datagram->length)
    size = datagram->length;
  one.segment_size = 0;
  for (size_t offset = 0; offset < datagram->length; offset += size) {
    one.data = datagram->data + offset;
    one.length = datagram->length - offset;
    if (one.length > size)
      one.length = size;
    receive_one(endpoint, &one);
  }
}
