/* SPDX-License-Identifier: MIT */
/* A race of the addresses of one server: dialled one after the other, 250 ms
   apart or as soon as one has failed; the first handshake that is done wins,
   and only its connection registers (RFC 8305 section 5). */
#ifndef RV_CLIENT_RACE_H
#define RV_CLIENT_RACE_H

#include "event/resolver.h"
#include "tunnel/message.h"
#include <reverst/client.h>

struct rv_client_dial;

struct rv_client_race {
  bool running; /* until its winner has registered, or all have failed */
  struct rv_message registration; /* while it runs */
  struct rv_address addresses[RV_RESOLVER_MAX_ADDRESSES];
  size_t count, next;            /* of the addresses; the next to dial */
  size_t racing;                 /* dials whose handshake is under way */
  struct rv_client_dial *chosen; /* NULL: none yet */
  struct rv_timer stagger;
  reverst_disconnect loss; /* what is told when all have failed */
  char reason[256];
};

void rv_client_race_init(reverst_client *client);

/* At most RV_RESOLVER_MAX_ADDRESSES count. None may be running.
   rv_client_on_race_lost may be called from within. */
void rv_client_race_start(
    reverst_client *client, const struct rv_address *addresses, size_t count);

/* Nobody is to win; its dials are closed. Harmless when none is running. */
void rv_client_race_stop(reverst_client *client);

/* ---- what happened to a dial of it ---- */

void rv_client_race_on_ready(struct rv_client_dial *dial);
void rv_client_race_on_registered(reverst_client *client);
/* The dial is in no list any more, and goes afterwards. */
void rv_client_race_on_ended(
    struct rv_client_dial *dial, const reverst_disconnect *end);

#endif
