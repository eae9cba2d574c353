/* SPDX-License-Identifier: MIT */
/* The way of a visit: its group, its turn, its tunnel, and another one. */
#include "server/router.h"

#include "http/filter.h"
#include "server/forwarding.h"
#include "server/health.h"
#include "server/hooks.h"
#include "server/policy.h"
#include <reverst/error.h>

/* For a tunnel, when a stream has become free. */
enum { MAX_VAIN_LOOKS = 16 };

static void give_up(reverst_visit *visit, enum rv_failure failure) {
  struct rv_exchange *exchange = visit->exchange;

  if (exchange->failure == RV_FAILURE_NONE)
    rv_exchange_fail(exchange, failure);
  rv_exchange_conclude(exchange);
  rv_visit_free(visit);
}

/* ---- choosing ---- */

static reverst_tunnel *find_tunnel(const reverst_visit *visit, bool *may_wait) {
  return rv_group_find_tunnel(visit->group, rv_visit_tried(visit), may_wait);
}

static bool somebody_may_take(const reverst_visit *visit) {
  bool may_wait;

  return find_tunnel(visit, &may_wait) != NULL || may_wait;
}

static int wait_for_stream(reverst_visit *visit) {
  struct rv_group *group = visit->group;
  struct rv_engine *engine = visit->router->engine;

  if (rv_list_linked(&visit->node))
    return 0;
  if (group->waiting_count >= RV_GROUP_MAX_WAITING)
    return REVERST_ERR_LIMIT;
  if (rv_timer_set(&engine->timers, &visit->timer,
          rv_deadline(engine->now, group->options.queue_timeout)) < 0)
    return REVERST_ERR_NO_MEMORY;
  rv_list_push(&group->waiting, &visit->node);
  group->waiting_count++;
  return 0;
}

/* Is more of the request to come, or has the tunnel taken some of it since the
   last look? A request that its visitor sends slowly, or that is long, is not
   overdue. */
static bool is_being_sent(reverst_visit *visit) {
  const struct rv_pipe *body = &visit->exchange->request_body;
  uint64_t before = visit->sent;

  visit->sent = body->taken;
  return body->state == RV_PIPE_OPEN &&
         (rv_pipe_wants(body) || body->taken != before);
}

static void note_request(reverst_visit *visit) {
  if (is_being_sent(visit))
    visit->response_deadline = RV_NEVER;
  else if (visit->response_deadline == RV_NEVER)
    visit->response_deadline = rv_deadline(
        visit->router->engine->now, visit->group->options.response_timeout);
}

/* While it waits for a head: when to look whether its tunnel still lives, or to
   give up. */
static void watch_response(reverst_visit *visit) {
  struct rv_engine *engine = visit->router->engine;
  uint64_t pause = visit->group->options.response_timeout;
  uint64_t look =
      rv_deadline(engine->now, pause < RV_SECOND ? pause : RV_SECOND);

  rv_timer_set(&engine->timers, &visit->timer,
      look < visit->response_deadline ? look : visit->response_deadline);
}

static void note_try(reverst_visit *visit, reverst_tunnel *tunnel) {
  const reverst_group_options *options = &visit->group->options;
  struct rv_exchange *exchange = visit->exchange;

  rv_visit_leave_queue(visit);
  if (options->choose == NULL)
    rv_group_rotate(tunnel);
  rv_candidates_note(tunnel);
  rv_list_remove(&visit->tunnel_node);
  rv_list_push(&tunnel->visits, &visit->tunnel_node);
  tunnel->requests++;
  visit->tunnel = tunnel;
  visit->try_ns = visit->router->engine->now;
  visit->tried[visit->tried_count++] = tunnel->id;
  exchange->gated = options->on_response != NULL;
  exchange->record.tunnel_id = tunnel->id;
  rv_visit_note_sent(visit);
  exchange->record.tries++;
  note_request(visit);
  watch_response(visit);
}

/* What a tunnel's refusal to even begin means; RV_FAILURE_NONE: another may. */
static enum rv_failure failure_of_submit(int error) {
  switch (error) {
  case REVERST_ERR_MALFORMED:
    return RV_FAILURE_REQUEST_MALFORMED;
  case REVERST_ERR_NO_MEMORY:
    return RV_FAILURE_LIMIT;
  default:
    return RV_FAILURE_NONE;
  }
}

/* Sends the exchange to a tunnel, or queues it, or fails it: the visit may be
   gone afterwards. */
static void dispatch(reverst_visit *visit) {
  reverst_tunnel *tunnel;
  bool may_wait = false;
  enum rv_failure failure =
      visit->group->removed ? RV_FAILURE_NO_GROUP : RV_FAILURE_NONE;

  if (visit->exchange->cancelled)
    return; /* the job that frees it is on its way */
  while (failure == RV_FAILURE_NONE &&
         visit->tried_count < RV_VISIT_MAX_TRIES &&
         (tunnel = rv_policy_choose(visit, &may_wait, &failure)) != NULL) {
    int r = rv_server_tunnel_submit(tunnel->carrier, visit->exchange);

    if (r == 0) {
      note_try(visit, tunnel);
      return;
    }
    failure = failure_of_submit(r);
    /* one that has ended by it is not found again, and was no try */
    if (rv_server_tunnel_is_live(tunnel->carrier))
      visit->tried[visit->tried_count++] = tunnel->id;
    else
      rv_candidates_note(tunnel);
  }
  if (failure == RV_FAILURE_NONE && may_wait) {
    if (wait_for_stream(visit) == 0)
      return;
    failure = RV_FAILURE_LIMIT;
  }
  give_up(visit, failure == RV_FAILURE_NONE ? RV_FAILURE_NO_TUNNEL : failure);
}

static bool may_try_again(const reverst_visit *visit) {
  return visit->stage == RV_VISIT_SENDING && !visit->group->removed &&
         visit->exchange->record.tries <= visit->group->options.retries &&
         visit->tried_count < RV_VISIT_MAX_TRIES &&
         rv_exchange_may_retry(visit->exchange);
}

static void try_again(reverst_visit *visit) {
  if (!may_try_again(visit) || !somebody_may_take(visit) ||
      !rv_exchange_retry(visit->exchange)) {
    give_up(visit, visit->exchange->failure);
    return;
  }
  visit->router->retries++;
  dispatch(visit);
}

/* ---- stage by stage ---- */

static void find_its_tunnel(reverst_visit *visit) {
  struct rv_group *group = visit->group;

  visit->stage = RV_VISIT_SENDING;
  visit->lasting_fields = visit->exchange->answer_fields.count;
  if (rv_list_empty(&group->waiting))
    dispatch(visit);
  else if (wait_for_stream(visit) < 0) /* behind those that came before */
    give_up(visit, RV_FAILURE_LIMIT);
  else
    rv_router_serve_waiting(group);
}

/* With the group that was decided on, or the one of its host. */
static void enter_group(reverst_visit *visit) {
  struct rv_group *group = visit->group;

  if (group == NULL) {
    group = rv_groups_route(visit->router->groups, visit->host);
    if (group != NULL)
      rv_visit_set_group(visit, group);
  }
  if (group == NULL || !rv_visit_find_group(visit))
    give_up(visit, RV_FAILURE_NO_GROUP);
  else if (rv_hook_is_set(visit, RV_VISIT_REQUEST))
    rv_hook_ask(visit, RV_VISIT_REQUEST);
  else
    find_its_tunnel(visit);
}

static void let_pass(reverst_visit *visit) {
  (void)rv_exchange_release(visit->exchange); /* over, or failed */
  rv_hook_end(visit);
}

static void go_on(reverst_visit *visit) {
  visit->decision = RV_VISIT_UNASKED;
  if (visit->stage == RV_VISIT_ROUTING)
    enter_group(visit);
  else if (visit->stage == RV_VISIT_RESPONSE)
    let_pass(visit);
  else if (rv_visit_find_group(visit))
    find_its_tunnel(visit);
  else
    give_up(visit, RV_FAILURE_NO_GROUP);
}

/* ---- events ---- */

static bool has_tunnel(const reverst_visit *visit) {
  return rv_list_linked(&visit->tunnel_node);
}

static void note_head(reverst_visit *visit) {
  if (visit->stage == RV_VISIT_SENDING && has_tunnel(visit))
    rv_health_note_head(
        visit->tunnel, visit->exchange->record.head_ns - visit->try_ns);
}

static void note_failure(reverst_visit *visit, enum rv_failure failure) {
  if (visit->stage == RV_VISIT_SENDING && has_tunnel(visit))
    rv_health_note_failure(visit->tunnel, failure);
}

static void on_held(reverst_visit *visit) {
  struct rv_engine *engine = visit->router->engine;

  note_head(visit);
  rv_list_remove(&visit->tunnel_node);
  rv_timer_set(&engine->timers, &visit->timer, RV_NEVER);
  if (rv_hook_is_set(visit, RV_VISIT_RESPONSE))
    rv_hook_ask(visit, RV_VISIT_RESPONSE);
  else
    let_pass(visit);
}

static void run_visit(struct rv_job *job) {
  reverst_visit *visit = rv_container_of(job, reverst_visit, job);
  struct rv_exchange *exchange = visit->exchange;

  if (rv_visit_is_over(visit)) {
    if (exchange->has_response)
      note_head(visit);
    rv_hook_end(visit);
  } else if (exchange->failure != RV_FAILURE_NONE) {
    if (exchange->upstream != NULL)
      return;
    note_failure(visit, exchange->failure);
    try_again(visit);
  } else if (visit->decision == RV_VISIT_DECIDED) {
    go_on(visit);
  } else if (exchange->held && visit->stage != RV_VISIT_RESPONSE) {
    on_held(visit);
  }
}

static void wake_visit(struct rv_waker *waker) {
  reverst_visit *visit = rv_container_of(waker, reverst_visit, waker);

  rv_turn_add(&visit->router->engine->turn, &visit->job, RV_PHASE_PROCESS);
}

/* A silent tunnel is left before QUIC gives it up, if there is a better one. */
static bool should_move(const reverst_visit *visit) {
  const struct rv_exchange *exchange = visit->exchange;
  const reverst_tunnel *other;
  bool may_wait;

  if (visit->group->removed || !has_tunnel(visit) ||
      !rv_server_tunnel_is_suspect(visit->tunnel->carrier) ||
      exchange->record.tries > visit->group->options.retries)
    return false;
  other = find_tunnel(visit, &may_wait);
  return other != NULL && !rv_server_tunnel_is_suspect(other->carrier) &&
         rv_is_idempotent(exchange->request.method) &&
         rv_pipe_can_rewind(&exchange->request_body);
}

static void on_timer(struct rv_timer *timer) {
  reverst_visit *visit = rv_container_of(timer, reverst_visit, timer);
  struct rv_engine *engine = visit->router->engine;

  if (rv_visit_is_over(visit) || rv_exchange_has_head(visit->exchange))
    return; /* the job that deals with it is on its way */
  if (rv_list_linked(&visit->node)) {
    give_up(visit, RV_FAILURE_TIMEOUT_QUEUE);
    return;
  }
  note_request(visit);
  if (engine->now >= visit->response_deadline) {
    note_failure(visit, RV_FAILURE_TIMEOUT_HEAD);
    give_up(visit, RV_FAILURE_TIMEOUT_HEAD);
  } else if (should_move(visit)) { /* and again when the tunnel has let go */
    rv_exchange_fail(visit->exchange, RV_FAILURE_TUNNEL_LOST);
  } else {
    watch_response(visit);
  }
}

void rv_router_serve_waiting(struct rv_group *group) {
  struct rv_list waiting;
  struct rv_list *node;
  int vain_looks = 0;

  if (rv_list_empty(&group->waiting))
    return;
  /* A list of its own, so that each is looked at once. */
  rv_group_hold(group);
  rv_list_init(&waiting);
  rv_list_append(&waiting, &group->waiting);
  while ((node = rv_list_pop(&waiting)) != NULL) {
    reverst_visit *visit = rv_container_of(node, reverst_visit, node);
    bool may_wait;
    bool can_go = find_tunnel(visit, &may_wait) != NULL;

    rv_list_push(&group->waiting, node);
    if (can_go || !may_wait)
      dispatch(visit);
    else if (visit->tried_count == 0 || ++vain_looks == MAX_VAIN_LOOKS)
      break; /* nobody has a free stream, or hardly anybody has */
  }
  rv_list_append(&group->waiting, &waiting);
  rv_group_release(group);
}

/* ---- new requests ---- */

static enum rv_failure admit(
    struct rv_router *router, struct rv_exchange *exchange) {
  if (router->draining)
    return RV_FAILURE_DRAINING;
  if (rv_engine_is_short_of_memory(router->engine)) {
    if (router->on_short_of_memory != NULL)
      router->on_short_of_memory(router);
    return RV_FAILURE_LIMIT;
  }
  return rv_add_forwarding_fields(exchange) < 0 ? RV_FAILURE_LIMIT
                                                : RV_FAILURE_NONE;
}

static reverst_visit *new_visit(
    struct rv_router *router, struct rv_exchange *exchange) {
  reverst_visit *visit = rv_visit_new(router, exchange);

  if (visit == NULL)
    return NULL;
  visit->waker.wake = wake_visit;
  visit->job.run = run_visit;
  rv_timer_init(&visit->timer, on_timer);
  visit->host = rv_host_of_authority(
      &exchange->request.arena, exchange->request.authority);
  rv_exchange_attach_router(exchange, &visit->waker);
  return visit;
}

static void handle(struct rv_handler *handler, struct rv_exchange *exchange) {
  struct rv_router *router =
      rv_container_of(handler, struct rv_router, handler);
  reverst_visit *visit = NULL;
  enum rv_failure failure = admit(router, exchange);

  router->requests++;
  if (failure == RV_FAILURE_NONE) {
    visit = new_visit(router, exchange);
    failure = RV_FAILURE_LIMIT;
  }
  if (visit == NULL) {
    router->failures++;
    rv_exchange_fail(exchange, failure);
  } else if (rv_hook_is_set(visit, RV_VISIT_ROUTING)) {
    rv_hook_ask(visit, RV_VISIT_ROUTING);
  } else {
    enter_group(visit);
  }
}

void rv_router_init(struct rv_router *router, struct rv_engine *engine,
    struct rv_groups *groups) {
  *router = (struct rv_router){
    .handler = { handle },
    .engine = engine,
    .groups = groups,
  };
}
