/* SPDX-License-Identifier: MIT */
/* A turn of the loop: rounds of phases. */
#include "base/turn.h"

#include <assert.h>

enum { MAX_ROUNDS = 3 };

void rv_turn_init(
    struct rv_turn *turn, void (*on_requested)(struct rv_turn *turn)) {
  *turn = (struct rv_turn){ .on_requested = on_requested };
  for (int phase = 0; phase < RV_PHASE_COUNT; phase++)
    rv_list_init(&turn->phases[phase]);
}

static void request(struct rv_turn *turn) {
  if (turn->running || turn->requested)
    return;
  turn->requested = true;
  if (turn->on_requested != NULL)
    turn->on_requested(turn);
}

void rv_turn_add(
    struct rv_turn *turn, struct rv_job *job, enum rv_phase phase) {
  if (rv_list_linked(&job->node))
    return;
  rv_list_push(&turn->phases[phase], &job->node);
  request(turn);
}

/* What is added to the phase from now on waits for the next round. */
static void run_phase(struct rv_list *phase) {
  struct rv_list jobs, *node;

  rv_list_init(&jobs);
  rv_list_append(&jobs, phase);
  while ((node = rv_list_pop(&jobs)) != NULL) {
    struct rv_job *job = rv_container_of(node, struct rv_job, node);
    job->run(job);
  }
}

void rv_turn_run(struct rv_turn *turn) {
  assert(!turn->running);
  turn->running = true;
  turn->requested = false;
  for (int round = 0; round < MAX_ROUNDS && !rv_turn_idle(turn); round++) {
    for (int phase = 0; phase < RV_PHASE_COUNT; phase++)
      run_phase(&turn->phases[phase]);
  }
  turn->running = false;
  if (!rv_turn_idle(turn))
    request(turn);
}

bool rv_turn_idle(const struct rv_turn *turn) {
  for (int phase = 0; phase < RV_PHASE_COUNT; phase++) {
    if (!rv_list_empty(&turn->phases[phase]))
      return false;
  }
  return true;
}
