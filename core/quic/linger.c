/* SPDX-License-Identifier: MIT */
/* Closing and draining states, kept without the connection. */
#include "quic/internal.h"

#include <stdlib.h>

enum { MAX_LINGERERS = 4096, AMPLIFICATION = 3 /* RFC 9000 section 8.1 */ };

struct rv_quic_linger {
  struct rv_quic_endpoint *endpoint;
  struct rv_list node;
  struct rv_timer timer;
  struct rv_quic_route route;
  struct rv_address local, remote;
  uint64_t received;
  size_t length;
  uint8_t packet[];
};

static void stop(struct rv_quic_linger *linger) {
  struct rv_quic_endpoint *endpoint = linger->endpoint;

  rv_quic_ids_clear(&endpoint->ids, &linger->route);
  rv_timer_stop(&endpoint->engine->timers, &linger->timer);
  rv_list_remove(&linger->node);
  endpoint->lingerers.count--;
  free(linger);
}

static void on_fired(struct rv_timer *timer) {
  stop(rv_container_of(timer, struct rv_quic_linger, timer));
}

static void stop_oldest(struct rv_quic_endpoint *endpoint) {
  struct rv_list *node = endpoint->lingerers.list.next;

  stop(rv_container_of(node, struct rv_quic_linger, node));
}

void rv_quic_linger_start(struct rv_quic_endpoint *endpoint,
    const struct rv_quic_linger_options *options) {
  struct rv_engine *engine = endpoint->engine;
  struct rv_quic_linger *linger = calloc(1, sizeof(*linger) + options->length);

  if (!linger)
    return;
  if (endpoint->lingerers.count >= MAX_LINGERERS)
    stop_oldest(endpoint);
  linger->endpoint = endpoint;
  linger->local = *options->local;
  linger->remote = *options->remote;
  linger->length = options->length;
  if (options->packet)
    memcpy(linger->packet, options->packet, options->length);
  rv_quic_route_init(&linger->route);
  linger->route.linger = linger;
  rv_quic_ids_move(&linger->route, options->route);
  rv_list_push(&endpoint->lingerers.list, &linger->node);
  endpoint->lingerers.count++;
  rv_timer_init(&linger->timer, on_fired);
  if (rv_timer_set(
          &engine->timers, &linger->timer, engine->now + options->duration) < 0)
    stop(linger);
}

void rv_quic_linger_receive(
    struct rv_quic_linger *linger, const struct rv_datagram *datagram) {
  linger->received++;
  if ((linger->received & (linger->received - 1)) != 0 || linger->length == 0 ||
      linger->length > AMPLIFICATION * datagram->length ||
      rv_quic_endpoint_blocked(linger->endpoint))
    return;
  rv_quic_endpoint_send(linger->endpoint, &(struct rv_datagram){
                                              .local = &linger->local,
                                              .remote = &linger->remote,
                                              .data = linger->packet,
                                              .length = linger->length,
                                          });
}

void rv_quic_linger_stop_all(struct rv_quic_endpoint *endpoint) {
  while (!rv_list_empty(&endpoint->lingerers.list))
    stop_oldest(endpoint);
}
