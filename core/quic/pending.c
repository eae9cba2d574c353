/* SPDX-License-Identifier: MIT */
/* Counting pending connections. */
#include "quic/pending.h"

#include "base/list.h"
#include <assert.h>
#include <reverst/error.h>
#include <stdlib.h>

enum { DEFAULT_LIMIT = 16384, DEFAULT_LIMIT_PER_ADDRESS = 256 };

struct source {
  struct rv_map_node node;
  struct rv_address_key key;
  size_t count;
};

static struct rv_span span_of(const struct rv_address_key *key) {
  return (struct rv_span){ (const char *)key->bytes, sizeof(key->bytes) };
}

static struct source *find(
    const struct rv_quic_pending *pending, const struct rv_address_key *key) {
  struct rv_map_node *node = rv_map_find(&pending->addresses, span_of(key));

  return node ? rv_container_of(node, struct source, node) : NULL;
}

void rv_quic_pending_init(struct rv_quic_pending *pending,
    const uint64_t secret[static 2], size_t limit, size_t limit_per_address) {
  *pending = (struct rv_quic_pending){
    .limit = limit ? limit : DEFAULT_LIMIT,
    .limit_per_address =
        limit_per_address ? limit_per_address : DEFAULT_LIMIT_PER_ADDRESS,
  };
  rv_map_init(&pending->addresses, secret);
}

void rv_quic_pending_deinit(struct rv_quic_pending *pending) {
  assert(pending->count == 0 && pending->addresses.count == 0);
  rv_map_deinit(&pending->addresses);
}

static int add_source(
    struct rv_quic_pending *pending, const struct rv_address_key *key) {
  struct source *source = calloc(1, sizeof(*source));
  int r;

  if (!source)
    return REVERST_ERR_NO_MEMORY;
  source->key = *key;
  source->count = 1;
  r = rv_map_insert(&pending->addresses, &source->node, span_of(&source->key));
  if (r < 0)
    free(source);
  return r;
}

bool rv_quic_pending_is_crowded(
    const struct rv_quic_pending *pending, const struct rv_address *address) {
  struct rv_address_key key = rv_address_limit_key(address);
  const struct source *source = find(pending, &key);

  return source && source->count >= (pending->limit_per_address + 1) / 2;
}

int rv_quic_pending_add(
    struct rv_quic_pending *pending, const struct rv_address *address) {
  struct rv_address_key key = rv_address_limit_key(address);
  struct source *source = find(pending, &key);
  int r = 0;

  if (pending->count >= pending->limit ||
      (source && source->count >= pending->limit_per_address))
    return REVERST_ERR_LIMIT;
  if (source)
    source->count++;
  else
    r = add_source(pending, &key);
  if (r == 0)
    pending->count++;
  return r;
}

void rv_quic_pending_remove(
    struct rv_quic_pending *pending, const struct rv_address *address) {
  struct rv_address_key key = rv_address_limit_key(address);
  struct source *source = find(pending, &key);

  assert(source && pending->count > 0);
  pending->count--;
  if (--source->count > 0)
    return;
  rv_map_remove(&pending->addresses, &source->node);
  free(source);
}
