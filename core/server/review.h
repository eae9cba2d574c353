/* SPDX-License-Identifier: MIT */
/* Reviews: the tunnels of a group are asked about once more. */
#ifndef RV_SERVER_REVIEW_H
#define RV_SERVER_REVIEW_H

#include "base/engine.h"
#include "server/registration.h"

struct rv_group;

/* Member of a group: one timer for all of its tunnels. */
struct rv_review {
  struct rv_registration_owner owner;
  struct rv_list to_ask; /* tunnels, by when */
  struct rv_list asked;  /* tunnels, by when they are asked about again */
  struct rv_timer timer;
  struct rv_job job; /* of the phase for scripts */
  uint64_t begun_at; /* engine time: of the last one, or of the group */
  uint64_t pause;    /* until what nobody could tell is asked again */
  uint64_t patience; /* for an answer */
};

void rv_review_init(struct rv_review *review, uint64_t now);
/* No tunnel is left. */
void rv_review_deinit(struct rv_review *review, struct rv_engine *engine);

/* Asks about each tunnel whose registration was kept, at times spread evenly.
   What was asked before is of no effect any more. REVERST_ERR_NO_MEMORY. */
int rv_review_start(struct rv_group *group, uint64_t spread, uint64_t patience);

/* A tunnel has joined on an answer to what was asked at `asked_at`: is asked
   about once more if that was before the last review began, or when another
   group had this name, since the answer may be that of other rules. */
void rv_review_join(
    reverst_tunnel *tunnel, uint64_t asked_at, uint64_t patience);

/* Nothing more is asked, nor is any answer of effect. */
void rv_review_stop(struct rv_group *group);

/* Its tunnel has gone. */
void rv_review_leave(reverst_tunnel *tunnel);

#endif
