/* SPDX-License-Identifier: MIT */
/* The tunnels of a group that may get a request now, as a policy is shown them.
 */
#ifndef RV_SERVER_CANDIDATES_H
#define RV_SERVER_CANDIDATES_H

#include "base/engine.h"
#include "server/tunnel.h"

/* How fit a tunnel is for a new request. */
enum rv_fitness {
  RV_UNFIT,    /* draining, replaced, going */
  RV_FULL,     /* has no free stream: one may wait for it */
  RV_DOUBTFUL, /* silent or failing: only where there is no other */
  RV_FIT
};

enum rv_fitness rv_tunnel_fitness(const reverst_tunnel *tunnel);

/* Zero-initialised; of a group. */
struct rv_candidates {
  reverst_tunnel **items; /* those last shown, in the order they came up */
  size_t count, capacity;
  reverst_tunnel **other; /* the next set while it is made; a retry's */
  size_t other_capacity;
  uint64_t generation; /* of `items`; 0: none */
  enum rv_fitness fitness;
  bool stale;       /* something has changed that may matter */
  bool may_wait;    /* count is 0, but one has merely no free stream */
  uint64_t look_at; /* engine time from which on silence is judged anew */
};

void rv_candidates_deinit(struct rv_candidates *candidates);

/* Ids of tunnels that a request was sent to. */
struct rv_tried {
  const uint64_t *ids;
  size_t count;
};

bool rv_tunnel_was_tried(const reverst_tunnel *tunnel, struct rv_tried tried);

/* What may be chosen from now. */
struct rv_offer {
  reverst_choice choice;   /* count 0: none */
  enum rv_fitness fitness; /* of all of them */
  bool may_wait; /* there is none, but one merely has no free stream */
};

/* Offers tunnels of the group, without those tried: valid until the next call,
   or until a tunnel goes. Of a first try the generation stays as long as it is
   the same set; a new one is the next of `*last_generation`.
   REVERST_ERR_NO_MEMORY. */
int rv_candidates_offer(struct rv_group *group, struct rv_tried tried,
    uint64_t *last_generation, struct rv_offer *offer);

/* Is this one of them? It may be any pointer. */
bool rv_offer_contains(
    const struct rv_offer *offer, const reverst_tunnel *chosen);

/* Is it still as fit as they were? Else the next offer is made anew. */
bool rv_candidates_still_fit(struct rv_group *group,
    const struct rv_offer *offer, const reverst_tunnel *chosen);

/* The tunnel came up, is drained, was replaced, has a stream less or more. */
void rv_candidates_note(const reverst_tunnel *tunnel);

/* A tunnel goes: what is kept may name it. */
void rv_candidates_forget(struct rv_candidates *candidates);

#endif
