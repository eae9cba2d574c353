/* SPDX-License-Identifier: MIT */
/* Asking a policy, and checking what it says. */
#include "server/policy.h"

#include "base/log.h"
#include "server/router.h"

/* A policy that goes wrong does so with each request: one entry tells of many.
 */
#define LOG_PERIOD (10 * RV_SECOND)

/* A set that was just made can hardly have changed again. */
enum { MAX_QUESTIONS = 3 };

static void log_no_choice(struct rv_group *group, const char *answer) {
  uint64_t now = group->engine->now;

  if (group->no_choice_logged != 0 &&
      now - group->no_choice_logged < LOG_PERIOD)
    return;
  group->no_choice_logged = now;
  rv_log(group->engine, REVERST_LOG_WARN, "no_choice",
      rv_log_text("group", group->name), rv_log_text("answer", answer));
}

/* What it added to the response of an earlier try goes with that. */
static reverst_tunnel *ask(reverst_visit *visit, const struct rv_offer *offer) {
  const reverst_group_options *options = &visit->group->options;

  visit->exchange->answer_fields.count = visit->lasting_fields;
  return options->choose(visit, &offer->choice, options->user_data);
}

static reverst_tunnel *ask_until_fit(
    reverst_visit *visit, bool *may_wait, enum rv_failure *failure) {
  struct rv_group *group = visit->group;
  struct rv_tried tried = rv_visit_tried(visit);
  struct rv_offer offer;

  for (int i = 0; i < MAX_QUESTIONS; i++) {
    reverst_tunnel *chosen;

    if (rv_candidates_offer(
            group, tried, &visit->router->last_generation, &offer) < 0) {
      *failure = RV_FAILURE_LIMIT;
      return NULL;
    }
    *may_wait = offer.may_wait;
    if (offer.choice.count == 0)
      return NULL;
    if (group->options.choose == NULL)
      return offer.choice.tunnels[0]; /* it was taken away when it was asked */
    chosen = ask(visit, &offer);
    if (!rv_offer_contains(&offer, chosen)) {
      log_no_choice(group, chosen ? "not one of those offered" : "none");
      *failure = RV_FAILURE_NO_CHOICE;
      return NULL;
    }
    if (rv_candidates_still_fit(group, &offer, chosen))
      return chosen;
  }
  *failure = RV_FAILURE_NO_CHOICE;
  return NULL;
}

reverst_tunnel *rv_policy_choose(
    reverst_visit *visit, bool *may_wait, enum rv_failure *failure) {
  if (visit->group->options.choose != NULL)
    return ask_until_fit(visit, may_wait, failure);
  return rv_group_find_tunnel(visit->group, rv_visit_tried(visit), may_wait);
}
