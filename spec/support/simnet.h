/* SPDX-License-Identifier: MIT */
/* A simulated network: engines with a virtual clock and a seeded random source,
   and datagram sockets between them. The same seed gives the same run (but for
   what TLS draws itself). */
#ifndef SPEC_SIMNET_H
#define SPEC_SIMNET_H

#include "base/engine.h"
#include "quic/datagram.h"

struct simnet;
struct simnet_host;
struct simnet_socket;

/* Of every datagram; may be changed at any time. Chances are per thousand. */
struct simnet_link {
  uint64_t delay, jitter; /* nanoseconds; jitter reorders */
  unsigned loss, duplication, corruption;
  bool blackhole;
};

struct simnet *simnet_new(uint64_t seed);
/* All engines must be empty. */
void simnet_free(struct simnet *net);
struct simnet_link *simnet_link(struct simnet *net);
uint64_t simnet_now(const struct simnet *net);
uint64_t simnet_random(struct simnet *net);

/* Lives as long as the network. NULL options are fine. */
struct simnet_host *simnet_host_new(
    struct simnet *net, const struct rv_engine_options *options);
struct rv_engine *simnet_host_engine(struct simnet_host *host);
/* It looks at its timers no more often than this; 0: whenever they are due. */
void simnet_host_set_pace(struct simnet_host *host, uint64_t nanoseconds);

struct simnet_socket_options {
  struct simnet_host *host;
  void (*on_datagram)(const struct rv_datagram *datagram, void *user_data);
  void (*on_writable)(void *user_data);
  void *user_data;
};
/* Lives as long as the network; delivers nothing once it was shut. */
struct simnet_socket *simnet_socket_new(
    const struct simnet_socket_options *options);
void simnet_socket_shut(struct simnet_socket *socket);
struct rv_datagram_sink *simnet_socket_sink(struct simnet_socket *socket);
const struct rv_address *simnet_socket_address(
    const struct simnet_socket *socket);

/* A NAT gives it another outer address: what goes to the old one is lost. */
void simnet_socket_rebind(struct simnet_socket *socket);
/* It moves to another address, and knows it. */
void simnet_socket_move(struct simnet_socket *socket);
/* A full socket takes no datagram; `on_writable` comes when it is over. */
void simnet_socket_set_full(struct simnet_socket *socket, bool full);
/* Nothing comes or goes, and nobody is told. */
void simnet_socket_set_dark(struct simnet_socket *socket, bool dark);

/* Any bytes from anywhere. */
void simnet_inject(struct simnet *net, const struct simnet_socket *to,
    const struct rv_address *from, const void *data, size_t length);

/* The i-th datagram on its way to a socket, in no order; NULL: there are no
   more. Valid until the next step. */
const void *simnet_in_flight(const struct simnet *net,
    const struct simnet_socket *to, size_t i, size_t *length);

/* What is next, at most up to `limit` (virtual time): false when nothing more
   happens until then; the clock stands at the limit in that case. */
bool simnet_step(struct simnet *net, uint64_t limit);
void simnet_run(struct simnet *net, uint64_t duration);

/* Steps so far: for a check that idling costs nothing. */
uint64_t simnet_steps(const struct simnet *net);

#endif
