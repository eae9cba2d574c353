/* SPDX-License-Identifier: MIT */
/* Timers in a binary heap. A timer's key may lie before its deadline: it is
   put in its right place only when the key comes up. */
#include "base/timer.h"

#include <assert.h>
#include <stdlib.h>

#include <reverst/error.h>

enum { FIRST_CAPACITY = 16 };

void rv_timers_init(struct rv_timers *timers) {
  *timers = (struct rv_timers){ 0 };
}

void rv_timers_deinit(struct rv_timers *timers) {
  assert(timers->count == 0 && timers->due_count == 0);
  free(timers->heap);
  rv_timers_init(timers);
}

void rv_timer_init(
    struct rv_timer *timer, void (*on_fired)(struct rv_timer *timer)) {
  *timer = (struct rv_timer){ .deadline = RV_NEVER, .on_fired = on_fired };
}

static void place(
    struct rv_timers *timers, struct rv_timer *timer, size_t position) {
  timers->heap[position] = timer;
  timer->index = position + 1;
}

static void sift_up(struct rv_timers *timers, struct rv_timer *timer) {
  size_t position = timer->index - 1;

  while (position > 0) {
    size_t parent = (position - 1) / 2;
    if (timers->heap[parent]->key <= timer->key)
      break;
    place(timers, timers->heap[parent], position);
    position = parent;
  }
  place(timers, timer, position);
}

static void sift_down(struct rv_timers *timers, struct rv_timer *timer) {
  size_t position = timer->index - 1;

  for (;;) {
    size_t child = 2 * position + 1;
    if (child + 1 < timers->count &&
        timers->heap[child + 1]->key < timers->heap[child]->key)
      child++;
    if (child >= timers->count || timers->heap[child]->key >= timer->key)
      break;
    place(timers, timers->heap[child], position);
    position = child;
  }
  place(timers, timer, position);
}

/* Timers that are about to fire keep their place, so that they can always be
   put back. */
static int reserve(struct rv_timers *timers) {
  size_t capacity = timers->capacity * 2;
  struct rv_timer **heap;

  if (timers->count + timers->due_count < timers->capacity)
    return 0;
  if (capacity == 0)
    capacity = FIRST_CAPACITY;
  heap = realloc(timers->heap, capacity * sizeof(struct rv_timer *));
  if (heap == NULL)
    return REVERST_ERR_NO_MEMORY;
  timers->heap = heap;
  timers->capacity = capacity;
  return 0;
}

static void insert(struct rv_timers *timers, struct rv_timer *timer) {
  timer->key = timer->deadline;
  place(timers, timer, timers->count++);
  sift_up(timers, timer);
}

static void take_out(struct rv_timers *timers, struct rv_timer *timer) {
  struct rv_timer *last = timers->heap[--timers->count];
  size_t position = timer->index - 1;

  timer->index = 0;
  if (last == timer)
    return;
  place(timers, last, position);
  sift_down(timers, last);
  sift_up(timers, last);
}

int rv_timer_set(
    struct rv_timers *timers, struct rv_timer *timer, uint64_t deadline) {
  bool is_in = timer->index != 0 || rv_list_linked(&timer->due);

  if (!is_in && deadline != RV_NEVER && reserve(timers) < 0)
    return REVERST_ERR_NO_MEMORY;
  timer->deadline = deadline;
  if (!is_in && deadline != RV_NEVER) {
    insert(timers, timer);
  } else if (timer->index != 0 && deadline < timer->key) {
    timer->key = deadline;
    sift_up(timers, timer);
  }
  if (timers->on_earlier != NULL && rv_timers_next(timers) < timers->armed)
    timers->on_earlier(timers);
  return 0;
}

void rv_timer_stop(struct rv_timers *timers, struct rv_timer *timer) {
  timer->deadline = RV_NEVER;
  if (timer->index != 0)
    take_out(timers, timer);
  if (rv_list_linked(&timer->due)) {
    rv_list_remove(&timer->due);
    timers->due_count--;
  }
}

uint64_t rv_timers_next(const struct rv_timers *timers) {
  return timers->count > 0 ? timers->heap[0]->key : RV_NEVER;
}

/* Moves the timers that are due to `due`, earliest first; the others whose key
   came up get their right place. */
static void collect(
    struct rv_timers *timers, uint64_t now, struct rv_list *due) {
  while (timers->count > 0 && timers->heap[0]->key <= now) {
    struct rv_timer *timer = timers->heap[0];

    if (timer->deadline == RV_NEVER) {
      take_out(timers, timer);
    } else if (timer->deadline > timer->key) {
      timer->key = timer->deadline;
      sift_down(timers, timer);
    } else {
      take_out(timers, timer);
      rv_list_push(due, &timer->due);
      timers->due_count++;
    }
  }
}

void rv_timers_run(struct rv_timers *timers, uint64_t now) {
  struct rv_list due, *node;

  rv_list_init(&due);
  collect(timers, now, &due);
  while ((node = rv_list_pop(&due)) != NULL) {
    struct rv_timer *timer = rv_container_of(node, struct rv_timer, due);

    timers->due_count--;
    if (timer->deadline <= now) {
      timer->deadline = RV_NEVER;
      timer->on_fired(timer);
    } else if (timer->deadline != RV_NEVER) {
      insert(timers, timer);
    }
  }
}
