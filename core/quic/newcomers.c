/* SPDX-License-Identifier: MIT */
/* A queue of datagrams; the next one is taken in the next turn. */
#include "quic/internal.h"

#include <stdlib.h>

enum { MAX_NEWCOMERS = 2048 };

struct newcomer {
  struct rv_list node;
  struct rv_address local, remote;
  struct rv_datagram datagram;
  uint8_t data[];
};

static struct newcomer *first(const struct rv_quic_newcomers *newcomers) {
  return rv_list_empty(&newcomers->list)
             ? NULL
             : rv_container_of(newcomers->list.next, struct newcomer, node);
}

static void forget(
    struct rv_quic_newcomers *newcomers, struct newcomer *newcomer) {
  rv_list_remove(&newcomer->node);
  newcomers->count--;
  free(newcomer);
}

/* A hello may fill several datagrams. */
static void take_next(struct rv_quic_endpoint *endpoint) {
  struct rv_quic_newcomers *newcomers = &endpoint->newcomers;
  struct newcomer *newcomer = first(newcomers);
  struct rv_address remote = newcomer->remote;

  do {
    rv_quic_accept(endpoint, &newcomer->datagram);
    /* what was closed meanwhile has forgotten them all */
    if (first(newcomers) != newcomer)
      return;
    forget(newcomers, newcomer);
    newcomer = first(newcomers);
  } while (newcomer && rv_address_equal(&newcomer->remote, &remote));
}

/* Cannot fail: a timer that has just fired finds room. */
static void on_fired(struct rv_timer *timer) {
  struct rv_quic_endpoint *endpoint =
      rv_container_of(timer, struct rv_quic_endpoint, newcomers.timer);

  if (first(&endpoint->newcomers))
    take_next(endpoint);
  if (first(&endpoint->newcomers))
    (void)rv_timer_set(&endpoint->engine->timers, timer, endpoint->engine->now);
}

void rv_quic_newcomers_init(struct rv_quic_endpoint *endpoint) {
  rv_list_init(&endpoint->newcomers.list);
  rv_timer_init(&endpoint->newcomers.timer, on_fired);
}

void rv_quic_newcomers_add(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram) {
  struct rv_quic_newcomers *newcomers = &endpoint->newcomers;
  struct rv_engine *engine = endpoint->engine;
  struct newcomer *newcomer = NULL;

  if (newcomers->count < MAX_NEWCOMERS &&
      rv_timer_set(&engine->timers, &newcomers->timer, engine->now) == 0)
    newcomer = malloc(sizeof(*newcomer) + datagram->length);
  if (!newcomer) {
    endpoint->stats.dropped++;
    return;
  }
  *newcomer = (struct newcomer){
    .local = *datagram->local,
    .remote = *datagram->remote,
    .datagram = *datagram,
  };
  newcomer->datagram.local = &newcomer->local;
  newcomer->datagram.remote = &newcomer->remote;
  newcomer->datagram.data = newcomer->data;
  memcpy(newcomer->data, datagram->data, datagram->length);
  rv_list_push(&newcomers->list, &newcomer->node);
  newcomers->count++;
}

void rv_quic_newcomers_clear(struct rv_quic_endpoint *endpoint) {
  struct newcomer *newcomer;

  while ((newcomer = first(&endpoint->newcomers)))
    forget(&endpoint->newcomers, newcomer);
  rv_timer_stop(&endpoint->engine->timers, &endpoint->newcomers.timer);
}
