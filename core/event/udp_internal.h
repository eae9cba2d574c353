/* SPDX-License-Identifier: MIT */
/* What the two halves of a UDP socket share: udp.c receives, udp_send.c sends.
 */
#ifndef RV_EVENT_UDP_INTERNAL_H
#define RV_EVENT_UDP_INTERNAL_H

#include "event/udp.h"
#include <event2/event_struct.h>

struct rv_udp {
  struct rv_datagram_sink sink;
  struct rv_loop *loop;
  struct rv_engine *engine;
  void (*on_datagram)(const struct rv_datagram *datagram, void *user_data);
  void (*on_writable)(void *user_data);
  void *user_data;
  struct event read_event, write_event;
  struct rv_job free_job;
  int fd;
  int family;       /* of the socket */
  bool wildcard;    /* bound to all addresses: the local one is told by each */
  bool can_segment; /* UDP_SEGMENT has not failed yet */
  bool closed;
  struct rv_address address;
};

/* See struct rv_datagram_sink. */
int rv_udp_send(
    struct rv_datagram_sink *sink, const struct rv_datagram *datagram);

#endif
