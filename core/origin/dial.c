/* SPDX-License-Identifier: MIT */
/* Reaching an origin. */
#include "origin/dial.h"

#include "event/tls_stream.h"
#include "http/filter.h"
#include <errno.h>
#include <inttypes.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- places ---- */

/* "http://host:port/" is the same as "host:port"; a path would be ignored, and
   is refused. */
static uint16_t strip_url(struct rv_span *text, bool *secure) {
  *secure = rv_span_cut_prefix(text, RV_SPAN("https://"));
  if (!*secure && !rv_span_cut_prefix(text, RV_SPAN("http://")))
    return 0;
  if (text->length > 0 && text->data[text->length - 1] == '/')
    text->length--;
  return *secure ? 443 : 80;
}

static bool is_port(struct rv_span text, uint64_t *port) {
  return rv_span_to_uint(text, port) && *port > 0 && *port <= 65535;
}

int rv_origin_place_init(struct rv_origin_place *place, struct rv_span text) {
  struct rv_span host = RV_SPAN("localhost");
  uint64_t number;
  *place = (struct rv_origin_place){ 0 };
  if (text.length > 5 && memcmp(text.data, "unix:", 5) == 0)
    return rv_address_parse(&place->path, text);
  uint16_t default_port = strip_url(&text, &place->secure);
  if (default_port == 0 && is_port(text, &number)) {
    place->port = (uint16_t)number;
  } else {
    bool no_host = text.length > 0 && text.data[0] == ':';
    if ((!no_host && !rv_is_authority(text)) || (no_host && default_port) ||
        rv_address_split(text, default_port, &host, &place->port) < 0 ||
        place->port == 0)
      return REVERST_ERR_ADDRESS;
    if (no_host)
      host = RV_SPAN("localhost");
  }
  place->host = strndup(host.data, host.length);
  return place->host == NULL ? REVERST_ERR_NO_MEMORY : 0;
}

void rv_origin_place_deinit(struct rv_origin_place *place) {
  free(place->host);
  place->host = NULL;
}

/* ---- dials ---- */

struct rv_origin_dial {
  struct rv_origin_dial_options options;
  struct rv_engine *engine;
  struct rv_stream_user user;
  struct rv_stream *stream;
  struct rv_resolution *resolution;
  struct rv_job free_job;
  struct rv_address addresses[RV_RESOLVER_MAX_ADDRESSES];
  size_t count, next;
  uint64_t deadline;
  struct rv_timer timer;
  bool is_secure; /* the stream is TLS */
  bool done;      /* told, or cancelled */
};

static void run_free(struct rv_job *job) {
  struct rv_origin_dial *dial =
      rv_container_of(job, struct rv_origin_dial, free_job);
  rv_timer_stop(&dial->engine->timers, &dial->timer);
  free(dial);
}

static void free_later(struct rv_origin_dial *dial) {
  dial->done = true;
  rv_turn_add(&dial->engine->turn, &dial->free_job, RV_PHASE_FREE);
}

/* A stream tells the end once more. */
void rv_origin_dial_cancel(struct rv_origin_dial *dial) {
  if (dial->done)
    return;
  dial->done = true;
  rv_resolver_cancel(dial->resolution);
  if (dial->stream != NULL)
    rv_stream_close(dial->stream, RV_STREAM_ABORT);
  else
    free_later(dial);
}

/* Cancelling it first: what the callee does may free the place. */
static void fail(struct rv_origin_dial *dial, int error, const char *reason) {
  rv_origin_dial_cancel(dial);
  dial->options.on_failed(dial, error, reason, dial->options.user_data);
}

/* "2 s", "250 ms" */
static void fail_late(struct rv_origin_dial *dial) {
  uint64_t milliseconds = dial->options.timeout / RV_MILLISECOND;
  bool whole = milliseconds % 1000 == 0;
  char reason[64];
  (void)snprintf(reason, sizeof(reason), "no connection within %" PRIu64 " %s",
      whole ? milliseconds / 1000 : milliseconds, whole ? "s" : "ms");
  fail(dial, REVERST_ERR_TIMEOUT, reason);
}

static void on_timer(struct rv_timer *timer) {
  struct rv_origin_dial *dial =
      rv_container_of(timer, struct rv_origin_dial, timer);
  if (!dial->done)
    fail_late(dial);
}

/* Each address gets its share of what is left of the time. */
static uint64_t share_of_time(const struct rv_origin_dial *dial) {
  uint64_t now = dial->engine->now;
  if (dial->deadline == RV_NEVER)
    return RV_NEVER;
  uint64_t left = dial->deadline > now ? dial->deadline - now : 0;
  return left / (dial->count - dial->next);
}

/* Dials the next address; false when there is none, or no time. */
static bool try_next(struct rv_origin_dial *dial) {
  if (dial->next == dial->count)
    return false;
  uint64_t timeout = share_of_time(dial);
  const struct rv_address *address = &dial->addresses[dial->next++];
  return timeout > 0 && rv_tcp_stream_connect(&dial->stream, dial->options.loop,
                            address, timeout, &dial->user) == 0;
}

static struct rv_origin_dial *dial_of(struct rv_stream_user *user) {
  return rv_container_of(user, struct rv_origin_dial, user);
}

static void start_tls(struct rv_origin_dial *dial) {
  struct rv_tls_session_options options = {
    .engine = dial->engine,
    .context = dial->options.tls,
    .server_name = dial->options.place->host,
    .alpn = "http/1.1",
  };
  int r =
      rv_tls_stream_open(&dial->stream, dial->stream, &options, &dial->user);
  dial->is_secure = r == 0;
  if (r < 0)
    fail(dial, REVERST_ERR_TLS, reverst_strerror(r));
}

static void on_connected(struct rv_stream_user *user) {
  struct rv_origin_dial *dial = dial_of(user);
  struct rv_stream *stream = dial->stream;
  if (dial->options.place->secure && !dial->is_secure) {
    start_tls(dial);
    return;
  }
  dial->done = true;
  if (dial->options.on_connected(dial, stream, dial->options.user_data)) {
    dial->stream = NULL;
    free_later(dial);
  } else {
    rv_stream_close(stream, RV_STREAM_ABORT);
  }
}

static void on_closed(struct rv_stream_user *user, int error) {
  struct rv_origin_dial *dial = dial_of(user);
  const char *reason =
      dial->is_secure ? rv_tls_stream_reason(dial->stream) : NULL;
  dial->stream = NULL;
  dial->is_secure = false;
  if (dial->done)
    free_later(dial);
  else if (reason != NULL)
    fail(dial, REVERST_ERR_TLS, reason);
  else if (!try_next(dial)) {
    if (error == ETIMEDOUT)
      fail_late(dial);
    else
      fail(dial, REVERST_ERR_CONNECT, strerror(error));
  }
}

static void on_data(struct rv_stream_user *user, struct rv_slice slice) {
  (void)user;
  rv_slice_release(&slice);
}

static void on_end(struct rv_stream_user *user) {
  (void)user;
}

static size_t gather(
    struct rv_stream_user *user, struct iovec *vectors, size_t max) {
  (void)user;
  (void)vectors;
  (void)max;
  return 0;
}

static void on_sent(struct rv_stream_user *user, size_t length) {
  (void)user;
  (void)length;
}

static const struct rv_stream_user_ops user_ops = {
  .on_connected = on_connected,
  .on_data = on_data,
  .on_end = on_end,
  .gather = gather,
  .on_sent = on_sent,
  .on_closed = on_closed,
};

static void on_resolved(int error, const struct rv_address *addresses,
    size_t count, void *user_data) {
  struct rv_origin_dial *dial = user_data;
  dial->resolution = NULL;
  for (size_t i = 0; i < count; i++)
    dial->addresses[i] = addresses[i];
  dial->count = count;
  if (error == 0) /* else there are none to try */
    error = REVERST_ERR_CONNECT;
  if (!try_next(dial))
    fail(dial, error, reverst_strerror(error));
}

static int start(struct rv_origin_dial *dial) {
  const struct rv_origin_place *place = dial->options.place;
  if (place->host != NULL)
    return rv_resolver_resolve(dial->options.resolver, &dial->resolution,
        rv_span_of(place->host), place->port, on_resolved, dial);
  dial->addresses[dial->count++] = place->path;
  return try_next(dial) ? 0 : REVERST_ERR_NO_MEMORY;
}

int rv_origin_dial_start(struct rv_origin_dial **dial,
    const struct rv_origin_dial_options *options) {
  struct rv_origin_dial *new_dial = calloc(1, sizeof(*new_dial));
  if (new_dial == NULL)
    return REVERST_ERR_NO_MEMORY;
  new_dial->options = *options;
  new_dial->engine = rv_loop_engine(options->loop);
  new_dial->user.ops = &user_ops;
  new_dial->free_job.run = run_free;
  new_dial->deadline = rv_deadline(new_dial->engine->now, options->timeout);
  rv_timer_init(&new_dial->timer, on_timer);
  int r = rv_timer_set(
      &new_dial->engine->timers, &new_dial->timer, new_dial->deadline);
  if (r == 0)
    r = start(new_dial);
  if (r < 0) {
    rv_timer_stop(&new_dial->engine->timers, &new_dial->timer);
    free(new_dial);
  } else {
    *dial = new_dial;
  }
  return r;
}
