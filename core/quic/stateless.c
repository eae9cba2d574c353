/* SPDX-License-Identifier: MIT */
/* Answers to datagrams that belong to no connection. */
#include "quic/internal.h"

enum {
  RESETS_PER_SECOND = 100,
  MAX_RESET = 42, /* looks like a small packet; RFC 9000 section 10.3 */
  MIN_RESET = 21,
  MAX_REPLY = 1200
};

static const uint64_t retry_token_lifetime = 10 * RV_SECOND;
static const uint8_t id_owner = 0; /* generation << 4 | worker */

void rv_quic_make_id(struct rv_quic_endpoint *endpoint, ngtcp2_cid *id) {
  id->datalen = RV_QUIC_ID_SIZE;
  rv_random(endpoint->engine, id->data, id->datalen);
  id->data[0] = id_owner;
}

/* To where it came from. Never kept: whoever asks can ask again. */
static bool reply(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const uint8_t *data,
    ngtcp2_ssize length) {
  if (length <= 0 || rv_quic_endpoint_blocked(endpoint))
    return false;
  rv_quic_endpoint_send(endpoint, &(struct rv_datagram){
                                      .local = datagram->local,
                                      .remote = datagram->remote,
                                      .data = data,
                                      .length = (size_t)length,
                                  });
  return true;
}

void rv_quic_send_version_negotiation(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_version_cid *ids) {
  /* the reserved one keeps clients used to unknown versions (RFC 9000, 15) */
  const uint32_t versions[] = { 0x1a2a3a4a, NGTCP2_PROTO_VER_V1 };
  uint8_t packet[MAX_REPLY];
  ngtcp2_ssize n = ngtcp2_pkt_write_version_negotiation(packet, sizeof(packet),
      (uint8_t)rv_random_uint(endpoint->engine), ids->scid, ids->scidlen,
      ids->dcid, ids->dcidlen, versions, 2);

  if (reply(endpoint, datagram, packet, n))
    endpoint->stats.version_negotiations++;
}

void rv_quic_send_refusal(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_pkt_hd *header,
    uint64_t code) {
  uint8_t packet[MAX_REPLY];
  ngtcp2_ssize n = ngtcp2_crypto_write_connection_close(packet, sizeof(packet),
      header->version, &header->scid, &header->dcid, code, NULL, 0);

  if (reply(endpoint, datagram, packet, n))
    endpoint->stats.refused++;
}

void rv_quic_send_retry(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_pkt_hd *header) {
  uint8_t packet[MAX_REPLY], token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
  ngtcp2_cid id;
  ngtcp2_ssize n;

  rv_quic_make_id(endpoint, &id);
  n = ngtcp2_crypto_generate_retry_token2(token, endpoint->secrets.retry,
      sizeof(endpoint->secrets.retry), header->version,
      (const ngtcp2_sockaddr *)&datagram->remote->any, datagram->remote->length,
      &id, &header->dcid, endpoint->engine->now);
  if (n < 0)
    return;
  n = ngtcp2_crypto_write_retry(packet, sizeof(packet), header->version,
      &header->scid, &id, &header->dcid, token, (size_t)n);
  if (reply(endpoint, datagram, packet, n))
    endpoint->stats.retries++;
}

int rv_quic_check_retry_token(const struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_pkt_hd *header,
    ngtcp2_cid *original_id) {
  return ngtcp2_crypto_verify_retry_token2(original_id, header->token,
      header->tokenlen, endpoint->secrets.retry,
      sizeof(endpoint->secrets.retry), header->version,
      (const ngtcp2_sockaddr *)&datagram->remote->any, datagram->remote->length,
      &header->dcid, retry_token_lifetime, endpoint->engine->now);
}

int rv_quic_make_reset_token(const struct rv_quic_endpoint *endpoint,
    const ngtcp2_cid *id, uint8_t *token) {
  return ngtcp2_crypto_generate_stateless_reset_token(
      token, endpoint->secrets.reset, sizeof(endpoint->secrets.reset), id);
}

/* A bucket that refills with time. */
static bool may_reset(struct rv_quic_endpoint *endpoint) {
  uint64_t now = endpoint->engine->now;

  if (now - endpoint->reset_time >= RV_SECOND) {
    endpoint->reset_tokens = RESETS_PER_SECOND;
    endpoint->reset_time = now;
  }
  if (endpoint->reset_tokens == 0)
    return false;
  endpoint->reset_tokens--;
  return true;
}

void rv_quic_send_stateless_reset(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_version_cid *ids) {
  uint8_t packet[MAX_RESET], noise[MAX_RESET];
  ngtcp2_stateless_reset_token token;
  ngtcp2_cid id;
  ngtcp2_ssize n;
  /* always shorter than what it answers, so that two ends come to rest */
  size_t size = datagram->length > MAX_RESET ? MAX_RESET : datagram->length - 1;

  if (datagram->length <= MIN_RESET || !may_reset(endpoint))
    return;
  ngtcp2_cid_init(&id, ids->dcid, ids->dcidlen);
  if (rv_quic_make_reset_token(endpoint, &id, token.data) != 0)
    return;
  rv_random(endpoint->engine, noise, sizeof(noise));
  n = ngtcp2_pkt_write_stateless_reset2(
      packet, size, &token, noise, sizeof(noise));
  if (reply(endpoint, datagram, packet, n))
    endpoint->stats.stateless_resets++;
}
