/* SPDX-License-Identifier: MIT */
/* A span: a length and a pointer to bytes that somebody else owns. */
#ifndef RV_BASE_SPAN_H
#define RV_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not terminated by NUL. `data` may be NULL only when `length` is 0. */
struct rv_span {
  const char *data;
  size_t length;
};

#define RV_SPAN(literal) ((struct rv_span){ "" literal, sizeof(literal) - 1 })

static inline struct rv_span rv_span_of(const char *text) {
  return (struct rv_span){ text, text ? strlen(text) : 0 };
}

static inline bool rv_span_equal(struct rv_span a, struct rv_span b) {
  return a.length == b.length &&
         (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* ASCII letters compare without case. */
bool rv_span_equal_nocase(struct rv_span a, struct rv_span b);

/* Cuts the prefix, in any case, off `text`; false: it does not begin so. */
bool rv_span_cut_prefix(struct rv_span *text, struct rv_span prefix);

/* Without blanks and tabs at both ends. */
struct rv_span rv_span_trim(struct rv_span span);

/* Cuts the next element of a comma separated list (RFC 9110 section 5.6.1) off
   `rest`, trimmed; false when the list is exhausted. Empty elements are
   skipped; quoted strings are not looked into. */
bool rv_span_next_element(struct rv_span *rest, struct rv_span *element);

/* Decimal digits only, without sign or blank; false on anything else, on an
   empty span and above 2^63 - 1. */
bool rv_span_to_uint(struct rv_span span, uint64_t *value);

#endif
