/* SPDX-License-Identifier: MIT */
/* The engine: what all parts of one server or client share. */
#ifndef RV_BASE_ENGINE_H
#define RV_BASE_ENGINE_H

#include "base/chunk.h"
#include "base/timer.h"
#include "base/turn.h"
#include <reverst/log.h>

/* Live objects; all zero when everything was closed. Specs look at them. */
struct rv_counters {
  uint64_t exchanges, quic_connections, h3_sessions, h3_streams, streams,
      h1_connections, tunnels, registrations, visits;
};

/* All of them together. */
uint64_t rv_counters_sum(const struct rv_counters *counters);

/* Belongs to one thread. Time is a field: read once per batch of events by the
   owner (event/loop, or a simulation), so that all that happens in one turn
   happens at one time. */
struct rv_engine {
  uint64_t now;                          /* nanoseconds, monotonic */
  uint64_t (*read_clock)(void *context); /* what `now` is refreshed from */
  void (*read_random)(void *context, void *data, size_t length);
  void *context;            /* of the two above */
  uint8_t random_pool[512]; /* asked for in advance: a system call less */
  size_t random_left;       /* bytes of it that nobody was given */
  struct rv_turn turn;
  struct rv_timers timers;
  struct rv_chunk_pool chunks;
  uint64_t hash_secret[2]; /* for rv_map */
  size_t memory_budget;    /* bytes of chunks; above it windows stop growing and
                              new exchanges are refused */
  struct rv_counters live;
  enum reverst_log_level log_level;
  reverst_log_callback log;
  void *log_user_data;
};

/* With the system's monotonic clock and random source when the two functions
   are NULL; a turn is requested by `on_requested`. */
struct rv_engine_options {
  uint64_t (*read_clock)(void *context);
  void (*read_random)(void *context, void *data, size_t length);
  void *context;
  void (*on_requested)(struct rv_turn *turn);
  size_t memory_budget; /* 0: 256 MiB */
  enum reverst_log_level log_level;
  reverst_log_callback log; /* NULL: no log */
  void *log_user_data;
};

void rv_engine_init(
    struct rv_engine *engine, const struct rv_engine_options *options);
void rv_engine_deinit(struct rv_engine *engine); /* all objects must be gone */

/* Unpredictable bytes, each given once. */
void rv_random(struct rv_engine *engine, void *data, size_t length);
uint64_t rv_random_uint(struct rv_engine *engine);

static inline void rv_engine_refresh(struct rv_engine *engine) {
  engine->now = engine->read_clock(engine->context);
}

static inline bool rv_engine_is_short_of_memory(
    const struct rv_engine *engine) {
  return engine->chunks.live > engine->memory_budget / RV_CHUNK_SIZE;
}

#endif
