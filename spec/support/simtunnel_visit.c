/* SPDX-License-Identifier: MIT */
/* Visitors of the simulated tunnels: downstreams that send patterned bodies and
   judge what they get. */
#include "simtunnel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIECE = 4096, SLOW_PIECE = 16384 };

bool sim_is_pattern(size_t id, bool answer, uint64_t offset,
    const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (data[i] != sim_pattern(id, answer, offset + i))
      return false;
  return true;
}

void sim_fill_pattern(
    size_t id, bool answer, uint64_t offset, uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++)
    data[i] = sim_pattern(id, answer, offset + i);
}

const char *sim_outcome_name(const struct sim_visit *visit) {
  static const char *const names[] = { "running", "answered", "aborted",
    "failed", "cancelled" };

  return names[visit->outcome];
}

static struct rv_engine *engine_of(const struct sim_visit *visit) {
  return visit->world->server.engine;
}

/* ---- the request ---- */

static void push_body(struct sim_visit *visit) {
  struct rv_pipe *pipe = &visit->exchange->request_body;
  struct rv_fields trailers;
  uint8_t data[PIECE];

  while (visit->pushed < visit->up && rv_pipe_wants(pipe)) {
    uint64_t left = visit->up - visit->pushed;
    size_t length = left < PIECE ? (size_t)left : PIECE;

    sim_fill_pattern(visit->id, false, visit->pushed, data, length);
    if (rv_pipe_push_copy(pipe, &engine_of(visit)->chunks, data, length) < 0)
      return;
    visit->pushed += length;
  }
  if (visit->pushed < visit->up || pipe->ended)
    return;
  rv_fields_init(&trailers, &visit->exchange->request.arena);
  if (visit->with_trailers)
    rv_fields_add(&trailers, RV_SPAN("x-end"), RV_SPAN("request"));
  rv_pipe_end(pipe, visit->with_trailers ? &trailers : NULL);
}

static struct rv_span decimal(
    struct rv_head *head, const char *prefix, uint64_t number) {
  char text[32];
  int length = snprintf(
      text, sizeof(text), "%s%llu", prefix, (unsigned long long)number);

  return rv_arena_copy(&head->arena, (struct rv_span){ text, (size_t)length });
}

static void fill_head(struct sim_visit *visit, struct rv_head *head) {
  head->method = rv_span_of(visit->method);
  head->scheme = RV_SPAN("http");
  head->authority = RV_SPAN("app.test");
  head->path = decimal(head, "/", visit->id);
  rv_fields_add(&head->fields, RV_SPAN("x-id"), decimal(head, "", visit->id));
  head->no_body = visit->up == 0 && !visit->with_trailers;
  if (visit->up > 0 && visit->with_length) {
    head->content_length = (int64_t)visit->up;
    rv_fields_add(
        &head->fields, RV_SPAN("content-length"), decimal(head, "", visit->up));
  }
}

/* ---- the answer ---- */

static void finish(struct sim_visit *visit, enum sim_outcome outcome) {
  struct rv_engine *engine = engine_of(visit);

  visit->outcome = outcome;
  visit->failure = visit->exchange->failure;
  visit->tries = visit->exchange->record.tries;
  visit->tunnel_id = visit->exchange->record.tunnel_id;
  visit->ended_at = engine->now;
  visit->world->running--;
  rv_timer_stop(&engine->timers, &visit->read_timer);
  rv_timer_stop(&engine->timers, &visit->cancel_timer);
  rv_turn_remove(&visit->job);
  rv_exchange_detach_downstream(visit->exchange);
  visit->exchange = NULL;
}

static void read_body(struct sim_visit *visit) {
  struct rv_pipe *pipe = &visit->exchange->response_body;
  struct rv_slice slice;

  while (visit->allowance > 0 && rv_pipe_take(pipe, visit->allowance, &slice)) {
    if (visit->status == 200 && !sim_is_pattern(visit->id, true,
                                    visit->received, slice.data, slice.length))
      sim_fault(visit->world, visit->id, "bytes of an answer are wrong");
    visit->received += slice.length;
    if (visit->read_pause > 0)
      visit->allowance -= slice.length;
    rv_slice_release(&slice);
  }
}

static bool has_right_id(const struct sim_visit *visit) {
  const struct rv_span *id =
      rv_fields_find(&visit->exchange->response.fields, RV_SPAN("x-id"));
  char text[32];

  snprintf(text, sizeof(text), "%zu", visit->id);
  return id != NULL && rv_span_equal(*id, rv_span_of(text));
}

static void judge_answer(struct sim_visit *visit) {
  const struct rv_pipe *pipe = &visit->exchange->response_body;

  if (visit->exchange->failure != RV_FAILURE_NONE)
    sim_fault(visit->world, visit->id, "answered and failed");
  if (visit->status != 200 || strcmp(visit->method, "HEAD") == 0)
    return;
  if (visit->received != visit->down)
    sim_fault(visit->world, visit->id, "an answer was cut short in silence");
  if (visit->with_trailers && !pipe->has_trailers && visit->mode != SIM_WHOLE)
    sim_fault(visit->world, visit->id, "trailers of an answer were lost");
  if (visit->mode == SIM_ABORT || visit->mode == SIM_ABORT_HEAD)
    sim_fault(visit->world, visit->id, "a broken answer looks whole");
}

static void look_at_head(struct sim_visit *visit) {
  struct rv_exchange *exchange = visit->exchange;
  struct rv_informational *informational;

  while ((informational = rv_exchange_take_informational(exchange)) != NULL)
    rv_informational_free(informational);
  if (visit->saw_head != exchange->has_response && visit->saw_head)
    sim_fault(visit->world, visit->id, "a response head was taken back");
  if (visit->saw_head || !exchange->has_response)
    return;
  visit->saw_head = true;
  visit->status = exchange->response.status;
  if (visit->status == 200 && !has_right_id(visit))
    sim_fault(visit->world, visit->id, "got another one's answer");
}

static void look(struct rv_job *job) {
  struct sim_visit *visit = rv_container_of(job, struct sim_visit, job);
  struct rv_exchange *exchange = visit->exchange;

  push_body(visit);
  look_at_head(visit);
  read_body(visit);
  if (!rv_exchange_finished(exchange))
    return;
  if (exchange->concluded) {
    if (visit->saw_head)
      sim_fault(visit->world, visit->id, "failed behind its head");
    finish(visit, SIM_FAILED);
  } else if (exchange->response_body.state == RV_PIPE_ABORTED) {
    finish(visit, SIM_ABORTED);
  } else {
    judge_answer(visit);
    finish(visit, SIM_ANSWERED);
  }
}

static void wake(struct rv_waker *waker) {
  struct sim_visit *visit = rv_container_of(waker, struct sim_visit, waker);

  rv_turn_add(&engine_of(visit)->turn, &visit->job, RV_PHASE_PROCESS);
}

static void on_read_timer(struct rv_timer *timer) {
  struct sim_visit *visit =
      rv_container_of(timer, struct sim_visit, read_timer);

  visit->allowance = SLOW_PIECE;
  rv_timer_set(&engine_of(visit)->timers, timer,
      engine_of(visit)->now + visit->read_pause);
  wake(&visit->waker);
}

static void on_cancel_timer(struct rv_timer *timer) {
  sim_visit_cancel(rv_container_of(timer, struct sim_visit, cancel_timer));
}

/* ---- for the world ---- */

void sim_visit_cancel(struct sim_visit *visit) {
  if (visit->exchange == NULL)
    return;
  rv_exchange_cancel(visit->exchange);
  finish(visit, SIM_CANCELLED);
}

void sim_visit_start(struct sim_visit *visit) {
  struct rv_engine *engine = engine_of(visit);

  visit->waker.wake = wake;
  visit->job.run = look;
  visit->started_at = engine->now;
  visit->allowance = SLOW_PIECE;
  rv_timer_init(&visit->read_timer, on_read_timer);
  rv_timer_init(&visit->cancel_timer, on_cancel_timer);
  visit->exchange = rv_exchange_new(engine, &visit->waker);
  assert(visit->exchange);
  visit->world->running++;
  fill_head(visit, &visit->exchange->request);
  push_body(visit);
  if (visit->read_pause > 0)
    on_read_timer(&visit->read_timer);
  if (visit->cancel_after > 0)
    rv_timer_set(&engine->timers, &visit->cancel_timer,
        engine->now + visit->cancel_after);
  rv_exchange_submit(visit->exchange, &visit->world->server.router.handler);
  wake(&visit->waker);
}

void sim_visit_check(struct sim_visit *visit) {
  if (strcmp(visit->method, "POST") == 0 && visit->executions > 1)
    sim_fault(visit->world, visit->id, "a POST was executed twice");
  if (visit->executions > visit->tries && !visit->elsewhere)
    sim_fault(visit->world, visit->id, "executed more often than tried");
  if (visit->status == 200 && visit->executions == 0)
    sim_fault(visit->world, visit->id, "answered by nobody");
  if (visit->answers > visit->executions)
    sim_fault(visit->world, visit->id, "answered twice by one handler");
}

/* It has no functions of its own: require "spec.simtunnel". */
int luaopen_spec_simtunnel_visit(lua_State *L);
int luaopen_spec_simtunnel_visit(lua_State *L) {
  lua_newtable(L);
  return 1;
}
