/* SPDX-License-Identifier: MIT */
/* A hash map with keys of bytes, intrusive, keyed by a secret: keys may be
   chosen by an attacker (connection ids, host names). */
#ifndef RV_BASE_MAP_H
#define RV_BASE_MAP_H

#include "base/span.h"

/* Member of an element. `key` must stay valid and unchanged while it is in. */
struct rv_map_node {
  struct rv_map_node *next;
  uint64_t hash;
  struct rv_span key;
};

struct rv_map {
  struct rv_map_node **buckets;
  size_t bucket_count; /* a power of two, or 0 */
  size_t count;
  size_t first; /* no bucket before this one holds an element */
  uint64_t secret[2];
};

void rv_map_init(struct rv_map *map, const uint64_t secret[static 2]);

/* Frees the buckets; elements are the caller's. */
void rv_map_deinit(struct rv_map *map);

/* Puts `node` in under `key`. REVERST_ERR_EXISTS when the key is in,
   REVERST_ERR_NO_MEMORY. */
int rv_map_insert(
    struct rv_map *map, struct rv_map_node *node, struct rv_span key);

struct rv_map_node *rv_map_find(const struct rv_map *map, struct rv_span key);

/* Takes the element out; harmless when it is not in (`key.data` NULL). */
void rv_map_remove(struct rv_map *map, struct rv_map_node *node);

/* Any element, for emptying; NULL when there is none. */
struct rv_map_node *rv_map_any(struct rv_map *map);

/* SipHash-2-4 (Aumasson, Bernstein 2012). */
uint64_t rv_siphash(
    const uint64_t secret[static 2], const void *data, size_t length);

#endif
