/* SPDX-License-Identifier: MIT */
/* Sets of tunnels: kept while nothing changes. */
#include "server/candidates.h"

#include "server/group.h"
#include <reverst/error.h>
#include <stdlib.h>

/* Silence has no event: while somebody is left out for it, or is all there is,
   this often is looked again. */
#define LOOK_PERIOD (100 * RV_MILLISECOND)

enum { FIRST_CAPACITY = 16 };

enum rv_fitness rv_tunnel_fitness(const reverst_tunnel *tunnel) {
  if (!rv_tunnel_is_open(tunnel))
    return RV_UNFIT;
  if (rv_server_tunnel_streams_left(tunnel->carrier) == 0)
    return RV_FULL;
  if (rv_tunnel_is_failing(tunnel) ||
      rv_server_tunnel_is_suspect(tunnel->carrier))
    return RV_DOUBTFUL;
  return RV_FIT;
}

void rv_candidates_deinit(struct rv_candidates *candidates) {
  free(candidates->items);
  free(candidates->other);
  *candidates = (struct rv_candidates){ 0 };
}

/* ---- making a set ---- */

struct draft {
  struct rv_candidates *candidates;
  size_t count;
  bool any_full, any_doubtful;
};

static int add(struct draft *draft, reverst_tunnel *tunnel) {
  struct rv_candidates *candidates = draft->candidates;

  if (draft->count == candidates->other_capacity) {
    size_t capacity =
        draft->count > 0 ? 2 * draft->count : (size_t)FIRST_CAPACITY;
    reverst_tunnel **grown =
        realloc(candidates->other, capacity * sizeof(reverst_tunnel *));

    if (grown == NULL)
      return REVERST_ERR_NO_MEMORY;
    candidates->other = grown;
    candidates->other_capacity = capacity;
  }
  candidates->other[draft->count++] = tunnel;
  return 0;
}

bool rv_tunnel_was_tried(const reverst_tunnel *tunnel, struct rv_tried tried) {
  for (size_t i = 0; i < tried.count; i++)
    if (tried.ids[i] == tunnel->id)
      return true;
  return false;
}

/* Adds those that are so fit, and notes who else is there. */
static int add_all(struct draft *draft, const struct rv_group *group,
    struct rv_tried tried, enum rv_fitness wanted) {
  int r = 0;

  rv_list_each(node, &group->tunnels) {
    reverst_tunnel *tunnel = rv_container_of(node, reverst_tunnel, node);
    enum rv_fitness fitness = rv_tunnel_fitness(tunnel);

    if (rv_tunnel_was_tried(tunnel, tried))
      continue;
    draft->any_full |= fitness == RV_FULL;
    draft->any_doubtful |= fitness == RV_DOUBTFUL;
    if (fitness == wanted && r == 0)
      r = add(draft, tunnel);
  }
  return r;
}

static int compare(const void *left, const void *right) {
  const reverst_tunnel *const *a = left, *const *b = right;

  return ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

/* The group's list is in order unless the round robin has turned it. */
static void sort(const struct draft *draft) {
  reverst_tunnel **items = draft->candidates->other;

  for (size_t i = 1; i < draft->count; i++) {
    if (items[i - 1]->id > items[i]->id) {
      qsort(items, draft->count, sizeof(reverst_tunnel *), compare);
      return;
    }
  }
}

/* Better to wait for one that answers than to be lost with one that does not.
 */
static int fill(struct draft *draft, const struct rv_group *group,
    struct rv_tried tried, enum rv_fitness *fitness) {
  int r = add_all(draft, group, tried, RV_FIT);

  *fitness = RV_FIT;
  if (r == 0 && draft->count == 0 && !draft->any_full && draft->any_doubtful) {
    *fitness = RV_DOUBTFUL;
    r = add_all(draft, group, tried, RV_DOUBTFUL);
  }
  if (r == 0)
    sort(draft);
  return r;
}

/* ---- the one that is kept ---- */

static bool is_same(
    const struct rv_candidates *candidates, const struct draft *draft) {
  if (candidates->generation == 0 || candidates->count != draft->count)
    return false;
  for (size_t i = 0; i < draft->count; i++)
    if (candidates->items[i] != candidates->other[i])
      return false;
  return true;
}

static void keep(struct rv_candidates *candidates, const struct draft *draft,
    uint64_t *last_generation) {
  reverst_tunnel **items = candidates->other;
  size_t capacity = candidates->other_capacity;

  if (is_same(candidates, draft))
    return;
  for (size_t i = 0; i < candidates->count; i++)
    candidates->items[i]->offered = false;
  candidates->other = candidates->items;
  candidates->other_capacity = candidates->capacity;
  candidates->items = items;
  candidates->capacity = capacity;
  candidates->count = draft->count;
  candidates->generation = ++*last_generation;
  for (size_t i = 0; i < draft->count; i++)
    items[i]->offered = true;
}

static int refresh(struct rv_group *group, uint64_t *last_generation) {
  struct rv_candidates *candidates = &group->candidates;
  struct draft draft = { .candidates = candidates };
  enum rv_fitness fitness;
  int r = fill(&draft, group, (struct rv_tried){ 0 }, &fitness);

  if (r < 0)
    return r;
  keep(candidates, &draft, last_generation);
  candidates->fitness = fitness;
  candidates->may_wait = draft.count == 0 && draft.any_full;
  candidates->stale = false;
  candidates->look_at = draft.any_doubtful
                            ? rv_deadline(group->engine->now, LOOK_PERIOD)
                            : RV_NEVER;
  return 0;
}

static bool is_current(const struct rv_group *group) {
  const struct rv_candidates *candidates = &group->candidates;

  return candidates->generation != 0 && !candidates->stale &&
         group->engine->now < candidates->look_at;
}

static int offer_for_retry(
    struct rv_group *group, struct rv_tried tried, struct rv_offer *offer) {
  struct draft draft = { .candidates = &group->candidates };
  int r = fill(&draft, group, tried, &offer->fitness);

  offer->choice = (reverst_choice){ group->candidates.other, draft.count, 0 };
  offer->may_wait = draft.count == 0 && draft.any_full;
  return r;
}

int rv_candidates_offer(struct rv_group *group, struct rv_tried tried,
    uint64_t *last_generation, struct rv_offer *offer) {
  const struct rv_candidates *candidates = &group->candidates;
  int r;

  if (tried.count > 0)
    return offer_for_retry(group, tried, offer);
  if (!is_current(group) && (r = refresh(group, last_generation)) < 0)
    return r;
  *offer = (struct rv_offer){
    .choice = { candidates->items, candidates->count, candidates->generation },
    .fitness = candidates->fitness,
    .may_wait = candidates->may_wait,
  };
  return 0;
}

bool rv_offer_contains(
    const struct rv_offer *offer, const reverst_tunnel *chosen) {
  for (size_t i = 0; i < offer->choice.count; i++)
    if (offer->choice.tunnels[i] == chosen)
      return true;
  return false;
}

bool rv_candidates_still_fit(struct rv_group *group,
    const struct rv_offer *offer, const reverst_tunnel *chosen) {
  if (rv_tunnel_fitness(chosen) >= offer->fitness)
    return true;
  group->candidates.stale = true;
  return false;
}

/* ---- what changes it ---- */

void rv_candidates_note(const reverst_tunnel *tunnel) {
  struct rv_candidates *candidates = &tunnel->group->candidates;

  if (candidates->generation != 0 &&
      (candidates->fitness != RV_FIT || candidates->count == 0 ||
          tunnel->offered != (rv_tunnel_fitness(tunnel) == RV_FIT)))
    candidates->stale = true;
}

void rv_candidates_forget(struct rv_candidates *candidates) {
  for (size_t i = 0; i < candidates->count; i++)
    candidates->items[i]->offered = false;
  candidates->count = 0;
  candidates->generation = 0;
}
