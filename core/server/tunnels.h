/* SPDX-License-Identifier: MIT */
/* Connections of clients to a server: from the first packet through
   registration and membership of a group to the end. */
#ifndef RV_SERVER_TUNNELS_H
#define RV_SERVER_TUNNELS_H

#include "server/instances.h"
#include "server/registration.h"
#include "server/tunnel.h"

/* One connection; a tunnel once it has a group. */
struct rv_entry {
  struct rv_list node; /* of server->tunnels */
  struct reverst_server *server;
  reverst_tunnel tunnel;
  reverst_registration *registration; /* while undecided */
  uint64_t asked_at;                  /* engine time */
  struct rv_instance instance;
  char *peer;
  struct rv_job job; /* of the phase for scripts: joins, or says that it left */
  bool refused;      /* and counted */
  const char *cause; /* of its end */
};

/* server/departures.c: the connection has closed (rv_server_tunnel_events). */
void rv_entry_close(struct rv_server_tunnel *carrier,
    const struct rv_quic_close *close, void *entry);

/* Tells on_tunnel_down, if it was told on_tunnel_up. */
void rv_entry_announce_end(struct rv_entry *entry, const char *reason);

/* It has gone and all are told: the memory goes. */
void rv_entry_free(struct rv_entry *entry);

#endif
