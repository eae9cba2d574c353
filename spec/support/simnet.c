/* SPDX-License-Identifier: MIT */
/* The simulated network: a queue of datagrams in virtual time. */
#include "simnet.h"

#include <assert.h>
#include <lauxlib.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_STEPS_AT_ONCE = 100000, MAX_HOSTS = 8, MAX_SOCKETS = 16 };

struct event {
  uint64_t time, sequence;
  struct rv_address from, to;
  uint8_t ecn;
  size_t length;
  uint8_t data[];
};

struct simnet_host {
  struct simnet *net;
  struct rv_engine engine;
  uint64_t random;
  uint64_t pace, busy_until;
};

struct simnet_socket {
  struct simnet_host *host;
  struct rv_datagram_sink sink;
  struct simnet_socket_options options;
  struct rv_address address, outer;
  bool full, shut, dark;
};

struct simnet {
  uint64_t now, random, sequence, steps, steps_at_once;
  uint32_t addresses;
  struct simnet_link link;
  struct event **queue;
  size_t count, capacity;
  struct simnet_host *hosts[MAX_HOSTS];
  struct simnet_socket *sockets[MAX_SOCKETS];
  size_t host_count, socket_count;
};

/* ---- randomness: xorshift64* ---- */

static uint64_t next_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t simnet_random(struct simnet *net) {
  return next_random(&net->random);
}

static bool chance(struct simnet *net, unsigned per_thousand) {
  return per_thousand > 0 && simnet_random(net) % 1000 < per_thousand;
}

static void read_random(void *context, void *data, size_t length) {
  struct simnet_host *host = context;
  uint8_t *bytes = data;

  for (size_t i = 0; i < length; ++i)
    bytes[i] = (uint8_t)(next_random(&host->random) >> 32);
}

/* ---- the queue: a heap by time ---- */

static bool is_before(const struct event *a, const struct event *b) {
  return a->time < b->time || (a->time == b->time && a->sequence < b->sequence);
}

static void swap(struct simnet *net, size_t i, size_t j) {
  struct event *event = net->queue[i];

  net->queue[i] = net->queue[j];
  net->queue[j] = event;
}

static void push(struct simnet *net, struct event *event) {
  size_t i = net->count;

  if (net->count == net->capacity) {
    net->capacity = net->capacity ? 2 * net->capacity : 64;
    net->queue = realloc(net->queue, net->capacity * sizeof(struct event *));
    assert(net->queue);
  }
  net->queue[net->count++] = event;
  for (; i > 0 && is_before(net->queue[i], net->queue[(i - 1) / 2]);
       i = (i - 1) / 2)
    swap(net, i, (i - 1) / 2);
}

static struct event *pop(struct simnet *net) {
  struct event *first = net->queue[0];
  size_t i = 0, child;

  net->queue[0] = net->queue[--net->count];
  while ((child = 2 * i + 1) < net->count) {
    if (child + 1 < net->count &&
        is_before(net->queue[child + 1], net->queue[child]))
      ++child;
    if (!is_before(net->queue[child], net->queue[i]))
      break;
    swap(net, i, child);
    i = child;
  }
  return first;
}

/* ---- datagrams ---- */

static void enqueue(struct simnet *net, const struct rv_address *from,
    const struct rv_address *to, const void *data, size_t length, uint8_t ecn) {
  struct event *event = malloc(sizeof(*event) + length);
  uint64_t jitter = net->link.jitter;

  assert(event);
  *event = (struct event){
    .time =
        net->now + net->link.delay + (jitter ? simnet_random(net) % jitter : 0),
    .sequence = net->sequence++,
    .from = *from,
    .to = *to,
    .ecn = ecn,
    .length = length,
  };
  memcpy(event->data, data, length);
  if (chance(net, net->link.corruption))
    event->data[simnet_random(net) % length] ^=
        (uint8_t)(1 + simnet_random(net) % 255);
  push(net, event);
}

static void transmit(struct simnet *net, const struct simnet_socket *socket,
    const struct rv_datagram *datagram, size_t offset, size_t length) {
  if (net->link.blackhole || socket->dark || chance(net, net->link.loss))
    return;
  for (int copies = chance(net, net->link.duplication) ? 2 : 1; copies > 0;
       --copies)
    enqueue(net, &socket->outer, datagram->remote, datagram->data + offset,
        length, datagram->ecn);
}

static int on_send(
    struct rv_datagram_sink *sink, const struct rv_datagram *datagram) {
  struct simnet_socket *socket =
      rv_container_of(sink, struct simnet_socket, sink);
  struct simnet *net = socket->host->net;
  size_t size =
      datagram->segment_size ? datagram->segment_size : datagram->length;

  if (socket->full)
    return REVERST_ERR_AGAIN;
  /* one that still sends from an address that it has left */
  if (!rv_address_equal(datagram->local, &socket->address))
    return 0;
  for (size_t offset = 0; offset < datagram->length; offset += size)
    transmit(net, socket, datagram, offset,
        datagram->length - offset < size ? datagram->length - offset : size);
  return 0;
}

static void deliver(struct simnet *net, struct event *event) {
  for (size_t i = 0; i < net->socket_count; ++i) {
    struct simnet_socket *socket = net->sockets[i];

    if (socket->shut || socket->dark ||
        !rv_address_equal(&socket->outer, &event->to))
      continue;
    socket->host->engine.now = net->now;
    socket->options.on_datagram(
        &(struct rv_datagram){
            .local = &socket->address,
            .remote = &event->from,
            .data = event->data,
            .length = event->length,
            .ecn = event->ecn,
        },
        socket->options.user_data);
  }
  free(event);
}

void simnet_inject(struct simnet *net, const struct simnet_socket *to,
    const struct rv_address *from, const void *data, size_t length) {
  enqueue(net, from, &to->outer, data, length, 0);
}

const void *simnet_in_flight(const struct simnet *net,
    const struct simnet_socket *to, size_t i, size_t *length) {
  for (size_t n = 0; n < net->count; ++n) {
    const struct event *event = net->queue[n];

    if (!rv_address_equal(&to->outer, &event->to) || i-- > 0)
      continue;
    *length = event->length;
    return event->data;
  }
  return NULL;
}

/* ---- sockets and hosts ---- */

static void new_address(struct simnet *net, struct rv_address *address) {
  *address = (struct rv_address){ .length = sizeof(address->v4) };
  address->v4.sin_family = AF_INET;
  address->v4.sin_port = htons((uint16_t)(1024 + net->addresses));
  address->v4.sin_addr.s_addr = htonl(0x0a000001 + net->addresses++);
}

struct simnet_socket *simnet_socket_new(
    const struct simnet_socket_options *options) {
  struct simnet *net = options->host->net;
  struct simnet_socket *socket = calloc(1, sizeof(*socket));

  assert(socket && net->socket_count < MAX_SOCKETS);
  net->sockets[net->socket_count++] = socket;
  socket->host = options->host;
  socket->options = *options;
  socket->sink.send = on_send;
  new_address(net, &socket->address);
  socket->outer = socket->address;
  return socket;
}

void simnet_socket_shut(struct simnet_socket *socket) {
  socket->shut = true;
}

struct rv_datagram_sink *simnet_socket_sink(struct simnet_socket *socket) {
  return &socket->sink;
}

const struct rv_address *simnet_socket_address(
    const struct simnet_socket *socket) {
  return &socket->address;
}

void simnet_socket_rebind(struct simnet_socket *socket) {
  new_address(socket->host->net, &socket->outer);
}

void simnet_socket_move(struct simnet_socket *socket) {
  new_address(socket->host->net, &socket->address);
  socket->outer = socket->address;
}

void simnet_socket_set_full(struct simnet_socket *socket, bool full) {
  bool was_full = socket->full;

  socket->full = full;
  if (was_full && !full && socket->options.on_writable)
    socket->options.on_writable(socket->options.user_data);
}

void simnet_socket_set_dark(struct simnet_socket *socket, bool dark) {
  socket->dark = dark;
}

static uint64_t read_clock(void *context) {
  return ((struct simnet_host *)context)->net->now;
}

struct simnet_host *simnet_host_new(
    struct simnet *net, const struct rv_engine_options *options) {
  struct simnet_host *host = calloc(1, sizeof(*host));
  struct rv_engine_options own = { 0 };

  assert(host && net->host_count < MAX_HOSTS);
  net->hosts[net->host_count++] = host;
  host->net = net;
  host->random = simnet_random(net) | 1;
  if (options)
    own = *options;
  own.read_clock = read_clock;
  own.read_random = read_random;
  own.context = host;
  rv_engine_init(&host->engine, &own);
  return host;
}

struct rv_engine *simnet_host_engine(struct simnet_host *host) {
  return &host->engine;
}

void simnet_host_set_pace(struct simnet_host *host, uint64_t nanoseconds) {
  host->pace = nanoseconds;
}

/* ---- time ---- */

struct simnet *simnet_new(uint64_t seed) {
  struct simnet *net = calloc(1, sizeof(*net));

  assert(net);
  net->now = RV_SECOND;
  net->random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
  net->link.delay = 10 * RV_MILLISECOND;
  return net;
}

void simnet_free(struct simnet *net) {
  for (size_t i = 0; i < net->host_count; ++i) {
    rv_engine_deinit(&net->hosts[i]->engine);
    free(net->hosts[i]);
  }
  for (size_t i = 0; i < net->socket_count; ++i)
    free(net->sockets[i]);
  for (size_t i = 0; i < net->count; ++i)
    free(net->queue[i]);
  free(net->queue);
  free(net);
}

struct simnet_link *simnet_link(struct simnet *net) {
  return &net->link;
}

uint64_t simnet_now(const struct simnet *net) {
  return net->now;
}

uint64_t simnet_steps(const struct simnet *net) {
  return net->steps;
}

static bool run_turns(struct simnet *net) {
  bool any = false;

  for (size_t i = 0; i < net->host_count; ++i) {
    struct rv_engine *engine = &net->hosts[i]->engine;

    engine->now = net->now;
    if (rv_turn_idle(&engine->turn))
      continue;
    rv_turn_run(&engine->turn);
    any = true;
  }
  return any;
}

static uint64_t next_time(const struct simnet *net) {
  uint64_t next = net->count > 0 ? net->queue[0]->time : RV_NEVER;

  for (size_t i = 0; i < net->host_count; ++i) {
    const struct simnet_host *host = net->hosts[i];
    uint64_t timer = rv_timers_next(&host->engine.timers);

    if (timer < host->busy_until)
      timer = host->busy_until;
    if (timer < next)
      next = timer;
  }
  return next;
}

static void advance(struct simnet *net, uint64_t time) {
  if (time > net->now) {
    net->now = time;
    net->steps_at_once = 0;
  } else if (++net->steps_at_once > MAX_STEPS_AT_ONCE) {
    fputs("simnet: time stands still\n", stderr);
    abort();
  }
}

static void run_timers(const struct simnet *net, struct simnet_host *host) {
  host->engine.now = net->now;
  if (host->busy_until > net->now)
    return;
  rv_timers_run(&host->engine.timers, net->now);
  host->busy_until = net->now + host->pace;
}

bool simnet_step(struct simnet *net, uint64_t limit) {
  uint64_t next;

  ++net->steps;
  if (run_turns(net))
    return true;
  next = next_time(net);
  if (next > limit || next == RV_NEVER) {
    net->now = limit > net->now ? limit : net->now;
    return false;
  }
  advance(net, next);
  while (net->count > 0 && net->queue[0]->time <= net->now)
    deliver(net, pop(net));
  for (size_t i = 0; i < net->host_count; ++i)
    run_timers(net, net->hosts[i]);
  return true;
}

void simnet_run(struct simnet *net, uint64_t duration) {
  uint64_t limit = net->now + duration;

  while (simnet_step(net, limit))
    continue;
}

/* Units of the virtual clock for specs. */
int luaopen_spec_simnet(lua_State *L);
int luaopen_spec_simnet(lua_State *L) {
  lua_newtable(L);
  lua_pushinteger(L, (lua_Integer)RV_MILLISECOND);
  lua_setfield(L, -2, "millisecond");
  lua_pushinteger(L, (lua_Integer)RV_SECOND);
  lua_setfield(L, -2, "second");
  return 1;
}
