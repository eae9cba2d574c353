/* SPDX-License-Identifier: MIT */
/* A UDP socket for QUIC: batches in (UDP_GRO, recvmmsg) and out (UDP_SEGMENT),
   ECN, real destination addresses; each with its fall-back. */
#ifndef RV_EVENT_UDP_H
#define RV_EVENT_UDP_H

#include "event/loop.h"
#include "quic/datagram.h"

struct rv_udp;

struct rv_udp_options {
  struct rv_loop *loop;
  const struct rv_address *address; /* to bind; port 0: any */
  void (*on_datagram)(const struct rv_datagram *datagram, void *user_data);
  void (*on_writable)(void *user_data); /* after REVERST_ERR_AGAIN */
  void *user_data;
};

/* REVERST_ERR_LISTEN (with an entry that names the address). */
int rv_udp_open(struct rv_udp **udp, const struct rv_udp_options *options);
void rv_udp_close(
    struct rv_udp *udp); /* no callback afterwards; NULL is fine */

struct rv_datagram_sink *rv_udp_sink(struct rv_udp *udp);
const struct rv_address *rv_udp_address(const struct rv_udp *udp); /* bound */

#endif
