/* SPDX-License-Identifier: MIT */
/* One route per request, from its head to the head of the response. */
#include "server/router.h"

#include "http/filter.h"
#include "server/forwarding.h"
#include <reverst/error.h>
#include <stdlib.h>

enum {
  MAX_TRIES = 16,
  MAX_VAIN_LOOKS = 16 /* for a tunnel, when a stream has become free */
};

/* The third party of an exchange, until a response head arrives. */
struct route {
  struct rv_waker waker;
  struct rv_job job;
  struct rv_timer timer;
  struct rv_list node; /* of group->waiting; unlinked while a tunnel has it */
  struct rv_router *router;
  struct rv_exchange *exchange;
  struct rv_group *group;
  struct rv_list tunnel_node; /* of tunnel->routes; linked while that lives */
  reverst_tunnel *tunnel;     /* of the current try */
  uint64_t response_deadline;
  uint64_t tried[MAX_TRIES];
  size_t tried_count;
};

static void free_route(struct route *route) {
  struct rv_engine *engine = route->router->engine;

  if (rv_list_linked(&route->node))
    route->group->waiting_count--;
  rv_list_remove(&route->node);
  rv_list_remove(&route->tunnel_node);
  rv_timer_stop(&engine->timers, &route->timer);
  rv_turn_remove(&route->job);
  rv_exchange_detach_router(route->exchange);
  rv_group_release(route->group);
  free(route);
}

static void give_up(struct route *route, enum rv_failure failure) {
  struct rv_exchange *exchange = route->exchange;

  route->router->failures++;
  if (exchange->failure == RV_FAILURE_NONE)
    rv_exchange_fail(exchange, failure);
  rv_exchange_conclude(exchange);
  free_route(route);
}

/* ---- choosing ---- */

static reverst_tunnel *find_tunnel(const struct route *route, bool *may_wait) {
  return rv_group_find_tunnel(
      route->group, route->tried, route->tried_count, may_wait);
}

static bool somebody_may_take(const struct route *route) {
  bool may_wait;

  return find_tunnel(route, &may_wait) != NULL || may_wait;
}

static int wait_for_stream(struct route *route) {
  struct rv_group *group = route->group;
  struct rv_engine *engine = route->router->engine;

  if (rv_list_linked(&route->node))
    return 0;
  if (group->waiting_count >= RV_GROUP_MAX_WAITING)
    return REVERST_ERR_LIMIT;
  if (group->options.queue_timeout != RV_NEVER &&
      rv_timer_set(&engine->timers, &route->timer,
          rv_deadline(engine->now, group->options.queue_timeout)) < 0)
    return REVERST_ERR_NO_MEMORY;
  rv_list_push(&group->waiting, &route->node);
  group->waiting_count++;
  return 0;
}

/* While it waits for a head: when to look whether its tunnel still lives, or to
   give up. */
static void watch_response(struct route *route) {
  struct rv_engine *engine = route->router->engine;
  uint64_t look = engine->now + RV_SECOND;

  rv_timer_set(&engine->timers, &route->timer,
      look < route->response_deadline ? look : route->response_deadline);
}

static void note_try(struct route *route, reverst_tunnel *tunnel) {
  struct rv_group *group = route->group;
  struct rv_engine *engine = route->router->engine;

  if (rv_list_linked(&route->node)) {
    rv_list_remove(&route->node);
    group->waiting_count--;
  }
  rv_group_rotate(tunnel);
  rv_list_remove(&route->tunnel_node);
  rv_list_push(&tunnel->routes, &route->tunnel_node);
  route->tunnel = tunnel;
  route->tried[route->tried_count++] = tunnel->id;
  route->exchange->record.tunnel_id = tunnel->id;
  route->exchange->record.tries++;
  if (route->response_deadline == RV_NEVER)
    route->response_deadline =
        rv_deadline(engine->now, group->options.response_timeout);
  watch_response(route);
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

/* Sends the exchange to a tunnel, or queues it, or fails it: the route may be
   gone afterwards. */
static void dispatch(struct route *route) {
  reverst_tunnel *tunnel;
  bool may_wait = false;
  enum rv_failure failure =
      route->group->removed ? RV_FAILURE_NO_GROUP : RV_FAILURE_NONE;

  if (route->exchange->cancelled)
    return; /* the job that frees it is on its way */
  while (failure == RV_FAILURE_NONE && route->tried_count < MAX_TRIES &&
         (tunnel = find_tunnel(route, &may_wait)) != NULL) {
    int r = rv_server_tunnel_submit(tunnel->carrier, route->exchange);

    if (r == 0) {
      note_try(route, tunnel);
      return;
    }
    failure = failure_of_submit(r);
    /* one that has ended by it is not found again, and was no try */
    if (rv_server_tunnel_is_live(tunnel->carrier))
      route->tried[route->tried_count++] = tunnel->id;
  }
  if (failure == RV_FAILURE_NONE && may_wait) {
    if (wait_for_stream(route) == 0)
      return;
    failure = RV_FAILURE_LIMIT;
  }
  give_up(route, failure == RV_FAILURE_NONE ? RV_FAILURE_NO_TUNNEL : failure);
}

static bool may_try_again(const struct route *route) {
  return !route->group->removed &&
         route->exchange->record.tries <= route->group->options.retries &&
         route->tried_count < MAX_TRIES &&
         rv_exchange_may_retry(route->exchange);
}

static void try_again(struct route *route) {
  if (!may_try_again(route) || !somebody_may_take(route) ||
      !rv_exchange_retry(route->exchange)) {
    give_up(route, route->exchange->failure);
    return;
  }
  route->router->retries++;
  dispatch(route);
}

/* ---- events ---- */

static void run_route(struct rv_job *job) {
  struct route *route = rv_container_of(job, struct route, job);
  struct rv_exchange *exchange = route->exchange;

  if (exchange->cancelled || exchange->has_response)
    free_route(route);
  else if (exchange->failure != RV_FAILURE_NONE && exchange->upstream == NULL)
    try_again(route);
}

static void wake_route(struct rv_waker *waker) {
  struct route *route = rv_container_of(waker, struct route, waker);

  rv_turn_add(&route->router->engine->turn, &route->job, RV_PHASE_PROCESS);
}

/* A silent tunnel is left before QUIC gives it up, if there is a better one. */
static bool should_move(const struct route *route) {
  const struct rv_exchange *exchange = route->exchange;
  const reverst_tunnel *other;
  bool may_wait;

  if (route->group->removed || !rv_list_linked(&route->tunnel_node) ||
      !rv_server_tunnel_is_suspect(route->tunnel->carrier) ||
      exchange->record.tries > route->group->options.retries)
    return false;
  other = find_tunnel(route, &may_wait);
  return other != NULL && !rv_server_tunnel_is_suspect(other->carrier) &&
         rv_is_idempotent(exchange->request.method) &&
         rv_pipe_can_rewind(&exchange->request_body);
}

static void on_timer(struct rv_timer *timer) {
  struct route *route = rv_container_of(timer, struct route, timer);
  struct rv_engine *engine = route->router->engine;

  if (route->exchange->cancelled || route->exchange->has_response)
    return; /* the job that frees it is on its way */
  if (rv_list_linked(&route->node))
    give_up(route, RV_FAILURE_TIMEOUT_QUEUE);
  else if (engine->now >= route->response_deadline)
    give_up(route, RV_FAILURE_TIMEOUT_HEAD);
  else if (should_move(route)) /* tried again when the tunnel has let go */
    rv_exchange_fail(route->exchange, RV_FAILURE_TUNNEL_LOST);
  else
    watch_response(route);
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
    struct route *route = rv_container_of(node, struct route, node);
    bool may_wait;
    bool can_go = find_tunnel(route, &may_wait) != NULL;

    rv_list_push(&group->waiting, node);
    if (can_go || !may_wait)
      dispatch(route);
    else if (route->tried_count == 0 || ++vain_looks == MAX_VAIN_LOOKS)
      break; /* nobody has a free stream, or hardly anybody has */
  }
  rv_list_append(&group->waiting, &waiting);
  rv_group_release(group);
}

/* ---- new requests ---- */

static struct route *new_route(struct rv_router *router,
    struct rv_exchange *exchange, struct rv_group *group) {
  struct route *route = calloc(1, sizeof(*route));

  if (route == NULL)
    return NULL;
  route->waker.wake = wake_route;
  route->job.run = run_route;
  rv_timer_init(&route->timer, on_timer);
  route->router = router;
  route->exchange = exchange;
  route->group = group;
  rv_group_hold(group);
  route->response_deadline = RV_NEVER;
  rv_exchange_attach_router(exchange, &route->waker);
  return route;
}

static enum rv_failure admit(struct rv_router *router,
    struct rv_exchange *exchange, struct rv_group **group) {
  struct rv_span host;

  if (router->draining)
    return RV_FAILURE_DRAINING;
  if (rv_engine_is_short_of_memory(router->engine)) {
    if (router->on_short_of_memory != NULL)
      router->on_short_of_memory(router);
    return RV_FAILURE_LIMIT;
  }
  host = rv_host_of_authority(
      &exchange->request.arena, exchange->request.authority);
  *group = rv_groups_route(router->groups, host);
  if (*group == NULL)
    return RV_FAILURE_NO_GROUP;
  return rv_add_forwarding_fields(exchange) < 0 ? RV_FAILURE_LIMIT
                                                : RV_FAILURE_NONE;
}

static void handle(struct rv_handler *handler, struct rv_exchange *exchange) {
  struct rv_router *router =
      rv_container_of(handler, struct rv_router, handler);
  struct rv_group *group = NULL;
  struct route *route = NULL;
  enum rv_failure failure = admit(router, exchange, &group);

  router->requests++;
  if (failure == RV_FAILURE_NONE) {
    route = new_route(router, exchange, group);
    if (route == NULL)
      failure = RV_FAILURE_LIMIT;
  }
  if (route == NULL) {
    router->failures++;
    rv_exchange_fail(exchange, failure);
    return;
  }
  if (rv_list_empty(&group->waiting))
    dispatch(route);
  else if (wait_for_stream(route) < 0) /* behind those that came before */
    give_up(route, RV_FAILURE_LIMIT);
  else
    rv_router_serve_waiting(group);
}

void rv_router_init(struct rv_router *router, struct rv_engine *engine,
    struct rv_groups *groups) {
  *router = (struct rv_router){
    .handler = { handle },
    .engine = engine,
    .groups = groups,
  };
}
