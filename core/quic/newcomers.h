/* SPDX-License-Identifier: MIT */
/* First packets of connections to come: a handshake costs a hundred times what
   other packets do, so there is one in each turn of the loop, and what belongs
   to connections that are there does not stand behind them. */
#ifndef RV_QUIC_NEWCOMERS_H
#define RV_QUIC_NEWCOMERS_H

#include "base/list.h"
#include "base/timer.h"
#include "quic/datagram.h"

struct rv_quic_endpoint;

struct rv_quic_newcomers {
  struct rv_list list;
  size_t count; /* of datagrams; at most 2 048 */
  struct rv_timer timer;
};

void rv_quic_newcomers_init(struct rv_quic_endpoint *endpoint);

bool rv_quic_newcomers_are_full(const struct rv_quic_newcomers *newcomers);

/* Copies the datagram, which rv_quic_accept gets within three seconds. If that
   cannot be, or they are full, or there is no memory, it is lost as on any way:
   who sent it sends it again, or has given up. */
void rv_quic_newcomers_add(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram);

/* Forgets all of them. */
void rv_quic_newcomers_clear(struct rv_quic_endpoint *endpoint);

#endif
