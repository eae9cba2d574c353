/* SPDX-License-Identifier: MIT */
/* One fetch: the downstream of an exchange, which wants the answer whole. */
#include "origin/fetcher.h"

#include "base/buffer.h"
#include <inttypes.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_CONNECT_TIMEOUT (10 * RV_SECOND)
#define DEFAULT_TIMEOUT (30 * RV_SECOND)
enum { DEFAULT_MAX_BODY = 1024 * 1024, MAX_LABEL = 300, MAX_WORDS = 200 };

struct reverst_fetch {
  struct rv_list node;
  struct reverst_fetcher *fetcher;
  struct rv_fetch_origin *origin; /* NULL: there is none */
  struct rv_exchange *exchange;   /* NULL: let go of after an error */
  struct rv_waker waker;
  struct rv_job job, done_job;
  struct rv_timer timer;
  uint64_t timeout;
  size_t max_body;
  struct rv_buffer body;
  char label[MAX_LABEL]; /* of the origin */
  int error;             /* of the result, or why it is not reached */
  char words[MAX_WORDS];
  void (*on_done)(const reverst_fetch_result *result, void *user_data);
  void *user_data;
};

/* ---- the end ---- */

static void let_go(struct reverst_fetch *fetch) {
  if (fetch->exchange != NULL)
    rv_exchange_detach_downstream(fetch->exchange);
  fetch->exchange = NULL;
  if (fetch->origin != NULL)
    rv_fetcher_leave_origin(fetch->fetcher, fetch->origin);
  fetch->origin = NULL;
}

static void free_fetch(struct reverst_fetch *fetch) {
  struct reverst_fetcher *fetcher = fetch->fetcher;
  let_go(fetch);
  rv_timer_stop(&fetcher->engine->timers, &fetch->timer);
  rv_turn_remove(&fetch->job);
  rv_turn_remove(&fetch->done_job);
  rv_list_remove(&fetch->node);
  rv_buffer_deinit(&fetch->body);
  rv_loop_release(fetcher->loop);
  free(fetch);
}

static void finish_later(struct reverst_fetch *fetch) {
  rv_timer_stop(&fetch->fetcher->engine->timers, &fetch->timer);
  rv_turn_remove(&fetch->job);
  rv_turn_add(&fetch->fetcher->engine->turn, &fetch->done_job, RV_PHASE_SCRIPT);
}

static void fail(struct reverst_fetch *fetch, int error, const char *words) {
  fetch->error = error;
  (void)snprintf(fetch->words, sizeof(fetch->words), "%s", words);
  let_go(fetch);
  finish_later(fetch);
}

/* An array that ends with a NULL name, in the response's arena; NULL: out of
   memory. */
static const reverst_field *list_headers(struct rv_head *head) {
  const struct rv_fields *fields = &head->fields;
  reverst_field *list = rv_arena_allocate(
      &head->arena, (fields->count + 1) * sizeof(reverst_field));
  if (list == NULL)
    return NULL;
  for (size_t i = 0; i < fields->count; i++) {
    list[i].name = rv_arena_copy(&head->arena, fields->items[i].name).data;
    list[i].value = rv_arena_copy(&head->arena, fields->items[i].value).data;
    if (list[i].name == NULL || list[i].value == NULL)
      return NULL;
  }
  list[fields->count] = (reverst_field){ NULL, NULL };
  return list;
}

static void compose(struct reverst_fetch *fetch, reverst_fetch_result *result) {
  *result = (reverst_fetch_result){ .error = fetch->error, .message = "" };
  if (fetch->error != 0)
    return;
  rv_buffer_append_byte(&fetch->body, '\0');
  result->status = fetch->exchange->response.status;
  result->headers = list_headers(&fetch->exchange->response);
  result->body = (const char *)fetch->body.data;
  result->body_length = fetch->body.length - 1;
  if (result->headers == NULL || fetch->body.failed) {
    *result = (reverst_fetch_result){ .error = REVERST_ERR_NO_MEMORY };
    (void)snprintf(fetch->words, sizeof(fetch->words), "%s",
        reverst_strerror(REVERST_ERR_NO_MEMORY));
  }
}

/* The fetcher may be closed within on_done: it finds this one no more, and
   lives until the end of the turn. */
static void run_done(struct rv_job *job) {
  struct reverst_fetch *fetch =
      rv_container_of(job, struct reverst_fetch, done_job);
  char message[MAX_LABEL + MAX_WORDS + 4];
  reverst_fetch_result result;
  rv_list_remove(&fetch->node);
  compose(fetch, &result);
  if (result.error != 0) {
    (void)snprintf(
        message, sizeof(message), "%s: %s", fetch->label, fetch->words);
    result.message = message;
  }
  if (fetch->origin != NULL)
    rv_fetcher_leave_origin(fetch->fetcher, fetch->origin);
  fetch->origin = NULL;
  fetch->on_done(&result, fetch->user_data);
  free_fetch(fetch);
}

void reverst_fetch_cancel(reverst_fetch *fetch) {
  rv_engine_refresh(fetch->fetcher->engine);
  free_fetch(fetch);
}

void rv_fetch_cancel_all(struct reverst_fetcher *fetcher) {
  while (!rv_list_empty(&fetcher->fetches))
    free_fetch(
        rv_container_of(fetcher->fetches.next, struct reverst_fetch, node));
}

/* ---- failures ---- */

/* "5 s", "250 ms" */
static void fail_late(struct reverst_fetch *fetch) {
  uint64_t milliseconds = fetch->timeout / RV_MILLISECOND;
  bool whole = milliseconds % 1000 == 0;
  char words[64];
  (void)snprintf(words, sizeof(words), "no answer within %" PRIu64 " %s",
      whole ? milliseconds / 1000 : milliseconds, whole ? "s" : "ms");
  fail(fetch, REVERST_ERR_TIMEOUT, words);
}

static void on_timer(struct rv_timer *timer) {
  fail_late(rv_container_of(timer, struct reverst_fetch, timer));
}

static void fail_large(struct reverst_fetch *fetch) {
  char words[64];
  (void)snprintf(words, sizeof(words), "its answer has more than %zu bytes",
      fetch->max_body);
  fail(fetch, REVERST_ERR_LIMIT, words);
}

static void fail_by_cause(
    struct reverst_fetch *fetch, enum rv_failure failure) {
  switch (failure) {
  case RV_FAILURE_ORIGIN_UNREACHABLE:
    if (fetch->error != 0) {
      let_go(fetch);
      finish_later(fetch);
    } else {
      fail(fetch, REVERST_ERR_CONNECT, "the connection cannot be made");
    }
    break;
  case RV_FAILURE_REFUSED:
  case RV_FAILURE_TUNNEL_LOST:
    fail(fetch, REVERST_ERR_CLOSED, "it closed the connection");
    break;
  case RV_FAILURE_UPSTREAM_RESET:
    fail(fetch, REVERST_ERR_CLOSED,
        fetch->exchange->has_response
            ? "it broke off its answer"
            : "it closed the connection without an answer");
    break;
  case RV_FAILURE_ORIGIN_MALFORMED:
    fail(fetch, REVERST_ERR_MALFORMED, "its answer is not valid HTTP");
    break;
  case RV_FAILURE_TIMEOUT_HEAD:
  case RV_FAILURE_TIMEOUT_BODY:
    fail(fetch, REVERST_ERR_TIMEOUT, "the transfer stood still for too long");
    break;
  case RV_FAILURE_LIMIT:
    fail(fetch, REVERST_ERR_LIMIT, "too many requests wait for it");
    break;
  default:
    fail(fetch, REVERST_ERR_NO_MEMORY, reverst_strerror(REVERST_ERR_NO_MEMORY));
  }
}

void rv_fetch_note_unreachable(struct rv_exchange *exchange, int error,
    const char *reason, void *user_data) {
  struct reverst_fetch *fetch;
  (void)user_data;
  if (exchange->downstream == NULL) /* it was let go of in the same turn */
    return;
  fetch = rv_container_of(exchange->downstream, struct reverst_fetch, waker);
  fetch->error = error;
  (void)snprintf(fetch->words, sizeof(fetch->words), "%s", reason);
  if (fetch->words[0] >= 'A' && fetch->words[0] <= 'Z')
    fetch->words[0] = (char)(fetch->words[0] - 'A' + 'a');
}

/* ---- the answer ---- */

static void drop_informational(struct rv_exchange *exchange) {
  struct rv_informational *informational;
  while ((informational = rv_exchange_take_informational(exchange)) != NULL)
    rv_informational_free(informational);
}

/* false: it is too large, or there is no memory for it. */
static bool take_body(struct reverst_fetch *fetch) {
  struct rv_pipe *pipe = &fetch->exchange->response_body;
  struct rv_slice slice;
  while (rv_pipe_take(pipe, SIZE_MAX, &slice)) {
    bool fits = slice.length <= fetch->max_body - fetch->body.length;
    if (fits)
      rv_buffer_append(&fetch->body, slice.data, slice.length);
    rv_slice_release(&slice);
    if (!fits) {
      fail_large(fetch);
      return false;
    }
  }
  if (!fetch->body.failed)
    return true;
  fail_by_cause(fetch, RV_FAILURE_INTERNAL);
  return false;
}

static bool is_announced_too_large(const struct reverst_fetch *fetch) {
  const struct rv_head *head = &fetch->exchange->response;
  return !head->no_body && head->content_length != RV_NO_LENGTH &&
         (uint64_t)head->content_length > fetch->max_body;
}

static void advance(struct reverst_fetch *fetch) {
  struct rv_exchange *exchange = fetch->exchange;
  drop_informational(exchange);
  if (exchange->concluded) {
    fail_by_cause(fetch, exchange->failure);
    return;
  }
  if (!exchange->has_response)
    return;
  if (is_announced_too_large(fetch)) {
    fail_large(fetch);
    return;
  }
  if (!take_body(fetch))
    return;
  if (exchange->response_body.state == RV_PIPE_ABORTED)
    fail_by_cause(fetch, exchange->response_body.cause);
  else if (rv_pipe_finished(&exchange->response_body))
    finish_later(fetch);
}

static void run_job(struct rv_job *job) {
  struct reverst_fetch *fetch = rv_container_of(job, struct reverst_fetch, job);
  if (fetch->exchange != NULL)
    advance(fetch);
}

static void wake(struct rv_waker *waker) {
  struct reverst_fetch *fetch =
      rv_container_of(waker, struct reverst_fetch, waker);
  rv_turn_add(&fetch->fetcher->engine->turn, &fetch->job, RV_PHASE_PROCESS);
}

/* ---- the request ---- */

/* What says how the message is framed, and for whom, is ours. */
static void remove_own_fields(struct rv_fields *fields) {
  rv_fields_remove(fields, RV_SPAN("host"));
  rv_fields_remove(fields, RV_SPAN("content-length"));
  rv_fields_remove(fields, RV_SPAN("expect"));
  rv_filter_hop_by_hop(fields);
}

static int add_fields(struct rv_head *head, const reverst_field *field) {
  struct rv_span name = RV_SPAN("user-agent");
  int r = 0;
  for (; r == 0 && field != NULL && field->name != NULL; field++) {
    if (field->value == NULL || !rv_is_token(rv_span_of(field->name)) ||
        !rv_is_field_value(rv_span_of(field->value)))
      return REVERST_ERR_INVALID;
    r = rv_fields_add_copy(
        &head->fields, rv_span_of(field->name), rv_span_of(field->value));
  }
  if (r < 0)
    return r;
  remove_own_fields(&head->fields);
  if (rv_fields_find(&head->fields, name) == NULL)
    r = rv_fields_add(&head->fields, name, RV_SPAN("reverst/" REVERST_VERSION));
  if (r < 0)
    return r;
  return rv_filter_check_fields(&head->fields, &rv_limits_default) ==
                 RV_FAILURE_NONE
             ? 0
             : REVERST_ERR_INVALID;
}

static int set_method(struct rv_head *head, const char *method) {
  struct rv_span span = method != NULL ? rv_span_of(method) : RV_SPAN("GET");
  if (!rv_is_token(span) || rv_span_equal(span, RV_SPAN("CONNECT")))
    return REVERST_ERR_INVALID;
  head->method = rv_arena_copy(&head->arena, span);
  return head->method.data != NULL ? 0 : REVERST_ERR_NO_MEMORY;
}

static int set_body(
    struct rv_exchange *exchange, const reverst_fetch_options *options) {
  struct rv_head *head = &exchange->request;
  int r = 0;
  head->no_body = options->body_length == 0;
  if (!head->no_body) {
    head->content_length = (int64_t)options->body_length;
    r = rv_pipe_push_copy(&exchange->request_body, &exchange->engine->chunks,
        options->body, options->body_length);
  }
  return r == 0 ? rv_pipe_end(&exchange->request_body, NULL) : r;
}

static int compose_request(struct rv_exchange *exchange, struct rv_url *url,
    const reverst_fetch_options *options) {
  struct rv_head *head = &exchange->request;
  int r = options->url != NULL
              ? rv_url_parse(url, &head->arena, rv_span_of(options->url))
              : REVERST_ERR_ADDRESS;
  if (r < 0)
    return r;
  head->scheme = url->secure ? RV_SPAN("https") : RV_SPAN("http");
  head->authority = url->authority;
  head->path = url->target;
  r = set_method(head, options->method);
  if (r == 0)
    r = add_fields(head, options->headers);
  return r == 0 ? set_body(exchange, options) : r;
}

static struct reverst_fetch *new_fetch(
    struct reverst_fetcher *fetcher, const reverst_fetch_options *options) {
  struct reverst_fetch *fetch = calloc(1, sizeof(*fetch));
  if (fetch == NULL)
    return NULL;
  fetch->fetcher = fetcher;
  fetch->waker.wake = wake;
  fetch->job.run = run_job;
  fetch->done_job.run = run_done;
  fetch->timeout = options->timeout > 0 ? options->timeout : DEFAULT_TIMEOUT;
  fetch->max_body =
      options->max_body > 0 ? options->max_body : DEFAULT_MAX_BODY;
  rv_timer_init(&fetch->timer, on_timer);
  rv_buffer_init(&fetch->body, 0);
  rv_list_push(&fetcher->fetches, &fetch->node);
  rv_loop_hold(fetcher->loop);
  return fetch;
}

/* What is wrong with the origin is told like all that is wrong with it. */
static void submit(struct reverst_fetch *fetch, const struct rv_url *url,
    const reverst_fetch_options *options) {
  uint64_t connect_timeout = options->connect_timeout > 0
                                 ? options->connect_timeout
                                 : DEFAULT_CONNECT_TIMEOUT;
  int r = rv_fetcher_use_origin(
      fetch->fetcher, &fetch->origin, url, options->ca_path, connect_timeout);
  (void)snprintf(fetch->label, sizeof(fetch->label), "%s", url->label.data);
  if (r == REVERST_ERR_LIMIT)
    fail(fetch, r, "too many origins are in use");
  else if (r == REVERST_ERR_CERTIFICATE)
    fail(fetch, REVERST_ERR_TLS, "the roots to check it by cannot be read");
  else if (r < 0)
    fail(fetch, r, reverst_strerror(r));
  else
    rv_exchange_submit(
        fetch->exchange, rv_origin_handler(fetch->origin->origin));
}

int reverst_fetch_start(reverst_fetch **fetch, reverst_fetcher *fetcher,
    const reverst_fetch_options *options,
    void (*on_done)(const reverst_fetch_result *result, void *user_data),
    void *user_data) {
  struct reverst_fetch *made;
  struct rv_url url;
  int r = REVERST_ERR_NO_MEMORY;
  if (fetcher->closed)
    return REVERST_ERR_CLOSED;
  rv_engine_refresh(fetcher->engine);
  made = new_fetch(fetcher, options);
  if (made == NULL)
    return r;
  made->on_done = on_done;
  made->user_data = user_data;
  made->exchange = rv_exchange_new(fetcher->engine, &made->waker);
  if (made->exchange != NULL)
    r = compose_request(made->exchange, &url, options);
  if (r == 0)
    r = rv_timer_set(&fetcher->engine->timers, &made->timer,
        rv_deadline(fetcher->engine->now, made->timeout));
  if (r < 0) {
    free_fetch(made);
    return r;
  }
  submit(made, &url, options);
  *fetch = made;
  return 0;
}
