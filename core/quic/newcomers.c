/* SPDX-License-Identifier: MIT */
/* A queue of datagrams; the next one is taken in the next turn. */
#include "quic/internal.h"

#include <stdlib.h>

enum { MAX_NEWCOMERS = 2048 };
#define PATIENCE (3 * RV_SECOND)

struct newcomer {
  struct rv_list node;
  struct rv_address local, remote;
  struct rv_datagram datagram;
  uint64_t came_at;
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

/* Were they taken all the same, whoever is served would have given up by then,
   for as long as more come than can be served. */
static void forget_old(struct rv_quic_endpoint *endpoint) {
  struct rv_quic_newcomers *newcomers = &endpoint->newcomers;
  struct newcomer *newcomer;

  while ((newcomer = first(newcomers)) &&
         endpoint->engine->now - newcomer->came_at > PATIENCE) {
    forget(newcomers, newcomer);
    endpoint->stats.dropped++;
  }
}

/* From there, of the same version, and with the same destination id. */
static bool is_of_same_hello(
    const struct newcomer *newcomer, const struct newcomer *other) {
  size_t length = 1 + 4 + 1 + (size_t)newcomer->data[5];

  return rv_address_equal(&newcomer->remote, &other->remote) &&
         other->datagram.length >= length &&
         memcmp(newcomer->data + 1, other->data + 1, length - 1) == 0;
}

/* A hello may fill several datagrams. */
static void take_next(
    struct rv_quic_endpoint *endpoint, struct newcomer *newcomer) {
  struct rv_quic_newcomers *newcomers = &endpoint->newcomers;
  struct newcomer *next;
  bool goes_on;

  do {
    rv_quic_accept(endpoint, &newcomer->datagram);
    /* what was closed meanwhile has forgotten them all */
    if (first(newcomers) != newcomer)
      return;
    next = newcomer->node.next == &newcomers->list
               ? NULL
               : rv_container_of(newcomer->node.next, struct newcomer, node);
    goes_on = next && is_of_same_hello(newcomer, next);
    forget(newcomers, newcomer);
    newcomer = next;
  } while (goes_on);
}

/* Cannot fail: a timer that has just fired finds room. */
static void on_fired(struct rv_timer *timer) {
  struct rv_quic_endpoint *endpoint =
      rv_container_of(timer, struct rv_quic_endpoint, newcomers.timer);

  forget_old(endpoint);
  if (first(&endpoint->newcomers))
    take_next(endpoint, first(&endpoint->newcomers));
  if (first(&endpoint->newcomers))
    (void)rv_timer_set(&endpoint->engine->timers, timer, endpoint->engine->now);
}

void rv_quic_newcomers_init(struct rv_quic_endpoint *endpoint) {
  rv_list_init(&endpoint->newcomers.list);
  rv_timer_init(&endpoint->newcomers.timer, on_fired);
}

bool rv_quic_newcomers_are_full(const struct rv_quic_newcomers *newcomers) {
  return newcomers->count >= MAX_NEWCOMERS;
}

void rv_quic_newcomers_add(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram) {
  struct rv_quic_newcomers *newcomers = &endpoint->newcomers;
  struct rv_engine *engine = endpoint->engine;
  struct newcomer *newcomer = NULL;

  if (!rv_quic_newcomers_are_full(newcomers) &&
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
    .came_at = engine->now,
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
