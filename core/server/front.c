/* SPDX-License-Identifier: MIT */
/* Visitors' connections and their bounds. */
#include "server/front.h"

#include "base/log.h"
#include "base/map.h"
#include "h1/server.h"
#include "server/doors.h"
#include <assert.h>
#include <reverst/error.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  MAX_CONNECTIONS = 65536,
  MAX_PER_ADDRESS = 1000,
  MUCH = RV_CHUNK_SIZE /* bytes held, worth an exchange */
};

#define STALLED (5 * RV_SECOND)
#define RELIEF_INTERVAL (10 * RV_MILLISECOND)

/* How many connections an address has; there while it has any. */
struct source {
  struct rv_map_node node;
  struct rv_address_key key;
  size_t connections;
};

struct visitor {
  struct rv_list node;
  struct rv_front *front;
  const struct rv_door *door; /* by which it came; NULL: that was closed */
  struct source *source;
  struct rv_h1_server *h1;
};

struct rv_front {
  struct rv_loop *loop;
  struct rv_engine *engine;
  struct rv_handler *handler;
  struct rv_span default_host;
  struct rv_doors doors;
  size_t max_connections, max_per_address;
  struct rv_list visitors;
  size_t count;
  struct rv_map sources;
  bool limit_was_logged;
  uint64_t relieved_at; /* a look at all visitors is not cheap */
  struct rv_job empty_job;
  void (*on_empty)(void *user_data);
  void *user_data;
};

/* ---- bounds ---- */

static struct rv_span span_of_key(const struct rv_address_key *key) {
  return (struct rv_span){ (const char *)key->bytes, sizeof(key->bytes) };
}

static struct source *find_or_add_source(
    struct rv_front *front, const struct rv_address *peer) {
  struct rv_address_key key = rv_address_limit_key(peer);
  struct rv_map_node *node = rv_map_find(&front->sources, span_of_key(&key));
  struct source *source;

  if (node != NULL)
    return rv_container_of(node, struct source, node);
  source = calloc(1, sizeof(*source));
  if (source == NULL)
    return NULL;
  source->key = key;
  if (rv_map_insert(&front->sources, &source->node, span_of_key(&source->key)) <
      0) {
    free(source);
    return NULL;
  }
  return source;
}

static void drop_source(struct rv_front *front, struct source *source) {
  if (source->connections > 0)
    return;
  rv_map_remove(&front->sources, &source->node);
  free(source);
}

static size_t default_max_connections(void) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
      limit.rlim_cur / 2 > MAX_CONNECTIONS)
    return MAX_CONNECTIONS;
  return limit.rlim_cur / 2;
}

static void log_limit(
    struct rv_front *front, const struct rv_address *peer, const char *limit) {
  char text[RV_ADDRESS_TEXT_SIZE];

  if (front->limit_was_logged) /* once until there is room again */
    return;
  front->limit_was_logged = true;
  rv_log(front->engine, REVERST_LOG_WARN, "connection_refused",
      rv_log_text("peer", rv_address_print(peer, text)),
      rv_log_text("limit", limit),
      rv_log_number("connections", (int64_t)front->count));
}

/* ---- connections ---- */

static void on_visitor_closed(struct rv_h1_server *server, void *user_data) {
  struct visitor *visitor = user_data;
  struct rv_front *front = visitor->front;

  (void)server;
  rv_list_remove(&visitor->node);
  front->count--;
  front->limit_was_logged = false;
  visitor->source->connections--;
  drop_source(front, visitor->source);
  free(visitor);
  if (front->count == 0)
    rv_turn_add(&front->engine->turn, &front->empty_job, RV_PHASE_PROCESS);
}

static int start_visitor(
    struct visitor *visitor, int fd, const struct rv_address *peer) {
  struct rv_front *front = visitor->front;
  struct rv_h1_server_options options = {
    .engine = front->engine,
    .handler = front->handler,
    .peer = *peer,
    .scheme = RV_SPAN("http"),
    .default_host = front->default_host,
    .on_closed = on_visitor_closed,
    .user_data = visitor,
  };
  struct rv_stream *stream;
  int r = rv_h1_server_new(&visitor->h1, &options);

  if (r < 0) {
    close(fd);
    return r;
  }
  r = rv_tcp_stream_open(
      &stream, front->loop, fd, rv_h1_server_user(visitor->h1));
  if (r < 0) {
    rv_h1_server_abort(visitor->h1);
    return 0; /* on_visitor_closed undoes the rest */
  }
  rv_h1_server_start(visitor->h1, stream);
  return 0;
}

static int add_visitor(struct rv_front *front, const struct rv_door *door,
    struct source *source, int fd, const struct rv_address *peer) {
  struct visitor *visitor = calloc(1, sizeof(*visitor));

  if (visitor == NULL) {
    close(fd);
    return REVERST_ERR_NO_MEMORY;
  }
  visitor->front = front;
  visitor->door = door;
  visitor->source = source;
  source->connections++;
  front->count++;
  rv_list_push(&front->visitors, &visitor->node);
  if (start_visitor(visitor, fd, peer) < 0)
    on_visitor_closed(NULL, visitor);
  return 0;
}

static void on_accept(const struct rv_door *door, int fd,
    const struct rv_address *peer, void *user_data) {
  struct rv_front *front = user_data;
  struct source *source;

  if (front->count >= front->max_connections) {
    log_limit(front, peer, "max_connections");
    close(fd);
    return;
  }
  source = find_or_add_source(front, peer);
  if (source == NULL) {
    close(fd);
    return;
  }
  if (source->connections >= front->max_per_address &&
      peer->any.sa_family != AF_UNIX) { /* that is no address of somebody */
    log_limit(front, peer, "max_connections_per_address");
    close(fd);
    return;
  }
  if (add_visitor(front, door, source, fd, peer) < 0)
    drop_source(front, source);
}

static void on_door_closed(const struct rv_door *door, void *user_data) {
  struct rv_front *front = user_data;

  rv_list_each(node, &front->visitors) {
    struct visitor *visitor = rv_container_of(node, struct visitor, node);

    if (visitor->door != door)
      continue;
    visitor->door = NULL;
    rv_h1_server_drain(visitor->h1);
  }
}

/* ---- life ---- */

static void run_empty_job(struct rv_job *job) {
  struct rv_front *front = rv_container_of(job, struct rv_front, empty_job);

  if (front->count == 0 && front->on_empty != NULL)
    front->on_empty(front->user_data);
}

int rv_front_open(
    struct rv_front **front, const struct rv_front_options *options) {
  struct rv_front *new = calloc(1, sizeof(*new));
  int r;

  if (new == NULL)
    return REVERST_ERR_NO_MEMORY;
  new->loop = options->loop;
  new->engine = rv_loop_engine(options->loop);
  new->handler = options->handler;
  new->default_host = options->default_host;
  new->max_connections = options->max_connections ? options->max_connections
                                                  : default_max_connections();
  new->max_per_address = options->max_connections_per_address
                             ? options->max_connections_per_address
                             : MAX_PER_ADDRESS;
  new->on_empty = options->on_empty;
  new->user_data = options->user_data;
  new->empty_job.run = run_empty_job;
  new->doors = (struct rv_doors){
    .loop = options->loop,
    .on_accept = on_accept,
    .on_closed = on_door_closed,
    .user_data = new,
  };
  rv_list_init(&new->doors.list);
  rv_list_init(&new->visitors);
  rv_map_init(&new->sources, new->engine->hash_secret);
  r = rv_doors_set(&new->doors, options->addresses, options->address_count);
  if (r < 0) {
    rv_map_deinit(&new->sources);
    free(new);
    return r;
  }
  *front = new;
  return 0;
}

static void stop_listening(struct rv_front *front) {
  rv_doors_close(&front->doors);
  if (front->count == 0)
    rv_turn_add(&front->engine->turn, &front->empty_job, RV_PHASE_PROCESS);
}

void rv_front_drain(struct rv_front *front) {
  stop_listening(front);
  rv_list_each(node, &front->visitors)
      rv_h1_server_drain(rv_container_of(node, struct visitor, node)->h1);
}

void rv_front_abort(struct rv_front *front) {
  stop_listening(front);
  rv_list_each(node, &front->visitors)
      rv_h1_server_abort(rv_container_of(node, struct visitor, node)->h1);
}

void rv_front_free(struct rv_front *front) {
  if (front == NULL)
    return;
  assert(front->count == 0);
  rv_turn_remove(&front->empty_job);
  rv_doors_close(&front->doors);
  rv_map_deinit(&front->sources);
  free(front);
}

static struct visitor *find_stalled(const struct rv_front *front) {
  uint64_t now = front->engine->now; /* small on a machine just started */
  uint64_t oldest = now > STALLED ? now - STALLED : 0;
  struct visitor *stalled = NULL;

  rv_list_each(node, &front->visitors) {
    struct visitor *visitor = rv_container_of(node, struct visitor, node);

    if (rv_h1_server_held(visitor->h1) < MUCH ||
        rv_h1_server_active_ns(visitor->h1) > oldest)
      continue;
    oldest = rv_h1_server_active_ns(visitor->h1);
    stalled = visitor;
  }
  return stalled;
}

void rv_front_relieve(struct rv_front *front) {
  struct visitor *stalled;

  if (front->engine->now < front->relieved_at + RELIEF_INTERVAL)
    return;
  front->relieved_at = front->engine->now;
  stalled = find_stalled(front);
  if (stalled == NULL)
    return;
  rv_log(front->engine, REVERST_LOG_WARN, "visitor_dropped",
      rv_log_text("cause", "memory is short"),
      rv_log_number("held", (int64_t)rv_h1_server_held(stalled->h1)));
  rv_h1_server_abort(stalled->h1);
}

size_t rv_front_connections(const struct rv_front *front) {
  return front->count;
}

int rv_front_set_addresses(
    struct rv_front *front, const struct rv_address *addresses, size_t count) {
  return rv_doors_set(&front->doors, addresses, count);
}

const struct rv_address *rv_front_address(
    const struct rv_front *front, size_t index) {
  return rv_doors_address(&front->doors, index);
}
