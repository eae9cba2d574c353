/* SPDX-License-Identifier: MIT */
/* An application for specs of QUIC connections: sends patterned bytes, checks
   those that come, and can echo what the peer sends on its bidi streams. */
#ifndef SPEC_QUIC_PEER_H
#define SPEC_QUIC_PEER_H

#include "quic/connection.h"

struct quic_chunk;

struct quic_flow {
  struct quic_flow *next;
  int64_t id;
  struct quic_chunk *oldest, *newest; /* unacknowledged */
  struct quic_chunk *sending;         /* the first that is not all sent */
  size_t oldest_acknowledged, sending_offset;
  uint64_t sent, acknowledged, received;
  uint64_t most_window; /* that was left, when it was raised */
  bool echo, fin_wanted, fin_sent, fin_received, blocked, intact;
  bool reset, stopped, closed, shut;
  uint64_t reset_code, stop_code;
};

struct quic_peer {
  struct rv_quic_application application;
  struct rv_quic_connection *connection; /* NULL when closed */
  struct quic_flow *flows;
  bool echo, hold_credit, handshake, closed, refuse;
  unsigned opened_by_peer, closed_streams, credits;
  struct rv_quic_close close;
  char reason[256];
  uint64_t closed_at;
};

void quic_peer_init(struct quic_peer *peer);
void quic_peer_deinit(struct quic_peer *peer);

/* Sends so many bytes and FIN on a new stream: its id, or an error. */
int64_t quic_peer_open(struct quic_peer *peer, size_t length, bool bidi);
struct quic_flow *quic_peer_flow(struct quic_peer *peer, int64_t id);

#endif
