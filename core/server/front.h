/* SPDX-License-Identifier: MIT */
/* The front: accepts the connections of visitors, at one address or several,
   and speaks HTTP/1.1 to them. */
#ifndef RV_SERVER_FRONT_H
#define RV_SERVER_FRONT_H

#include "event/tcp.h"
#include "http/exchange.h"

struct rv_front;

struct rv_front_options {
  struct rv_loop *loop;
  const struct rv_address *addresses;
  size_t address_count;
  struct rv_handler *handler;
  struct rv_span default_host; /* see rv_h1_server_options; kept */
  size_t max_connections;      /* 0: half of RLIMIT_NOFILE, at most 65 536 */
  size_t max_connections_per_address; /* 0: 1 000 */
  void (*on_empty)(void *user_data);  /* the last connection has closed */
  void *user_data;
};

int rv_front_open(
    struct rv_front **front, const struct rv_front_options *options);

/* As rv_doors_set: connections that came by an address that is not among these
   close after their answer. */
int rv_front_set_addresses(
    struct rv_front *front, const struct rv_address *addresses, size_t count);

/* No new connections; those there are close after their answer. */
void rv_front_drain(struct rv_front *front);

/* Cancels and closes all; on_empty comes when the last has gone (at once, if
   there is none). */
void rv_front_abort(struct rv_front *front);

/* Only when there is no connection left (asserted). NULL is fine. */
void rv_front_free(struct rv_front *front);

/* Memory is short: breaks off the exchange that holds much and has stood still
   for the longest time, if any has for 5 s. For the price of a download that
   nobody reads the others go on. */
void rv_front_relieve(struct rv_front *front);

size_t rv_front_connections(const struct rv_front *front);
/* As bound, in the order in which they were set; NULL behind the last one. */
const struct rv_address *rv_front_address(
    const struct rv_front *front, size_t index);

#endif
