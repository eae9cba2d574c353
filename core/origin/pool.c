/* SPDX-License-Identifier: MIT */
/* Which exchange goes to which connection. */
#include "origin/pool.h"

#include "base/log.h"
#include <assert.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_INTERVAL (10 * RV_SECOND)

struct connection;

/* An exchange until its response head is there: we are its router, who may send
   it again. */
struct assignment {
  struct rv_list node; /* in origin->waiting, or in no list */
  struct rv_waker waker;
  struct rv_job job;
  struct rv_origin *origin;
  struct rv_exchange *exchange;
  struct connection *connection; /* NULL: waiting, or that one is gone */
  bool on_kept;     /* its connection had been idle: it may be stale */
  bool wants_fresh; /* it was: only a new one will do */
};

struct connection {
  struct rv_list node, idle_node;
  struct rv_origin *origin;
  struct rv_h1_client *client;
  struct assignment *assignment;
  uint64_t idle_since;
};

struct dial {
  struct rv_list node;
  struct rv_origin *origin;
  struct rv_origin_dial *attempt;
};

static void match_soon(struct rv_origin *origin) {
  rv_turn_add(&origin->engine->turn, &origin->match_job, RV_PHASE_PROCESS);
}

static void free_if_done(struct rv_origin *origin) {
  if (origin->closed && origin->connection_count == 0 &&
      origin->dial_count == 0 && origin->assignment_count == 0)
    rv_turn_add(&origin->engine->turn, &origin->free_job, RV_PHASE_FREE);
}

/* ---- whether it can be reached ---- */

static void note_failure(
    struct rv_origin *origin, int error, const char *reason) {
  origin->failed_ns = origin->engine->now;
  if (strncmp(origin->trouble, reason, sizeof(origin->trouble) - 1) == 0)
    return;
  (void)snprintf(origin->trouble, sizeof(origin->trouble), "%s", reason);
  if (origin->options.on_state != NULL)
    origin->options.on_state(error, origin->trouble, origin->options.user_data);
}

static void note_answer(struct rv_origin *origin) {
  if (origin->trouble[0] == '\0' ||
      origin->engine->now < origin->failed_ns + RV_SECOND)
    return; /* now and then it could not be, either */
  origin->trouble[0] = '\0';
  if (origin->options.on_state != NULL)
    origin->options.on_state(0, NULL, origin->options.user_data);
}

/* ---- assignments ---- */

static void wait_for_connection(struct assignment *assignment, bool first) {
  struct rv_origin *origin = assignment->origin;
  struct rv_list *head = &origin->waiting;
  rv_list_push(first ? head->next : head, &assignment->node);
  origin->waiting_count++;
  match_soon(origin);
}

static void stop_waiting(struct assignment *assignment) {
  if (!rv_list_linked(&assignment->node))
    return;
  rv_list_remove(&assignment->node);
  assignment->origin->waiting_count--;
}

static void dial_free(struct dial *dial) {
  rv_list_remove(&dial->node);
  dial->origin->dial_count--;
  free(dial);
}

/* What nobody waits for any more would be the next one's connection, or its
   failure after a part of its time. */
static void cancel_surplus_dial(struct rv_origin *origin) {
  if (origin->dial_count <= origin->waiting_count || origin->closed)
    return;
  struct dial *oldest = rv_container_of(origin->dials.next, struct dial, node);
  rv_origin_dial_cancel(oldest->attempt);
  dial_free(oldest);
}

/* The end of our part; a failure that was noted is the visitor's now. */
static void release(struct assignment *assignment) {
  struct rv_origin *origin = assignment->origin;
  if (rv_list_linked(&assignment->node)) {
    stop_waiting(assignment);
    cancel_surplus_dial(origin);
  }
  if (assignment->connection != NULL)
    assignment->connection->assignment = NULL;
  rv_turn_remove(&assignment->job);
  rv_exchange_detach_router(assignment->exchange);
  free(assignment);
  origin->assignment_count--;
  free_if_done(origin);
}

/* Once, and only where the connection may have been stale before the request
   was sent. */
static bool may_send_again(const struct assignment *assignment) {
  return assignment->on_kept && !assignment->wants_fresh &&
         !assignment->origin->closed &&
         rv_exchange_may_retry(assignment->exchange);
}

static void settle(struct assignment *assignment) {
  struct rv_exchange *exchange = assignment->exchange;
  if (exchange->has_response)
    note_answer(assignment->origin);
  if (exchange->has_response || exchange->cancelled || exchange->concluded) {
    release(assignment);
    return;
  }
  if (exchange->failure == RV_FAILURE_NONE || exchange->upstream != NULL)
    return; /* nothing yet, or the connection has not let go of it */
  if (may_send_again(assignment) && rv_exchange_retry(exchange)) {
    if (assignment->connection != NULL)
      assignment->connection->assignment = NULL;
    assignment->connection = NULL;
    assignment->wants_fresh = true;
    wait_for_connection(assignment, true);
    return;
  }
  release(assignment);
}

static void run_settle(struct rv_job *job) {
  settle(rv_container_of(job, struct assignment, job));
}

static void wake(struct rv_waker *waker) {
  struct assignment *assignment =
      rv_container_of(waker, struct assignment, waker);
  rv_turn_add(
      &assignment->origin->engine->turn, &assignment->job, RV_PHASE_PROCESS);
}

static void fail(struct assignment *assignment, enum rv_failure failure) {
  rv_exchange_fail(assignment->exchange, failure);
  release(assignment);
}

/* ---- connections ---- */

static void set_idle_timer(struct rv_origin *origin) {
  uint64_t deadline = RV_NEVER;
  if (!rv_list_empty(&origin->idle)) {
    const struct connection *oldest =
        rv_container_of(origin->idle.previous, struct connection, idle_node);
    uint64_t timeout = origin->options.idle_timeout;
    if (timeout < RV_NEVER - oldest->idle_since)
      deadline = oldest->idle_since + timeout;
  }
  (void)rv_timer_set(&origin->engine->timers, &origin->idle_timer, deadline);
}

static void on_idle_timer(struct rv_timer *timer) {
  struct rv_origin *origin =
      rv_container_of(timer, struct rv_origin, idle_timer);
  uint64_t now = origin->engine->now;
  while (!rv_list_empty(&origin->idle)) {
    struct connection *oldest =
        rv_container_of(origin->idle.previous, struct connection, idle_node);
    if (now - oldest->idle_since < origin->options.idle_timeout)
      break;
    rv_list_remove(&oldest->idle_node);
    rv_h1_client_close(oldest->client);
  }
  set_idle_timer(origin);
}

static void put_aside(struct connection *connection) {
  struct rv_origin *origin = connection->origin;
  bool was_empty = rv_list_empty(&origin->idle);
  connection->idle_since = origin->engine->now;
  rv_list_push(origin->idle.next, &connection->idle_node);
  if (was_empty)
    set_idle_timer(origin);
}

static void use(
    struct connection *connection, struct assignment *assignment, bool kept) {
  stop_waiting(assignment);
  assignment->connection = connection;
  assignment->on_kept = kept;
  connection->assignment = assignment;
  assignment->exchange->record.tries++;
  rv_h1_client_submit(connection->client, assignment->exchange);
}

static void part(struct connection *connection) {
  if (connection->assignment != NULL)
    connection->assignment->connection = NULL;
  connection->assignment = NULL;
}

/* The codec may be in the midst of things: the next exchange comes with the
   turn. */
static void on_client_idle(struct rv_h1_client *client, void *user_data) {
  struct connection *connection = user_data;
  (void)client;
  part(connection);
  if (rv_list_linked(&connection->idle_node) || connection->origin->closed)
    return;
  put_aside(connection);
  if (connection->origin->waiting_count > 0)
    match_soon(connection->origin);
}

static void on_client_closed(struct rv_h1_client *client, void *user_data) {
  struct connection *connection = user_data;
  struct rv_origin *origin = connection->origin;
  (void)client;
  part(connection);
  rv_list_remove(&connection->idle_node);
  rv_list_remove(&connection->node);
  origin->connection_count--;
  free(connection);
  if (origin->waiting_count > 0)
    match_soon(origin);
  free_if_done(origin);
}

static struct connection *connection_new(
    struct rv_origin *origin, struct rv_stream *stream) {
  struct connection *connection = calloc(1, sizeof(*connection));
  if (connection == NULL)
    return NULL;
  connection->origin = origin;
  struct rv_h1_client_options options = {
    .engine = origin->engine,
    .limits = &origin->limits,
    .on_idle = on_client_idle,
    .on_closed = on_client_closed,
    .user_data = connection,
  };
  if (rv_h1_client_new(&connection->client, &options) < 0) {
    free(connection);
    return NULL;
  }
  rv_list_push(&origin->connections, &connection->node);
  origin->connection_count++;
  stream->user = rv_h1_client_user(connection->client);
  rv_h1_client_start(connection->client, stream);
  stream->user->ops->on_connected(stream->user);
  return connection;
}

/* ---- dials ---- */

/* Those who need a new connection stand in front. */
static struct assignment *longest_waiting(struct rv_origin *origin) {
  if (rv_list_empty(&origin->waiting))
    return NULL;
  return rv_container_of(origin->waiting.next, struct assignment, node);
}

static bool on_connected(
    struct rv_origin_dial *attempt, struct rv_stream *stream, void *user_data) {
  struct dial *dial = user_data;
  struct rv_origin *origin = dial->origin;
  struct assignment *assignment = longest_waiting(origin);
  (void)attempt;
  dial_free(dial);
  struct connection *connection = connection_new(origin, stream);
  if (connection == NULL) {
    if (assignment != NULL)
      fail(assignment, RV_FAILURE_INTERNAL);
    free_if_done(origin);
    return false;
  }
  if (assignment != NULL)
    use(connection, assignment, false);
  else
    put_aside(connection);
  return true;
}

static void log_failure(struct rv_origin *origin, const char *reason) {
  struct rv_engine *engine = origin->engine;
  if (engine->now < origin->quiet_until)
    return;
  origin->quiet_until = engine->now + LOG_INTERVAL;
  rv_log(engine, REVERST_LOG_WARN, "origin_unreachable",
      rv_log_span("origin", origin->options.address),
      rv_log_text("reason", reason));
}

/* There is a dial for each that waits, as far as connections are allowed: one
   fails with it. */
static void on_failed(struct rv_origin_dial *attempt, int error,
    const char *reason, void *user_data) {
  struct dial *dial = user_data;
  struct rv_origin *origin = dial->origin;
  struct assignment *assignment = longest_waiting(origin);
  (void)attempt;
  dial_free(dial);
  note_failure(origin, error, reason);
  if (origin->options.on_unreachable == NULL)
    log_failure(origin, reason);
  else if (assignment != NULL)
    origin->options.on_unreachable(
        assignment->exchange, error, reason, origin->options.user_data);
  if (assignment != NULL)
    fail(assignment, RV_FAILURE_ORIGIN_UNREACHABLE);
  if (origin->waiting_count > origin->dial_count)
    match_soon(origin);
}

static int start_dial(struct rv_origin *origin) {
  struct dial *dial = calloc(1, sizeof(*dial));
  if (dial == NULL)
    return REVERST_ERR_NO_MEMORY;
  struct rv_origin_dial_options options = {
    .loop = origin->loop,
    .resolver = origin->options.resolver,
    .place = &origin->place,
    .tls = origin->options.tls,
    .timeout = origin->options.connect_timeout,
    .on_connected = on_connected,
    .on_failed = on_failed,
    .user_data = dial,
  };
  dial->origin = origin;
  int r = rv_origin_dial_start(&dial->attempt, &options);
  if (r < 0) {
    free(dial);
    return r;
  }
  rv_list_push(&origin->dials, &dial->node);
  origin->dial_count++;
  return 0;
}

/* ---- matching ---- */

static bool is_full(const struct rv_origin *origin) {
  return origin->connection_count + origin->dial_count >=
         origin->options.max_connections;
}

static void give_idle_away(struct rv_origin *origin) {
  rv_list_each(node, &origin->waiting) {
    struct assignment *assignment =
        rv_container_of(node, struct assignment, node);
    if (assignment->wants_fresh)
      continue;
    struct rv_list *idle = rv_list_pop(&origin->idle);
    if (idle == NULL)
      return;
    use(rv_container_of(idle, struct connection, idle_node), assignment, true);
  }
}

/* The one that has no dial when another has none. */
static struct assignment *newest_waiting(struct rv_origin *origin) {
  return rv_container_of(origin->waiting.previous, struct assignment, node);
}

/* What waits now wants new connections; an idle one makes room. */
static void dial_for_rest(struct rv_origin *origin) {
  while (origin->dial_count < origin->waiting_count) {
    if (is_full(origin)) {
      struct rv_list *idle = rv_list_pop(&origin->idle);
      if (idle != NULL)
        rv_h1_client_close(
            rv_container_of(idle, struct connection, idle_node)->client);
      return;
    }
    int r = start_dial(origin);
    if (r < 0)
      fail(newest_waiting(origin),
          r == REVERST_ERR_LIMIT ? RV_FAILURE_LIMIT : RV_FAILURE_INTERNAL);
  }
}

static void run_match(struct rv_job *job) {
  struct rv_origin *origin = rv_container_of(job, struct rv_origin, match_job);
  if (origin->closed)
    return;
  give_idle_away(origin);
  dial_for_rest(origin);
}

/* ---- for origin.c ---- */

/* Those for whom a connection is being dialled are not counted. */
static bool is_queue_full(const struct rv_origin *origin) {
  return rv_list_empty(&origin->idle) && is_full(origin) &&
         origin->waiting_count >=
             origin->options.max_queue + origin->dial_count;
}

void rv_origin_assign(struct rv_origin *origin, struct rv_exchange *exchange) {
  if (origin->closed || is_queue_full(origin)) {
    rv_exchange_fail(
        exchange, origin->closed ? RV_FAILURE_REFUSED : RV_FAILURE_LIMIT);
    return;
  }
  struct assignment *assignment = calloc(1, sizeof(*assignment));
  if (assignment == NULL) {
    rv_exchange_fail(exchange, RV_FAILURE_INTERNAL);
    return;
  }
  *assignment = (struct assignment){
    .waker = { .wake = wake },
    .job = { .run = run_settle },
    .origin = origin,
    .exchange = exchange,
  };
  origin->assignment_count++;
  rv_exchange_attach_router(exchange, &assignment->waker);
  struct rv_list *idle =
      origin->waiting_count == 0 ? rv_list_pop(&origin->idle) : NULL;
  if (idle != NULL)
    use(rv_container_of(idle, struct connection, idle_node), assignment, true);
  else
    wait_for_connection(assignment, false);
}

static void run_free(struct rv_job *job) {
  rv_origin_free(rv_container_of(job, struct rv_origin, free_job));
}

void rv_origin_pool_init(struct rv_origin *origin) {
  rv_list_init(&origin->connections);
  rv_list_init(&origin->idle);
  rv_list_init(&origin->dials);
  rv_list_init(&origin->waiting);
  rv_timer_init(&origin->idle_timer, on_idle_timer);
  origin->match_job.run = run_match;
  origin->free_job.run = run_free;
}

void rv_origin_shut(struct rv_origin *origin) {
  struct assignment *assignment;
  origin->closed = true;
  while ((assignment = longest_waiting(origin)) != NULL)
    fail(assignment, RV_FAILURE_REFUSED);
  rv_list_each(node, &origin->dials) {
    struct dial *dial = rv_container_of(node, struct dial, node);
    rv_origin_dial_cancel(dial->attempt);
    dial_free(dial);
  }
  rv_list_each(node, &origin->connections) rv_h1_client_close(
      rv_container_of(node, struct connection, node)->client);
  rv_timer_stop(&origin->engine->timers, &origin->idle_timer);
  rv_turn_remove(&origin->match_job);
  free_if_done(origin);
}
