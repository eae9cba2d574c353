/* SPDX-License-Identifier: MIT */
/* Fields in order, and message heads. */
#include "http/head.h"

#include <reverst/error.h>

enum { FIRST_CAPACITY = 16 };

void rv_fields_init(struct rv_fields *fields, struct rv_arena *arena) {
  *fields = (struct rv_fields){ .arena = arena };
}

static int reserve(struct rv_fields *fields, size_t capacity) {
  struct rv_field *items;

  if (capacity <= fields->capacity)
    return 0;
  items = rv_arena_grow(fields->arena, fields->items,
      fields->capacity * sizeof(*items), capacity * sizeof(*items));
  if (items == NULL)
    return REVERST_ERR_NO_MEMORY;
  fields->items = items;
  fields->capacity = capacity;
  return 0;
}

int rv_fields_add(
    struct rv_fields *fields, struct rv_span name, struct rv_span value) {
  if (fields->count == fields->capacity) {
    size_t capacity = fields->capacity * 2;
    int r = reserve(fields, capacity > 0 ? capacity : FIRST_CAPACITY);
    if (r < 0)
      return r;
  }
  fields->items[fields->count++] = (struct rv_field){ name, value };
  return 0;
}

static struct rv_span copy_lowered(
    struct rv_arena *arena, struct rv_span name) {
  char *copy = rv_arena_allocate(arena, name.length + 1);

  if (copy == NULL)
    return (struct rv_span){ 0 };
  for (size_t i = 0; i < name.length; i++) {
    char c = name.data[i];
    copy[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
  }
  copy[name.length] = '\0';
  return (struct rv_span){ copy, name.length };
}

int rv_fields_add_copy(
    struct rv_fields *fields, struct rv_span name, struct rv_span value) {
  name = copy_lowered(fields->arena, name);
  value = rv_arena_copy(fields->arena, value);
  if (name.data == NULL || value.data == NULL)
    return REVERST_ERR_NO_MEMORY;
  return rv_fields_add(fields, name, value);
}

static struct rv_field *find(
    const struct rv_fields *fields, struct rv_span name) {
  for (size_t i = 0; i < fields->count; i++) {
    if (rv_span_equal(fields->items[i].name, name))
      return &fields->items[i];
  }
  return NULL;
}

const struct rv_span *rv_fields_find(
    const struct rv_fields *fields, struct rv_span name) {
  const struct rv_field *field = find(fields, name);
  return field != NULL ? &field->value : NULL;
}

size_t rv_fields_count_of(const struct rv_fields *fields, struct rv_span name) {
  size_t count = 0;

  for (size_t i = 0; i < fields->count; i++)
    count += rv_span_equal(fields->items[i].name, name);
  return count;
}

/* Removes those of that name from item `first` on. */
static void remove_from(
    struct rv_fields *fields, size_t first, struct rv_span name) {
  size_t kept = first;

  for (size_t i = first; i < fields->count; i++) {
    if (!rv_span_equal(fields->items[i].name, name))
      fields->items[kept++] = fields->items[i];
  }
  fields->count = kept;
}

void rv_fields_remove(struct rv_fields *fields, struct rv_span name) {
  remove_from(fields, 0, name);
}

int rv_fields_set(
    struct rv_fields *fields, struct rv_span name, struct rv_span value) {
  struct rv_field *field = find(fields, name);

  if (field == NULL)
    return rv_fields_add(fields, name, value);
  field->value = value;
  remove_from(fields, (size_t)(field - fields->items) + 1, name);
  return 0;
}

int rv_fields_copy(struct rv_fields *to, const struct rv_fields *from) {
  int r = reserve(to, to->count + from->count);

  for (size_t i = 0; r == 0 && i < from->count; i++) {
    struct rv_span name = rv_arena_copy(to->arena, from->items[i].name);
    struct rv_span value = rv_arena_copy(to->arena, from->items[i].value);
    if (name.data == NULL || value.data == NULL)
      return REVERST_ERR_NO_MEMORY;
    r = rv_fields_add(to, name, value);
  }
  return r;
}

int rv_fields_append(struct rv_fields *to, const struct rv_fields *from) {
  int r = reserve(to, to->count + from->count);

  for (size_t i = 0; r == 0 && i < from->count; i++)
    to->items[to->count++] = from->items[i];
  return r;
}

void rv_head_init(struct rv_head *head) {
  *head = (struct rv_head){ .content_length = RV_NO_LENGTH };
  rv_arena_init(&head->arena);
  rv_fields_init(&head->fields, &head->arena);
}

void rv_head_deinit(struct rv_head *head) {
  rv_arena_deinit(&head->arena);
  rv_head_init(head);
}

void rv_head_move(struct rv_head *to, struct rv_head *from) {
  *to = *from;
  to->fields.arena = &to->arena;
  rv_head_init(from);
}
