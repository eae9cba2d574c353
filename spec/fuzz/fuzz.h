/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: bytes of the input one by one or in copies whose
   ends the address sanitizer knows, and an engine that repeats itself. */
#ifndef REVERST_FUZZ_H
#define REVERST_FUZZ_H

#include "base/engine.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
  const uint8_t *data;
  size_t left;
};

/* 0 when there is none left. */
static inline uint8_t fuzz_byte(struct fuzz_input *input) {
  if (input->left == 0)
    return 0;
  input->left--;
  return *input->data++;
}

/* At most `*length` bytes, the caller's to free. */
static inline uint8_t *fuzz_piece(struct fuzz_input *input, size_t *length) {
  uint8_t *piece;

  if (*length > input->left)
    *length = input->left;
  piece = malloc(*length);
  assert(piece != NULL || *length == 0);
  if (*length > 0)
    memcpy(piece, input->data, *length);
  input->data += *length;
  input->left -= *length;
  return piece;
}

static inline uint64_t fuzz_clock(void *context) {
  return *(uint64_t *)context;
}

static inline void fuzz_random(void *context, void *data, size_t length) {
  (void)context;
  memset(data, 0x5a, length);
}

/* Time is `*now`. */
static inline void fuzz_engine_init(struct rv_engine *engine, uint64_t *now) {
  rv_engine_init(engine, &(struct rv_engine_options){
                             .read_clock = fuzz_clock,
                             .read_random = fuzz_random,
                             .context = now,
                         });
}

/* Until nobody has anything to do; that must not take long. */
static inline void fuzz_settle(struct rv_engine *engine) {
  rv_engine_refresh(engine);
  for (int i = 0; i < 32 && !rv_turn_idle(&engine->turn); i++)
    rv_turn_run(&engine->turn);
  assert(rv_turn_idle(&engine->turn));
}

#endif
