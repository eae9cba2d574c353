/* SPDX-License-Identifier: MIT */
/* The public functions on requests and their responses. */
#include "client/request.h"

#include "http/filter.h"
#include "http/response.h"
#include <stdlib.h>
#include <strings.h>

struct reverst_request {
  struct rv_waker waker;
  struct rv_job job, free_job;
  struct rv_exchange *exchange;
  struct rv_application *application;
  reverst_request_events events;
  void *user_data;
  bool delivered;   /* on_request was called */
  bool wants_room;  /* a write said REVERST_ERR_AGAIN */
  bool wants_bytes; /* a read said REVERST_ERR_AGAIN */
  bool aborted, closed;
  struct rv_arena arena; /* NUL terminated copies */
  const char *method, *scheme, *host, *path;
  reverst_field *headers; /* made at the first question */
  size_t header_count;
};

/* ---- life ---- */

static void free_request(struct rv_job *job) {
  reverst_request *request = rv_container_of(job, reverst_request, free_job);

  rv_arena_deinit(&request->arena);
  free(request);
}

static void close_request(reverst_request *request) {
  struct rv_exchange *exchange = request->exchange;
  struct rv_engine *engine = exchange->engine;
  bool complete = !exchange->cancelled && !request->aborted &&
                  exchange->failure == RV_FAILURE_NONE;

  request->closed = true;
  if (request->delivered && request->events.on_closed != NULL)
    request->events.on_closed(request, complete, request->user_data);
  rv_turn_remove(&request->job);
  rv_exchange_detach_upstream(exchange);
  rv_turn_add(&engine->turn, &request->free_job, RV_PHASE_FREE);
}

static bool is_over(const reverst_request *request) {
  const struct rv_exchange *exchange = request->exchange;

  return exchange->cancelled || exchange->failure != RV_FAILURE_NONE ||
         rv_exchange_finished(exchange);
}

static bool has_news_to_read(const reverst_request *request) {
  const struct rv_pipe *pipe = &request->exchange->request_body;

  return rv_pipe_available(pipe) > 0 || pipe->state != RV_PIPE_OPEN;
}

static void tell_news(reverst_request *request) {
  if (request->wants_bytes && has_news_to_read(request)) {
    request->wants_bytes = false;
    if (request->events.on_readable != NULL)
      request->events.on_readable(request, request->user_data);
  }
  if (!request->closed && request->wants_room &&
      rv_pipe_wants(&request->exchange->response_body)) {
    request->wants_room = false;
    if (request->events.on_writable != NULL)
      request->events.on_writable(request, request->user_data);
  }
}

static void run_request(struct rv_job *job) {
  reverst_request *request = rv_container_of(job, reverst_request, job);
  struct rv_application *application = request->application;

  if (!request->delivered && !is_over(request)) {
    if (application->closed)
      return; /* it is cancelled with its tunnel */
    request->delivered = true;
    application->on_request(request, application->user_data);
  } else if (!is_over(request)) {
    tell_news(request);
  }
  if (is_over(request))
    close_request(request);
}

static void wake_request(struct rv_waker *waker) {
  reverst_request *request = rv_container_of(waker, reverst_request, waker);

  if (!request->closed)
    rv_turn_add(
        &request->application->engine->turn, &request->job, RV_PHASE_SCRIPT);
}

static const char *text(reverst_request *request, struct rv_span span) {
  return rv_arena_copy(&request->arena, span).data;
}

static reverst_request *new_request(
    struct rv_application *application, struct rv_exchange *exchange) {
  const struct rv_head *head = &exchange->request;
  reverst_request *request = calloc(1, sizeof(*request));

  if (request == NULL)
    return NULL;
  rv_arena_init(&request->arena);
  request->waker.wake = wake_request;
  request->job.run = run_request;
  request->free_job.run = free_request;
  request->application = application;
  request->exchange = exchange;
  request->wants_bytes = true;
  request->method = text(request, head->method);
  request->scheme = text(request, head->scheme);
  request->host = text(request, head->authority);
  request->path = text(request, head->path);
  if (request->method && request->scheme && request->host && request->path)
    return request;
  free_request(&request->free_job);
  return NULL;
}

static void handle(struct rv_handler *handler, struct rv_exchange *exchange) {
  struct rv_application *application =
      rv_container_of(handler, struct rv_application, handler);
  reverst_request *request = new_request(application, exchange);

  if (request == NULL) {
    rv_exchange_fail(exchange, RV_FAILURE_LIMIT);
    return;
  }
  rv_exchange_attach_upstream(exchange, &request->waker);
  wake_request(&request->waker);
}

void rv_application_init(struct rv_application *application,
    struct rv_engine *engine,
    void (*on_request)(reverst_request *request, void *user_data),
    void *user_data) {
  *application = (struct rv_application){
    .handler = { handle },
    .engine = engine,
    .on_request = on_request,
    .user_data = user_data,
  };
}

/* ---- reading ---- */

const char *reverst_request_method(const reverst_request *request) {
  return request->method;
}

const char *reverst_request_scheme(const reverst_request *request) {
  return request->scheme;
}

const char *reverst_request_host(const reverst_request *request) {
  return request->host;
}

const char *reverst_request_path(const reverst_request *request) {
  return request->path;
}

/* Texts are made when they are asked for: most applications ask for none. */
static bool make_headers(reverst_request *request) {
  const struct rv_fields *fields = &request->exchange->request.fields;
  reverst_field *headers;

  if (request->headers != NULL)
    return true;
  headers = rv_arena_allocate(
      &request->arena, (fields->count + 1) * sizeof(*headers));
  if (headers == NULL)
    return false;
  for (size_t i = 0; i < fields->count; i++) {
    headers[i].name = text(request, fields->items[i].name);
    headers[i].value = text(request, fields->items[i].value);
    if (headers[i].name == NULL || headers[i].value == NULL)
      return false;
  }
  request->headers = headers;
  request->header_count = fields->count;
  return true;
}

bool reverst_request_header_at(const reverst_request *request, size_t index,
    const char **name, const char **value) {
  if (!make_headers((reverst_request *)(uintptr_t)request) ||
      index >= request->header_count)
    return false;
  *name = request->headers[index].name;
  *value = request->headers[index].value;
  return true;
}

const char *reverst_request_header(
    const reverst_request *request, const char *name) {
  const char *candidate, *value;

  for (size_t i = 0; reverst_request_header_at(request, i, &candidate, &value);
       i++)
    if (strcasecmp(candidate, name) == 0)
      return value;
  return NULL;
}

void reverst_request_set_events(reverst_request *request,
    const reverst_request_events *events, void *user_data) {
  request->events = *events;
  request->user_data = user_data;
  wake_request(&request->waker);
}

ssize_t reverst_request_read(
    reverst_request *request, void *data, size_t size) {
  struct rv_pipe *pipe = &request->exchange->request_body;
  struct rv_slice slice;
  size_t total = 0;

  while (total < size && rv_pipe_take(pipe, size - total, &slice)) {
    memcpy((uint8_t *)data + total, slice.data, slice.length);
    total += slice.length;
    rv_slice_release(&slice);
  }
  if (total > 0 || size == 0)
    return (ssize_t)total;
  if (rv_pipe_finished(pipe))
    return 0;
  if (pipe->state != RV_PIPE_OPEN)
    return REVERST_ERR_CLOSED;
  request->wants_bytes = true;
  return REVERST_ERR_AGAIN;
}

/* ---- answering ---- */

static int send_head(
    reverst_request *request, const reverst_response *response) {
  struct rv_head head;
  int r;

  if (request->closed || request->exchange->has_response)
    return REVERST_ERR_CLOSED;
  r = rv_response_head(
      response, request->exchange->request.method, false, &head);
  return r < 0 ? r : rv_exchange_respond(request->exchange, &head);
}

int reverst_respond(
    reverst_request *request, const reverst_response *response) {
  int r = request->closed ? REVERST_ERR_CLOSED
                          : rv_exchange_answer(request->exchange, response);

  wake_request(&request->waker);
  return r;
}

int reverst_response_start(
    reverst_request *request, const reverst_response *response) {
  int r;

  if (response->body != NULL || response->body_length > 0)
    return REVERST_ERR_INVALID;
  r = send_head(request, response);
  wake_request(&request->waker); /* without a body it is over */
  return r;
}

static struct rv_pipe *writable_pipe(reverst_request *request) {
  struct rv_exchange *exchange = request->exchange;

  if (request->closed || !exchange->has_response ||
      exchange->response_body.state != RV_PIPE_OPEN)
    return NULL;
  return &exchange->response_body;
}

int reverst_response_write(
    reverst_request *request, const void *data, size_t length) {
  struct rv_pipe *pipe = writable_pipe(request);

  if (pipe == NULL)
    return REVERST_ERR_CLOSED;
  if (!rv_pipe_wants(pipe)) {
    request->wants_room = true;
    return REVERST_ERR_AGAIN;
  }
  return rv_pipe_push_copy(
      pipe, &request->exchange->engine->chunks, data, length);
}

int reverst_response_end(
    reverst_request *request, const reverst_field *trailers) {
  struct rv_pipe *pipe = writable_pipe(request);
  struct rv_fields fields;
  int r;

  if (pipe == NULL)
    return REVERST_ERR_CLOSED;
  rv_fields_init(&fields, &request->arena);
  r = rv_response_fields(&fields, trailers, true);
  if (r == 0 &&
      rv_filter_check_fields(&fields, &rv_limits_default) != RV_FAILURE_NONE)
    r = REVERST_ERR_INVALID;
  if (r < 0)
    return r;
  rv_filter_trailers(&fields);
  r = rv_pipe_end(pipe, fields.count > 0 ? &fields : NULL);
  wake_request(&request->waker);
  return r;
}

void reverst_response_abort(reverst_request *request) {
  if (request->closed)
    return;
  request->aborted = true;
  rv_exchange_fail(request->exchange, RV_FAILURE_UPSTREAM_RESET);
  wake_request(&request->waker);
}
