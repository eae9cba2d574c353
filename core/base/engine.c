/* SPDX-License-Identifier: MIT */
/* The engine's common parts: clock, randomness, pools. */
#include "base/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { FREE_CHUNKS = 64 /* 1 MiB kept for reuse */ };

static const size_t default_memory_budget = (size_t)256 * 1024 * 1024;

static uint64_t read_monotonic_clock(void *context) {
  struct timespec time;

  (void)context;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * RV_SECOND + (uint64_t)time.tv_nsec;
}

static void read_system_random(void *context, void *data, size_t length) {
  uint8_t *bytes = data;

  (void)context;
  while (length > 0) {
    ssize_t n = getrandom(bytes, length, 0);
    if (n > 0) {
      bytes += n;
      length -= (size_t)n;
    } else {
      /* only a signal may interrupt it; without randomness nothing is safe */
      assert(n < 0);
      if (errno != EINTR)
        abort();
    }
  }
}

void rv_engine_init(
    struct rv_engine *engine, const struct rv_engine_options *options) {
  *engine = (struct rv_engine){
    .read_clock =
        options->read_clock ? options->read_clock : read_monotonic_clock,
    .read_random =
        options->read_random ? options->read_random : read_system_random,
    .context = options->context,
    .memory_budget =
        options->memory_budget ? options->memory_budget : default_memory_budget,
    .log_level = options->log_level == REVERST_LOG_DEFAULT ? REVERST_LOG_INFO
                                                           : options->log_level,
    .log = options->log,
    .log_user_data = options->log_user_data,
  };
  rv_turn_init(&engine->turn, options->on_requested);
  rv_timers_init(&engine->timers);
  rv_chunk_pool_init(&engine->chunks, FREE_CHUNKS);
  rv_random(engine, engine->hash_secret, sizeof(engine->hash_secret));
  rv_engine_refresh(engine);
}

void rv_engine_deinit(struct rv_engine *engine) {
  assert(rv_turn_idle(&engine->turn));
  rv_timers_deinit(&engine->timers);
  rv_chunk_pool_deinit(&engine->chunks);
}

void rv_random(struct rv_engine *engine, void *data, size_t length) {
  uint8_t *next;

  if (length > sizeof(engine->random_pool) / 8) {
    engine->read_random(engine->context, data, length);
    return;
  }
  if (length > engine->random_left) {
    engine->read_random(
        engine->context, engine->random_pool, sizeof(engine->random_pool));
    engine->random_left = sizeof(engine->random_pool);
  }
  engine->random_left -= length;
  next = engine->random_pool + engine->random_left;
  memcpy(data, next, length);
  explicit_bzero(next, length); /* what was given is known to nobody else */
}

uint64_t rv_random_uint(struct rv_engine *engine) {
  uint64_t value;

  rv_random(engine, &value, sizeof(value));
  return value;
}

uint64_t rv_counters_sum(const struct rv_counters *counters) {
  return counters->exchanges + counters->quic_connections +
         counters->h3_sessions + counters->h3_streams + counters->streams +
         counters->h1_connections + counters->tunnels +
         counters->registrations + counters->visits;
}
