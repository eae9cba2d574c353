/* SPDX-License-Identifier: MIT */
/* The exchange: state that three parties share, references, and who is woken
   by what. */
#include "http/exchange.h"

#include <assert.h>
#include <stdlib.h>

#include "http/filter.h"
#include <reverst/error.h>

static void free_exchange(struct rv_job *job) {
  struct rv_exchange *exchange =
      rv_container_of(job, struct rv_exchange, free_job);
  struct rv_informational *informational;

  while ((informational = rv_exchange_take_informational(exchange)) != NULL)
    rv_informational_free(informational);
  rv_head_deinit(&exchange->request);
  rv_head_deinit(&exchange->response);
  rv_pipe_deinit(&exchange->request_body);
  rv_pipe_deinit(&exchange->response_body);
  exchange->engine->live.exchanges--;
  free(exchange);
}

static void ref(struct rv_exchange *exchange) {
  assert(exchange->references > 0);
  exchange->references++;
}

static void unref(struct rv_exchange *exchange) {
  assert(exchange->references > 0);
  if (--exchange->references == 0)
    rv_turn_add(&exchange->engine->turn, &exchange->free_job, RV_PHASE_FREE);
}

struct rv_exchange *rv_exchange_new(
    struct rv_engine *engine, struct rv_waker *downstream) {
  struct rv_exchange *exchange = malloc(sizeof(*exchange));

  if (exchange == NULL)
    return NULL;
  *exchange = (struct rv_exchange){
    .engine = engine,
    .references = 1,
    .free_job.run = free_exchange,
    .downstream = downstream,
  };
  rv_head_init(&exchange->request);
  rv_head_init(&exchange->response);
  rv_fields_init(&exchange->answer_fields, &exchange->request.arena);
  rv_pipe_init(&exchange->request_body, RV_PIPE_MARK);
  rv_pipe_init(&exchange->response_body, RV_PIPE_MARK);
  exchange->request_body.producer = downstream;
  exchange->response_body.consumer = downstream;
  rv_list_init(&exchange->informational);
  engine->live.exchanges++;
  return exchange;
}

bool rv_exchange_finished(const struct rv_exchange *exchange) {
  return exchange->cancelled || exchange->concluded ||
         exchange->response_body.state == RV_PIPE_ABORTED ||
         (exchange->has_response && rv_pipe_finished(&exchange->response_body));
}

static void note_end(struct rv_exchange *exchange) {
  if (exchange->record.end_ns == 0)
    exchange->record.end_ns = exchange->engine->now;
}

/* ---- downstream ---- */

static void make_request_id(struct rv_exchange *exchange) {
  static const char digits[] = "0123456789abcdef";
  char *text = exchange->record.request_id;
  uint8_t bytes[16];

  if (text[0] != '\0')
    return;
  rv_random(exchange->engine, bytes, sizeof(bytes));
  for (size_t i = 0; i < sizeof(bytes); i++) {
    *text++ = digits[bytes[i] >> 4];
    *text++ = digits[bytes[i] & 15];
  }
  *text = '\0';
}

/* Nobody is there who could still answer. */
static void fail_if_abandoned(struct rv_exchange *exchange) {
  if (exchange->router == NULL && exchange->upstream == NULL &&
      !rv_exchange_has_head(exchange) && exchange->failure == RV_FAILURE_NONE)
    rv_exchange_fail(exchange, RV_FAILURE_INTERNAL);
}

void rv_exchange_submit(
    struct rv_exchange *exchange, struct rv_handler *handler) {
  exchange->record.start_ns = exchange->engine->now;
  make_request_id(exchange);
  ref(exchange);
  handler->handle(handler, exchange);
  fail_if_abandoned(exchange);
  unref(exchange);
}

void rv_exchange_cancel(struct rv_exchange *exchange) {
  if (rv_exchange_finished(exchange))
    return;
  exchange->cancelled = true;
  exchange->failure = RV_FAILURE_CANCELLED;
  note_end(exchange);
  rv_pipe_abort(&exchange->request_body, RV_FAILURE_CANCELLED);
  rv_pipe_stop(&exchange->response_body);
  rv_wake(exchange->upstream);
  rv_wake(exchange->router);
}

struct rv_informational *rv_exchange_take_informational(
    struct rv_exchange *exchange) {
  struct rv_list *node = rv_list_pop(&exchange->informational);

  if (node == NULL)
    return NULL;
  return rv_container_of(node, struct rv_informational, node);
}

void rv_informational_free(struct rv_informational *informational) {
  if (informational == NULL)
    return;
  rv_head_deinit(&informational->head);
  free(informational);
}

void rv_exchange_detach_downstream(struct rv_exchange *exchange) {
  if (exchange->downstream == NULL)
    return;
  rv_exchange_cancel(exchange);
  note_end(exchange);
  exchange->downstream = NULL;
  exchange->request_body.producer = NULL;
  exchange->response_body.consumer = NULL;
  /* an answer may be whole before the request is: no more of that comes now */
  if (!exchange->request_body.ended)
    rv_pipe_abort(&exchange->request_body, RV_FAILURE_CANCELLED);
  unref(exchange);
}

/* ---- upstream ---- */

void rv_exchange_attach_upstream(
    struct rv_exchange *exchange, struct rv_waker *upstream) {
  assert(exchange->upstream == NULL && upstream != NULL);
  ref(exchange);
  exchange->upstream = upstream;
  exchange->request_body.consumer = upstream;
  exchange->response_body.producer = upstream;
}

void rv_exchange_detach_upstream(struct rv_exchange *exchange) {
  if (exchange->upstream == NULL)
    return;
  exchange->upstream = NULL;
  exchange->request_body.consumer = NULL;
  exchange->response_body.producer = NULL;
  rv_exchange_fail(exchange, RV_FAILURE_INTERNAL);
  rv_pipe_stop(&exchange->request_body);
  rv_wake(exchange->router);
  unref(exchange);
}

/* Does anybody still wait for a head? */
static bool wants_head(const struct rv_exchange *exchange) {
  return !exchange->cancelled && !rv_exchange_has_head(exchange) &&
         exchange->failure == RV_FAILURE_NONE;
}

int rv_exchange_inform(struct rv_exchange *exchange, struct rv_head *head) {
  struct rv_informational *informational;
  int r = 0;

  if (!wants_head(exchange))
    goto finish;
  if (exchange->informational_count >= rv_limits_default.informational_count) {
    r = REVERST_ERR_LIMIT;
    goto finish;
  }
  informational = calloc(1, sizeof(*informational));
  if (informational == NULL) {
    r = REVERST_ERR_NO_MEMORY;
    goto finish;
  }
  rv_head_move(&informational->head, head);
  rv_list_push(&exchange->informational, &informational->node);
  exchange->informational_count++;
  rv_wake(exchange->downstream);
finish:
  rv_head_deinit(head);
  return r;
}

int rv_exchange_respond(struct rv_exchange *exchange, struct rv_head *head) {
  if (!wants_head(exchange)) {
    rv_head_deinit(head);
    return REVERST_ERR_CLOSED;
  }
  rv_head_move(&exchange->response, head);
  exchange->held = true;
  exchange->record.head_ns = exchange->engine->now;
  rv_pipe_drop_replay(&exchange->request_body);
  if (exchange->response.no_body)
    (void)rv_pipe_end(&exchange->response_body, NULL); /* cannot fail */
  rv_wake(exchange->router);
  return exchange->gated ? 0 : rv_exchange_release(exchange);
}

int rv_exchange_release(struct rv_exchange *exchange) {
  if (!exchange->held || exchange->failure != RV_FAILURE_NONE)
    return 0;
  if (rv_fields_append(&exchange->response.fields, &exchange->answer_fields) <
      0) {
    rv_exchange_withdraw(exchange, RV_FAILURE_LIMIT);
    return REVERST_ERR_NO_MEMORY;
  }
  exchange->held = false;
  exchange->has_response = true;
  rv_wake(exchange->downstream);
  return 0;
}

void rv_exchange_withdraw(
    struct rv_exchange *exchange, enum rv_failure failure) {
  if (!exchange->held || exchange->failure != RV_FAILURE_NONE)
    return;
  exchange->failure = failure;
  rv_pipe_abort(&exchange->response_body, failure);
  rv_exchange_conclude(exchange);
  rv_wake(exchange->upstream);
  rv_wake(exchange->router);
}

void rv_exchange_fail(struct rv_exchange *exchange, enum rv_failure failure) {
  assert(failure != RV_FAILURE_NONE);
  if (exchange->failure != RV_FAILURE_NONE || exchange->response_body.ended)
    return;
  if (exchange->held) {
    rv_exchange_withdraw(exchange, failure);
    return;
  }
  exchange->failure = failure;
  if (exchange->has_response) {
    note_end(exchange);
    rv_pipe_abort(&exchange->response_body, failure);
    rv_wake(exchange->downstream);
  } else if (exchange->router != NULL) {
    rv_wake(exchange->router);
  } else {
    rv_exchange_conclude(exchange);
  }
  rv_pipe_stop(&exchange->request_body);
  rv_wake(exchange->upstream);
}

/* ---- router ---- */

void rv_exchange_attach_router(
    struct rv_exchange *exchange, struct rv_waker *router) {
  assert(exchange->router == NULL && router != NULL);
  ref(exchange);
  exchange->router = router;
  rv_pipe_keep_replay(&exchange->request_body);
}

void rv_exchange_detach_router(struct rv_exchange *exchange) {
  if (exchange->router == NULL)
    return;
  exchange->router = NULL;
  rv_pipe_drop_replay(&exchange->request_body);
  rv_exchange_withdraw(exchange, RV_FAILURE_INTERNAL);
  rv_exchange_conclude(exchange);
  fail_if_abandoned(exchange);
  unref(exchange);
}

bool rv_exchange_may_retry(const struct rv_exchange *exchange) {
  if (exchange->failure == RV_FAILURE_NONE || rv_exchange_has_head(exchange) ||
      exchange->concluded || exchange->cancelled ||
      !rv_pipe_can_rewind(&exchange->request_body))
    return false;
  switch (rv_failure_row(exchange->failure)->retry) {
  case RV_RETRY_SAFE:
    return true;
  case RV_RETRY_IDEMPOTENT:
    return rv_is_idempotent(exchange->request.method);
  case RV_RETRY_NEVER:
    break;
  }
  return false;
}

bool rv_exchange_retry(struct rv_exchange *exchange) {
  if (!rv_exchange_may_retry(exchange))
    return false;
  assert(exchange->upstream == NULL);
  if (!rv_pipe_rewind(&exchange->request_body))
    return false;
  exchange->failure = RV_FAILURE_NONE;
  return true;
}

void rv_exchange_conclude(struct rv_exchange *exchange) {
  if (exchange->concluded || exchange->cancelled || exchange->has_response ||
      exchange->failure == RV_FAILURE_NONE)
    return;
  exchange->concluded = true;
  note_end(exchange);
  rv_pipe_drop_replay(&exchange->request_body);
  rv_pipe_stop(&exchange->request_body);
  rv_wake(exchange->downstream);
}
