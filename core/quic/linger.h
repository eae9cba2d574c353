/* SPDX-License-Identifier: MIT */
/* What is left of a connection for three times its PTO (RFC 9000 section 10.2):
   its ids and, when we closed it, the packet that says so. */
#ifndef RV_QUIC_LINGER_H
#define RV_QUIC_LINGER_H

#include "base/address.h"
#include "base/timer.h"
#include "quic/ids.h"

struct rv_quic_endpoint;
struct rv_datagram;

struct rv_quic_lingerers {
  struct rv_list list; /* oldest first */
  size_t count;
};

struct rv_quic_linger_options {
  struct rv_quic_route *route; /* its ids are taken over */
  uint64_t duration;           /* nanoseconds */
  const struct rv_address *local, *remote;
  const uint8_t *packet; /* copied; NULL: draining, nothing is answered */
  size_t length;
};

/* At most 4 096 are kept by an endpoint: the oldest goes. Without memory the
   ids are just forgotten. */
void rv_quic_linger_start(struct rv_quic_endpoint *endpoint,
    const struct rv_quic_linger_options *options);

/* A datagram came for it: answered at the 1st, 2nd, 4th, 8th, ... one. */
void rv_quic_linger_receive(
    struct rv_quic_linger *linger, const struct rv_datagram *datagram);

void rv_quic_linger_stop_all(struct rv_quic_endpoint *endpoint);

#endif
