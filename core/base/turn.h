/* SPDX-License-Identifier: MIT */
/* A turn of the loop: what was touched is done once, in phases. */
#ifndef RV_BASE_TURN_H
#define RV_BASE_TURN_H

#include "base/list.h"
#include <stdbool.h>

/* Phases run in this order. Callbacks of libraries (ngtcp2, wolfSSL, llhttp,
   libevent) only record what happened and add jobs. */
enum rv_phase {
  RV_PHASE_PROCESS, /* connections and streams act on what they were told */
  RV_PHASE_SCRIPT,  /* scripts run */
  RV_PHASE_WRITE,   /* each touched connection writes once */
  RV_PHASE_FREE,    /* closed objects go */
  RV_PHASE_COUNT
};

/* Member of whoever wants a run. Zero-initialised plus `run`. */
struct rv_job {
  struct rv_list node;
  void (*run)(struct rv_job *job);
};

struct rv_turn {
  struct rv_list phases[RV_PHASE_COUNT];
  bool running, requested;
  /* Called when work appears while no turn is under way or requested: the owner
     must see to it that rv_turn_run is called soon. Never called within it. */
  void (*on_requested)(struct rv_turn *turn);
};

void rv_turn_init(
    struct rv_turn *turn, void (*on_requested)(struct rv_turn *turn));

/* Asks for one run in the phase; a job that waits already stays where it is. A
   phase that is over or under way in this round comes again in the next one. */
void rv_turn_add(struct rv_turn *turn, struct rv_job *job, enum rv_phase phase);

/* Takes the job out; harmless when it does not wait. */
static inline void rv_turn_remove(struct rv_job *job) {
  rv_list_remove(&job->node);
}

/* Runs all phases, at most three rounds; what is left then requests the next
   turn, so that others get their time. */
void rv_turn_run(struct rv_turn *turn);

/* No job waits. */
bool rv_turn_idle(const struct rv_turn *turn);

#endif
