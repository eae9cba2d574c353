/* SPDX-License-Identifier: MIT */
/* Asking about tunnels again, some at a time; only a clear no closes one. */
#include "server/review.h"

#include "base/log.h"
#include "server/group.h"
#include <reverst/error.h>

enum { MAX_AT_ONCE = 64 }; /* questions in one go */

static struct rv_group *group_of(struct rv_review *review) {
  return rv_container_of(review, struct rv_group, review);
}

static reverst_tunnel *tunnel_of(struct rv_list *node) {
  return rv_container_of(node, reverst_tunnel, review_node);
}

static bool is_due(const struct rv_list *list, uint64_t now) {
  return !rv_list_empty(list) && tunnel_of(list->next)->review_at <= now;
}

static int arm(struct rv_group *group) {
  struct rv_review *review = &group->review;
  uint64_t next = RV_NEVER;

  if (!rv_list_empty(&review->to_ask))
    next = tunnel_of(review->to_ask.next)->review_at;
  if (!rv_list_empty(&review->asked) &&
      tunnel_of(review->asked.next)->review_at < next)
    next = tunnel_of(review->asked.next)->review_at;
  return rv_timer_set(&group->engine->timers, &review->timer, next);
}

/* All who come later are asked later, so that the list stays in order. */
static void ask_later(struct rv_group *group, reverst_tunnel *tunnel) {
  rv_list_remove(&tunnel->review_node);
  tunnel->review_at = rv_deadline(group->engine->now, group->review.pause);
  rv_list_push(&group->review.to_ask, &tunnel->review_node);
}

static void abandon(reverst_tunnel *tunnel) {
  if (tunnel->repeated != NULL)
    rv_registration_abandon(tunnel->repeated);
  tunnel->repeated = NULL;
}

/* ---- answers ---- */

static void log_answer(
    const reverst_tunnel *tunnel, const char *event, const char *detail) {
  rv_log(tunnel->group->engine, REVERST_LOG_WARN, event,
      rv_log_text("group", tunnel->group->name),
      rv_log_text("peer", tunnel->peer),
      rv_log_text("name", tunnel->facts->name),
      rv_log_text("detail", detail ? detail : ""));
}

/* What memory does not suffice for stays as it was. */
static void describe(
    reverst_tunnel *tunnel, const reverst_tunnel_options *options) {
  struct rv_arena arena;
  struct rv_fields metadata;
  bool changed = false;

  rv_arena_init(&arena);
  rv_fields_init(&metadata, &arena);
  if (rv_tunnel_copy_metadata(tunnel, &metadata) == 0 &&
      rv_tunnel_describe(
          tunnel, tunnel->group->engine, &metadata, options, &changed) == 0 &&
      changed)
    rv_candidates_forget(&tunnel->group->candidates);
  rv_arena_deinit(&arena);
}

static void on_decided(struct rv_registration_owner *owner,
    reverst_registration *registration, enum rv_decision decision,
    const char *reason, const reverst_tunnel_options *options) {
  struct rv_group *group =
      group_of(rv_container_of(owner, struct rv_review, owner));
  reverst_tunnel *tunnel = rv_registration_context(registration);

  tunnel->repeated = NULL;
  rv_list_remove(&tunnel->review_node);
  switch (decision) {
  case RV_DECISION_ACCEPTED:
    describe(tunnel, options);
    break;
  case RV_DECISION_REJECTED:
    log_answer(tunnel, "tunnel_rejected", reason);
    rv_tunnel_close(tunnel, RV_REFUSAL_UNAUTHORIZED);
    break;
  case RV_DECISION_FAILED:
    log_answer(tunnel, "reauthentication_failed", reason);
    ask_later(group, tunnel);
    break;
  }
  (void)arm(group);
}

/* ---- questions ---- */

static void ask(struct rv_group *group, reverst_tunnel *tunnel) {
  struct rv_review *review = &group->review;

  tunnel->repeated = rv_registration_new_repeated(&review->owner, tunnel);
  if (tunnel->repeated == NULL) {
    ask_later(group, tunnel);
    return;
  }
  rv_list_remove(&tunnel->review_node);
  tunnel->review_at = rv_deadline(group->engine->now, review->patience);
  rv_list_push(&review->asked, &tunnel->review_node);
  group->options.authenticate(tunnel->repeated, group->options.user_data);
}

static void give_up_waiting(struct rv_group *group) {
  while (is_due(&group->review.asked, group->engine->now)) {
    reverst_tunnel *tunnel = tunnel_of(group->review.asked.next);

    abandon(tunnel);
    log_answer(tunnel, "reauthentication_failed", "no answer in time");
    ask_later(group, tunnel);
  }
}

/* Callbacks may exchange the group's options, and stop this. */
static void run_job(struct rv_job *job) {
  struct rv_review *review = rv_container_of(job, struct rv_review, job);
  struct rv_group *group = group_of(review);
  uint64_t now = group->engine->now;

  rv_group_hold(group);
  give_up_waiting(group);
  for (int i = 0; i < MAX_AT_ONCE && is_due(&review->to_ask, now); i++)
    ask(group, tunnel_of(review->to_ask.next));
  if (is_due(&review->to_ask, now))
    rv_turn_add(&group->engine->turn, job, RV_PHASE_SCRIPT);
  else
    (void)arm(group);
  rv_group_release(group);
}

static void on_timer(struct rv_timer *timer) {
  struct rv_review *review = rv_container_of(timer, struct rv_review, timer);

  rv_turn_add(&group_of(review)->engine->turn, &review->job, RV_PHASE_SCRIPT);
}

/* ---- beginning and end ---- */

static size_t count_kept(const struct rv_group *group) {
  size_t count = 0;

  rv_list_each(node, &group->tunnels) count +=
      rv_container_of(node, reverst_tunnel, node)->kept;
  return count;
}

int rv_review_start(
    struct rv_group *group, uint64_t spread, uint64_t patience) {
  struct rv_review *review = &group->review;
  uint64_t step = spread / (count_kept(group) + 1);
  uint64_t at = group->engine->now;

  rv_review_stop(group);
  review->begun_at = at;
  review->pause = spread > RV_SECOND ? spread : RV_SECOND;
  review->patience = patience;
  rv_list_each(node, &group->tunnels) {
    reverst_tunnel *tunnel = rv_container_of(node, reverst_tunnel, node);

    if (!tunnel->kept)
      continue;
    tunnel->review_at = at;
    rv_list_push(&review->to_ask, &tunnel->review_node);
    at = rv_deadline(at, step);
  }
  return arm(group);
}

void rv_review_join(
    reverst_tunnel *tunnel, uint64_t asked_at, uint64_t patience) {
  struct rv_group *group = tunnel->group;
  struct rv_review *review = &group->review;

  if (!tunnel->kept || group->options.insecure || asked_at >= review->begun_at)
    return;
  if (review->pause < RV_SECOND)
    review->pause = RV_SECOND;
  review->patience = patience;
  tunnel->review_at = group->engine->now;
  rv_list_push_first(&review->to_ask, &tunnel->review_node);
  (void)arm(group);
}

static void empty(struct rv_list *list) {
  struct rv_list *node;

  while ((node = rv_list_pop(list)) != NULL)
    abandon(tunnel_of(node));
}

void rv_review_stop(struct rv_group *group) {
  empty(&group->review.to_ask);
  empty(&group->review.asked);
  rv_turn_remove(&group->review.job);
  rv_timer_set(&group->engine->timers, &group->review.timer, RV_NEVER);
}

void rv_review_leave(reverst_tunnel *tunnel) {
  abandon(tunnel);
  rv_list_remove(&tunnel->review_node);
}

void rv_review_init(struct rv_review *review, uint64_t now) {
  *review = (struct rv_review){ .owner = { on_decided }, .begun_at = now };
  rv_list_init(&review->to_ask);
  rv_list_init(&review->asked);
  rv_timer_init(&review->timer, on_timer);
  review->job.run = run_job;
}

void rv_review_deinit(struct rv_review *review, struct rv_engine *engine) {
  rv_timer_stop(&engine->timers, &review->timer);
  rv_turn_remove(&review->job);
}
