/* SPDX-License-Identifier: MIT */
/* A queue of slices in a growing ring. */
#include "base/slices.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <reverst/error.h>

enum {
  FIRST_CAPACITY = 4,
  SMALL = 4096, /* slices below that are gathered where they would pile up */
  MANY = 4      /* slices that may wait in a queue as they came */
};

void rv_slices_init(struct rv_slices *slices) {
  *slices = (struct rv_slices){ 0 };
}

void rv_slices_deinit(struct rv_slices *slices) {
  rv_slices_clear(slices);
  free(slices->items);
  rv_slices_init(slices);
}

/* `capacity` is 0 or a power of two. */
static struct rv_slice *item_at(const struct rv_slices *slices, size_t i) {
  return &slices->items[(slices->first + i) & (slices->capacity - 1)];
}

static int reserve(struct rv_slices *slices, size_t count) {
  size_t capacity = slices->capacity ? slices->capacity : FIRST_CAPACITY;
  struct rv_slice *items;

  if (count <= slices->capacity)
    return 0;
  while (capacity < count)
    capacity *= 2;
  items = malloc(capacity * sizeof(*items));
  if (items == NULL)
    return REVERST_ERR_NO_MEMORY;
  for (size_t i = 0; i < slices->count; i++)
    items[i] = *item_at(slices, i);
  free(slices->items);
  slices->items = items;
  slices->first = 0;
  slices->capacity = capacity;
  return 0;
}

static bool continues(
    const struct rv_slice *last, const struct rv_slice *next) {
  return last->chunk != NULL && last->chunk == next->chunk &&
         last->data + last->length == next->data;
}

static bool ends_its_chunk(const struct rv_slice *slice) {
  return slice->data + slice->length == slice->chunk->data + slice->chunk->used;
}

/* Appends a copy of the bytes to a slice, behind which nobody else writes. What
   is there stays where it is: others may look at it. */
static bool extend(struct rv_slice *last, const struct rv_slice *next) {
  struct rv_chunk *chunk = last->chunk;

  if (chunk == NULL || chunk == chunk->pool->current || !ends_its_chunk(last) ||
      next->length > RV_CHUNK_SIZE - chunk->used)
    return false;
  memcpy(chunk->data + chunk->used, next->data, next->length);
  chunk->used += (uint32_t)next->length;
  last->length += next->length;
  return true;
}

/* Into a chunk of the queue's own, which those that follow can extend. Without
   memory it stays as it is. */
static void move_apart(struct rv_slice *slice) {
  struct rv_chunk *chunk = rv_chunk_new(slice->chunk->pool);

  if (chunk == NULL)
    return;
  memcpy(chunk->data, slice->data, slice->length);
  chunk->used = (uint32_t)slice->length;
  rv_chunk_unref(slice->chunk);
  slice->chunk = chunk;
  slice->data = chunk->data;
}

/* One byte keeps a whole chunk alive: whoever sends byte by byte, or in tiny
   chunks, would hold much more memory than a bound of bytes says. */
static bool gather(struct rv_slices *slices, struct rv_slice *slice) {
  struct rv_slice *last;

  if (slices->count < MANY || slice->length >= SMALL || slice->chunk == NULL)
    return false;
  last = item_at(slices, slices->count - 1);
  if (extend(last, slice)) {
    slices->length += slice->length;
    rv_slice_release(slice);
    return true;
  }
  if (last->length < SMALL && last->chunk != NULL)
    move_apart(slice);
  return false;
}

int rv_slices_push(struct rv_slices *slices, struct rv_slice slice) {
  struct rv_slice *last = NULL;

  if (slice.length == 0) {
    rv_slice_release(&slice);
    return 0;
  }
  if (slices->count > 0)
    last = item_at(slices, slices->count - 1);
  if (last != NULL && continues(last, &slice)) {
    last->length += slice.length;
    slices->length += slice.length;
    rv_slice_release(&slice);
    return 0;
  }
  if (gather(slices, &slice))
    return 0;
  if (reserve(slices, slices->count + 1) < 0) {
    rv_slice_release(&slice);
    return REVERST_ERR_NO_MEMORY;
  }
  slices->length += slice.length;
  *item_at(slices, slices->count++) = slice;
  return 0;
}

int rv_slices_copy(struct rv_slices *slices, struct rv_chunk_pool *pool,
    const void *data, size_t length) {
  const uint8_t *bytes = data;

  while (length > 0) {
    size_t size;
    uint8_t *space = rv_chunk_pool_space(pool, 1, &size);
    int r;

    if (space == NULL)
      return REVERST_ERR_NO_MEMORY;
    if (size > length)
      size = length;
    memcpy(space, bytes, size);
    r = rv_slices_push(slices, rv_chunk_pool_commit(pool, size));
    if (r < 0)
      return r;
    bytes += size;
    length -= size;
  }
  return 0;
}

int rv_slices_append(struct rv_slices *to, struct rv_slices *from) {
  struct rv_slice slice;
  int r = reserve(to, to->count + from->count);

  if (r < 0)
    return r;
  while (rv_slices_take(from, SIZE_MAX, &slice))
    r |= rv_slices_push(to, slice);
  return r;
}

bool rv_slices_take(
    struct rv_slices *slices, size_t max, struct rv_slice *out) {
  struct rv_slice *item;

  if (slices->count == 0 || max == 0)
    return false;
  item = item_at(slices, 0);
  if (item->length > max) {
    *out = rv_slice_sub(item, 0, max);
    item->data += max;
    item->length -= max;
  } else {
    *out = *item;
    slices->first++;
    slices->count--;
  }
  slices->length -= out->length;
  return true;
}

void rv_slices_consume(struct rv_slices *slices, size_t length) {
  while (length > 0 && slices->count > 0) {
    struct rv_slice slice;
    if (!rv_slices_take(slices, length, &slice))
      return;
    length -= slice.length;
    rv_slice_release(&slice);
  }
}

void rv_slices_clear(struct rv_slices *slices) {
  rv_slices_consume(slices, slices->length);
}

size_t rv_slices_peek(const struct rv_slices *slices, size_t offset,
    struct iovec *vectors, size_t max) {
  size_t filled = 0;

  for (size_t i = 0; i < slices->count && filled < max; i++) {
    const struct rv_slice *item = item_at(slices, i);
    union {
      const uint8_t *read_only;
      void *base; /* iovec knows no const */
    } start;

    if (offset >= item->length) {
      offset -= item->length;
      continue;
    }
    start.read_only = item->data + offset;
    vectors[filled++] = (struct iovec){ start.base, item->length - offset };
    offset = 0;
  }
  return filled;
}
