/* SPDX-License-Identifier: MIT */
/* The hash map: chains of elements in a power of two of buckets. */
#include "base/map.h"

#include <stdlib.h>

#include <reverst/error.h>

enum { FIRST_BUCKETS = 8 };

void rv_map_init(struct rv_map *map, const uint64_t secret[static 2]) {
  *map = (struct rv_map){ .secret = { secret[0], secret[1] } };
}

void rv_map_deinit(struct rv_map *map) {
  free(map->buckets);
  *map = (struct rv_map){ 0 };
}

static size_t index_of(const struct rv_map *map, uint64_t hash) {
  return (size_t)hash & (map->bucket_count - 1);
}

static void link_node(struct rv_map *map, struct rv_map_node *node) {
  size_t index = index_of(map, node->hash);

  node->next = map->buckets[index];
  map->buckets[index] = node;
  if (index < map->first)
    map->first = index;
}

static bool resize(struct rv_map *map, size_t bucket_count) {
  struct rv_map_node **old = map->buckets;
  size_t old_count = map->bucket_count;
  struct rv_map_node **buckets =
      calloc(bucket_count, sizeof(struct rv_map_node *));

  if (buckets == NULL)
    return false;
  map->buckets = buckets;
  map->bucket_count = bucket_count;
  map->first = bucket_count - 1;
  for (size_t i = 0; i < old_count; i++) {
    struct rv_map_node *next;
    for (struct rv_map_node *node = old[i]; node != NULL; node = next) {
      next = node->next;
      link_node(map, node);
    }
  }
  free(old);
  return true;
}

static struct rv_map_node *find(
    const struct rv_map *map, struct rv_span key, uint64_t hash) {
  struct rv_map_node *node;

  if (map->bucket_count == 0)
    return NULL;
  for (node = map->buckets[index_of(map, hash)]; node; node = node->next) {
    if (node->hash == hash && rv_span_equal(node->key, key))
      return node;
  }
  return NULL;
}

int rv_map_insert(
    struct rv_map *map, struct rv_map_node *node, struct rv_span key) {
  uint64_t hash = rv_siphash(map->secret, key.data, key.length);

  if (find(map, key, hash) != NULL)
    return REVERST_ERR_EXISTS;
  /* a map that cannot grow only gets slower */
  if (map->count >= map->bucket_count &&
      !resize(map, map->count > 0 ? map->bucket_count * 2 : FIRST_BUCKETS) &&
      map->bucket_count == 0)
    return REVERST_ERR_NO_MEMORY;
  node->hash = hash;
  node->key = key.data != NULL ? key : RV_SPAN("");
  link_node(map, node);
  map->count++;
  return 0;
}

struct rv_map_node *rv_map_find(const struct rv_map *map, struct rv_span key) {
  if (map->count == 0)
    return NULL;
  return find(map, key, rv_siphash(map->secret, key.data, key.length));
}

void rv_map_remove(struct rv_map *map, struct rv_map_node *node) {
  struct rv_map_node **link;

  if (node->key.data == NULL)
    return;
  link = &map->buckets[index_of(map, node->hash)];
  while (*link != node)
    link = &(*link)->next;
  *link = node->next;
  *node = (struct rv_map_node){ 0 };
  map->count--;
  if (map->bucket_count > FIRST_BUCKETS && map->count < map->bucket_count / 8)
    (void)resize(map, map->bucket_count / 2);
}

struct rv_map_node *rv_map_any(struct rv_map *map) {
  if (map->count == 0)
    return NULL;
  while (map->buckets[map->first] == NULL)
    map->first++;
  return map->buckets[map->first];
}

static uint64_t rotate(uint64_t value, unsigned bits) {
  return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[static 4]) {
  v[0] += v[1];
  v[1] = rotate(v[1], 13) ^ v[0];
  v[0] = rotate(v[0], 32);
  v[2] += v[3];
  v[3] = rotate(v[3], 16) ^ v[2];
  v[0] += v[3];
  v[3] = rotate(v[3], 21) ^ v[0];
  v[2] += v[1];
  v[1] = rotate(v[1], 17) ^ v[2];
  v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[static 4], uint64_t word) {
  v[3] ^= word;
  sip_round(v);
  sip_round(v);
  v[0] ^= word;
}

static uint64_t little_endian(const uint8_t *bytes, size_t length) {
  uint64_t word = 0;

  for (size_t i = 0; i < length; i++)
    word |= (uint64_t)bytes[i] << (8 * i);
  return word;
}

uint64_t rv_siphash(
    const uint64_t secret[static 2], const void *data, size_t length) {
  const uint8_t *bytes = data;
  size_t rest = length;
  uint64_t v[4] = {
    secret[0] ^ UINT64_C(0x736f6d6570736575),
    secret[1] ^ UINT64_C(0x646f72616e646f6d),
    secret[0] ^ UINT64_C(0x6c7967656e657261),
    secret[1] ^ UINT64_C(0x7465646279746573),
  };

  for (; rest >= 8; bytes += 8, rest -= 8)
    sip_word(v, little_endian(bytes, 8));
  sip_word(v, little_endian(bytes, rest) | (uint64_t)length << 56);
  v[2] ^= 0xff;
  for (int i = 0; i < 4; i++)
    sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
