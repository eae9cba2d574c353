/* SPDX-License-Identifier: MIT */
/* Hooks are called from a job in the phase for scripts; what they decide is
   acted upon by another job, so a decision may be made anywhere. */
#include "server/hooks.h"

#include "http/response.h"
#include "server/router.h"
#include <reverst/error.h>

typedef void (*callback)(reverst_visit *visit, void *user_data);

struct hook {
  callback call, on_cancelled;
  void *user_data;
};

static struct hook hook_of_group(
    const reverst_visit *visit, enum rv_visit_stage stage) {
  const reverst_group_options *options = &visit->group->options;

  if (visit->group->removed)
    return (struct hook){ 0 };
  return (struct hook){
    .call =
        stage == RV_VISIT_REQUEST ? options->on_request : options->on_response,
    .on_cancelled = options->on_cancelled,
    .user_data = options->user_data,
  };
}

static struct hook find_hook(
    const reverst_visit *visit, enum rv_visit_stage stage) {
  const struct rv_groups *groups = visit->router->groups;

  if (stage != RV_VISIT_ROUTING)
    return hook_of_group(visit, stage);
  return (struct hook){
    .call = groups->on_route,
    .on_cancelled = groups->on_cancelled,
    .user_data = groups->user_data,
  };
}

bool rv_hook_is_set(const reverst_visit *visit, enum rv_visit_stage stage) {
  return find_hook(visit, stage).call != NULL;
}

/* ---- asking ---- */

static void go_on(reverst_visit *visit) {
  visit->decision = RV_VISIT_DECIDED;
  rv_turn_add(&visit->router->engine->turn, &visit->job, RV_PHASE_PROCESS);
}

static void call_hook(reverst_visit *visit) {
  struct hook hook;

  if (visit->stage == RV_VISIT_REQUEST)
    (void)rv_visit_find_group(visit);
  hook = find_hook(visit, visit->stage);
  if (hook.call == NULL) {
    go_on(visit);
    return;
  }
  visit->decision = RV_VISIT_AWAITS;
  visit->asked.on_cancelled = hook.on_cancelled;
  visit->asked.user_data = hook.user_data;
  hook.call(visit, hook.user_data);
}

static void tell_cancelled(reverst_visit *visit) {
  visit->decision = RV_VISIT_UNASKED;
  if (visit->asked.on_cancelled != NULL)
    visit->asked.on_cancelled(visit, visit->asked.user_data);
}

static void run_hook(struct rv_job *job) {
  reverst_visit *visit = rv_container_of(job, reverst_visit, hook_job);

  if (!rv_visit_is_over(visit)) {
    if (visit->decision == RV_VISIT_TO_ASK)
      call_hook(visit);
    return;
  }
  if (visit->decision == RV_VISIT_AWAITS)
    tell_cancelled(visit);
  rv_visit_free(visit);
}

static void add_hook_job(reverst_visit *visit) {
  visit->hook_job.run = run_hook;
  rv_turn_add(&visit->router->engine->turn, &visit->hook_job, RV_PHASE_SCRIPT);
}

void rv_hook_ask(reverst_visit *visit, enum rv_visit_stage stage) {
  visit->stage = stage;
  visit->decision = RV_VISIT_TO_ASK;
  add_hook_job(visit);
}

void rv_hook_end(reverst_visit *visit) {
  if (visit->decision == RV_VISIT_AWAITS)
    add_hook_job(visit);
  else
    rv_visit_free(visit);
}

/* ---- decisions ---- */

static bool is_awaited(const reverst_visit *visit) {
  return visit->decision == RV_VISIT_AWAITS;
}

void reverst_visit_continue(reverst_visit *visit) {
  if (is_awaited(visit))
    go_on(visit);
}

bool reverst_visit_continue_to(reverst_visit *visit, const char *name) {
  struct rv_group *group =
      rv_groups_find(visit->router->groups, rv_span_of(name));

  if (!is_awaited(visit) || visit->stage != RV_VISIT_ROUTING)
    return false;
  if (group != NULL)
    rv_visit_set_group(visit, group);
  else
    rv_exchange_fail(visit->exchange, RV_FAILURE_NO_GROUP);
  go_on(visit);
  return group != NULL;
}

int reverst_visit_respond(
    reverst_visit *visit, const reverst_response *response) {
  int r;

  if (!is_awaited(visit) || visit->stage == RV_VISIT_RESPONSE)
    return REVERST_ERR_CLOSED;
  r = rv_exchange_answer(visit->exchange, response);
  if (r < 0)
    return r;
  rv_pipe_stop(&visit->exchange->request_body);
  go_on(visit);
  return 0;
}

void reverst_visit_fail(reverst_visit *visit) {
  if (!is_awaited(visit))
    return;
  if (visit->stage == RV_VISIT_RESPONSE)
    rv_exchange_withdraw(visit->exchange, RV_FAILURE_HOOK);
  else
    rv_exchange_fail(visit->exchange, RV_FAILURE_HOOK);
  go_on(visit);
}
