/* SPDX-License-Identifier: MIT */
/* Datagrams, and where they go: the border between QUIC and sockets. */
#ifndef RV_QUIC_DATAGRAM_H
#define RV_QUIC_DATAGRAM_H

#include "base/address.h"

/* One or, with segment_size, several datagrams of that size (the last may be
   shorter): what UDP_SEGMENT and UDP_GRO call a batch. */
struct rv_datagram {
  const struct rv_address *local, *remote;
  const uint8_t *data;
  size_t length;
  size_t segment_size; /* 0 or >= length: just one */
  uint8_t ecn;         /* the two ECN bits (RFC 3168) */
};

/* Implemented by event/udp and by the simulated network. */
struct rv_datagram_sink {
  /* 0: all sent (or lost: the network may drop). A positive result: so many
     leading bytes went (a multiple of segment_size), the rest must be kept and
     sent again after the endpoint was told that the sink is writable;
     REVERST_ERR_AGAIN: nothing went, likewise. No other results. */
  int (*send)(
      struct rv_datagram_sink *sink, const struct rv_datagram *datagram);
};

#endif
