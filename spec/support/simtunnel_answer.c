/* SPDX-License-Identifier: MIT */
/* Handlers at the far end of simulated tunnels: they answer as the visitor's
   plan says, and count what they do. */
#include "simtunnel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIECE = 5000 };

struct answer {
  struct sim_visit *visit;
  struct sim_client *client;
  reverst_request *request;
  struct rv_timer timer;
  uint64_t read, written;
  bool read_end, waiting, due, started, done;
};

static struct rv_engine *engine_of(const struct answer *answer) {
  return simnet_host_engine(answer->client->host);
}

static void fault(const struct answer *answer, const char *what) {
  sim_fault(answer->visit->world, answer->visit->id, what);
}

/* ---- the request's body ---- */

static void read_body(struct answer *answer) {
  uint8_t data[8192];
  ssize_t n = 0;

  while (!answer->read_end &&
         (n = reverst_request_read(answer->request, data, sizeof(data))) > 0) {
    if (!sim_is_pattern(
            answer->visit->id, false, answer->read, data, (size_t)n))
      fault(answer, "bytes of a request are wrong");
    answer->read += (uint64_t)n;
  }
  if (answer->read_end || n != 0)
    return;
  answer->read_end = true;
  if (answer->read != answer->visit->up)
    fault(answer, "a request was cut short in silence");
}

/* ---- the answer ---- */

static uint64_t length_of_answer(const struct answer *answer) {
  const struct sim_visit *visit = answer->visit;

  return visit->mode == SIM_ABORT ? visit->down / 2 : visit->down;
}

static void end(struct answer *answer) {
  const reverst_field trailers[] = { { "x-end", "answer" }, { NULL, NULL } };
  const struct sim_visit *visit = answer->visit;

  answer->done = true;
  if (visit->mode == SIM_ABORT)
    reverst_response_abort(answer->request);
  else if (reverst_response_end(
               answer->request, visit->with_trailers ? trailers : NULL) == 0)
    answer->visit->answers++;
}

static void write_body(struct answer *answer) {
  uint64_t length = length_of_answer(answer);
  uint8_t data[PIECE];

  while (answer->written < length) {
    uint64_t left = length - answer->written;
    size_t n = left < PIECE ? (size_t)left : PIECE;

    sim_fill_pattern(answer->visit->id, true, answer->written, data, n);
    if (reverst_response_write(answer->request, data, n) < 0)
      return;
    answer->written += n;
  }
  end(answer);
}

static void respond_whole(
    struct answer *answer, const reverst_response *response) {
  reverst_response whole = *response;
  uint8_t *body = malloc(answer->visit->down + 1);

  assert(body);
  sim_fill_pattern(answer->visit->id, true, 0, body, answer->visit->down);
  whole.body = body;
  whole.body_length = answer->visit->down;
  answer->done = true;
  if (reverst_respond(answer->request, &whole) == 0)
    answer->visit->answers++;
  free(body);
}

static void respond(struct answer *answer) {
  const struct sim_visit *visit = answer->visit;
  char id[32], length[32];
  const reverst_field fields[] = { { "x-id", id },
    { visit->with_length ? "content-length" : NULL, length }, { NULL, NULL } };
  const reverst_response response = { .headers = fields };

  snprintf(id, sizeof(id), "%zu", visit->id);
  snprintf(length, sizeof(length), "%llu", (unsigned long long)visit->down);
  answer->started = true;
  if (visit->mode == SIM_ABORT_HEAD) {
    answer->done = true;
    reverst_response_abort(answer->request);
  } else if (visit->mode == SIM_WHOLE) {
    respond_whole(answer, &response);
  } else if (reverst_response_start(answer->request, &response) == 0) {
    write_body(answer);
  }
}

/* ---- what to do next ---- */

static bool may_respond(const struct answer *answer) {
  switch (answer->visit->mode) {
  case SIM_NEVER:
    return false;
  case SIM_AT_ONCE:
  case SIM_IGNORE:
  case SIM_ABORT_HEAD:
    return true;
  default:
    return answer->read_end;
  }
}

static void go_on(struct answer *answer) {
  if (answer->visit->mode != SIM_IGNORE)
    read_body(answer);
  if (answer->done)
    return;
  if (answer->started) {
    write_body(answer);
  } else if (answer->due && may_respond(answer)) {
    respond(answer);
  } else if (!answer->waiting && may_respond(answer)) {
    answer->waiting = true;
    rv_timer_set(&engine_of(answer)->timers, &answer->timer,
        engine_of(answer)->now + answer->visit->delay);
  }
}

static void on_timer(struct rv_timer *timer) {
  struct answer *answer = rv_container_of(timer, struct answer, timer);

  answer->due = true;
  go_on(answer);
}

static void on_progress(reverst_request *request, void *user_data) {
  (void)request;
  go_on(user_data);
}

static void on_closed(
    reverst_request *request, bool complete, void *user_data) {
  struct answer *answer = user_data;

  (void)request;
  if (complete && !answer->done && strcmp(answer->visit->method, "HEAD") != 0)
    fault(answer, "complete before its handler ended it");
  rv_timer_stop(&engine_of(answer)->timers, &answer->timer);
  free(answer);
}

void sim_on_request(reverst_request *request, void *user_data) {
  static const reverst_request_events events = { on_progress, on_progress,
    on_closed };
  struct sim_client *client = user_data;
  struct sim_world *world = client->world;
  size_t id = (size_t)strtoul(reverst_request_path(request) + 1, NULL, 10);
  const char *field = reverst_request_header(request, "X-Id");
  struct answer *answer = calloc(1, sizeof(*answer));

  assert(answer && id >= 1 && id <= world->visit_count);
  answer->visit = world->visits[id - 1];
  answer->client = client;
  answer->request = request;
  rv_timer_init(&answer->timer, on_timer);
  if (field == NULL || strcmp(field, reverst_request_path(request) + 1) != 0)
    fault(answer, "a request came with another one's fields");
  answer->visit->executions++;
  reverst_request_set_events(request, &events, answer);
  go_on(answer);
}

/* It has no functions of its own: require "spec.simtunnel". */
int luaopen_spec_simtunnel_answer(lua_State *L);
int luaopen_spec_simtunnel_answer(lua_State *L) {
  lua_newtable(L);
  return 1;
}
