/* SPDX-License-Identifier: MIT */
/* Message heads and field sections, the same for every HTTP version. */
#ifndef RV_HTTP_HEAD_H
#define RV_HTTP_HEAD_H

#include "base/arena.h"

/* One field line (RFC 9110 section 5). Names of parsed and of own fields are
   lower case once they are in here; the HTTP/1.1 writers may write them so. */
struct rv_field {
  struct rv_span name, value;
};

/* In order, repetitions kept. Spans point into the arena given at init, or to
   static text. */
struct rv_fields {
  struct rv_arena *arena;
  struct rv_field *items;
  size_t count, capacity;
};

void rv_fields_init(struct rv_fields *fields, struct rv_arena *arena);

/* Appends a field; the copying form copies both spans into the arena and lowers
   the name. REVERST_ERR_NO_MEMORY. */
int rv_fields_add(
    struct rv_fields *fields, struct rv_span name, struct rv_span value);
int rv_fields_add_copy(
    struct rv_fields *fields, struct rv_span name, struct rv_span value);

/* The first value of that name (lower case), or NULL. */
const struct rv_span *rv_fields_find(
    const struct rv_fields *fields, struct rv_span name);
size_t rv_fields_count_of(const struct rv_fields *fields, struct rv_span name);
void rv_fields_remove(struct rv_fields *fields, struct rv_span name);

/* Adds it, or puts the value in the place of the first of that name and removes
   the others. */
int rv_fields_set(
    struct rv_fields *fields, struct rv_span name, struct rv_span value);

/* Appends copies of all fields of `from`, names as they are.
   REVERST_ERR_NO_MEMORY: possibly a part. */
int rv_fields_copy(struct rv_fields *to, const struct rv_fields *from);

/* The same without copying what the spans point to. REVERST_ERR_NO_MEMORY:
   nothing. */
int rv_fields_append(struct rv_fields *to, const struct rv_fields *from);

enum { RV_NO_LENGTH = -1 };

/* A request head, or a response head (status != 0). Owns its arena. */
struct rv_head {
  struct rv_arena arena;
  /* request; empty spans where absent */
  struct rv_span method, scheme, authority, path;
  struct rv_span protocol; /* of extended CONNECT (RFC 8441, RFC 9220) and of
                              HTTP/1.1 upgrades; data NULL: no upgrade */
  int status;              /* response */
  struct rv_fields fields;
  int64_t content_length; /* as declared; RV_NO_LENGTH: not declared */
  bool no_body;           /* the message ends with its head */
};

void rv_head_init(struct rv_head *head);
void rv_head_deinit(struct rv_head *head);

/* Moves `from` into `to` (not initialised); `from` is re-initialised empty. */
void rv_head_move(struct rv_head *to, struct rv_head *from);

#endif
