/* SPDX-License-Identifier: MIT */
/* Hosts are looked up by whole suffixes, so that the work depends on the labels
   of a name and not on how many wildcards there are. */
#include "server/hosts.h"

#include "base/list.h"
#include "http/filter.h"
#include <reverst/error.h>
#include <stdlib.h>

enum { MAX_NAME = 255 }; /* of DNS: RFC 1035 section 2.3.4 */

void rv_hosts_init(struct rv_hosts *hosts, const uint64_t secret[static 2]) {
  *hosts = (struct rv_hosts){ 0 };
  rv_map_init(&hosts->exact, secret);
  rv_map_init(&hosts->wildcards, secret);
}

void rv_hosts_deinit(struct rv_hosts *hosts) {
  rv_map_deinit(&hosts->exact);
  rv_map_deinit(&hosts->wildcards);
}

/* ---- patterns ---- */

/* IPv6 in brackets, or what ends in a number, as only IPv4 does. */
static bool is_address(struct rv_span host) {
  size_t digits = 0;

  if (host.length > 0 && host.data[0] == '[')
    return true;
  while (digits < host.length) {
    char c = host.data[host.length - digits - 1];

    if (c < '0' || c > '9')
      return digits > 0 && c == '.';
    digits++;
  }
  return true;
}

/* The host as routing looks it up; NULL when out of memory. */
static char *normal_host(const char *host) {
  struct rv_arena arena;
  struct rv_span normal;
  char *copy;

  rv_arena_init(&arena);
  normal = rv_host_of_authority(&arena, rv_span_of(host));
  copy = normal.data ? calloc(1, normal.length + 1) : NULL;
  if (copy != NULL)
    memcpy(copy, normal.data, normal.length);
  rv_arena_deinit(&arena);
  return copy;
}

static bool is_host(const char *host) {
  const char *end_of_literal = strrchr(host, ']');
  const char *colon = strrchr(host, ':');

  return host[0] != '\0' && rv_is_authority(rv_span_of(host)) &&
         (colon == NULL || (end_of_literal && colon < end_of_literal));
}

static enum rv_host_kind kind_of(const char **pattern) {
  if (strcmp(*pattern, "*") == 0)
    return RV_HOST_OTHERS;
  if (strncmp(*pattern, "*.", 2) != 0)
    return RV_HOST_EXACT;
  *pattern += 2;
  return RV_HOST_WILDCARD;
}

/* NULL: nothing is. */
static const char *fault_of(enum rv_host_kind kind, const char *name) {
  if (kind == RV_HOST_OTHERS)
    return NULL;
  if (strchr(name, '*') != NULL)
    return "a star stands for whole labels in front: *.example.com, or for all "
           "other hosts: *";
  if (kind == RV_HOST_WILDCARD &&
      (name[0] == '.' || is_address(rv_span_of(name)) || !is_host(name)))
    return "behind *. comes a domain name: *.example.com";
  if (!is_host(name))
    return "this is not a host name";
  return NULL;
}

int rv_host_init(struct rv_host *host, struct rv_group *group,
    const char *pattern, const char **fault) {
  const char *what;

  host->group = group;
  host->kind = kind_of(&pattern);
  what = fault_of(host->kind, pattern);
  if (what != NULL) {
    *fault = what;
    return REVERST_ERR_INVALID;
  }
  host->name = normal_host(pattern);
  return host->name ? 0 : REVERST_ERR_NO_MEMORY;
}

void rv_host_deinit(struct rv_host *host) {
  free(host->name);
  host->name = NULL;
}

/* ---- the table ---- */

static struct rv_host *host_of(struct rv_map_node *node) {
  return node ? rv_container_of(node, struct rv_host, node) : NULL;
}

static int add_name(
    struct rv_map *map, struct rv_host *host, const struct rv_host **other) {
  struct rv_span name = rv_span_of(host->name);

  *other = host_of(rv_map_find(map, name));
  return *other ? REVERST_ERR_EXISTS : rv_map_insert(map, &host->node, name);
}

int rv_hosts_add(struct rv_hosts *hosts, struct rv_host *host,
    const struct rv_host **other) {
  size_t length = strlen(host->name);

  switch (host->kind) {
  case RV_HOST_EXACT:
    return add_name(&hosts->exact, host, other);
  case RV_HOST_WILDCARD:
    if (length > hosts->longest_wildcard)
      hosts->longest_wildcard = length;
    return add_name(&hosts->wildcards, host, other);
  case RV_HOST_OTHERS:
    break;
  }
  *other = hosts->others;
  if (hosts->others != NULL)
    return REVERST_ERR_EXISTS;
  hosts->others = host;
  return 0;
}

void rv_hosts_remove(struct rv_hosts *hosts, struct rv_host *host) {
  if (hosts->others == host)
    hosts->others = NULL;
  else
    rv_map_remove(
        host->kind == RV_HOST_EXACT ? &hosts->exact : &hosts->wildcards,
        &host->node);
}

/* From the left, so that the longest comes first. */
static struct rv_host *find_wildcard(
    const struct rv_hosts *hosts, struct rv_span host) {
  if (hosts->wildcards.count == 0 || host.length > MAX_NAME || is_address(host))
    return NULL;
  for (size_t i = 1; i + 1 < host.length; i++) {
    struct rv_span rest = { host.data + i + 1, host.length - i - 1 };
    struct rv_host *found;

    if (host.data[i] != '.' || rest.length > hosts->longest_wildcard)
      continue;
    found = host_of(rv_map_find(&hosts->wildcards, rest));
    if (found != NULL)
      return found;
  }
  return NULL;
}

struct rv_host *rv_hosts_find(
    const struct rv_hosts *hosts, struct rv_span host) {
  struct rv_host *found = host_of(rv_map_find(&hosts->exact, host));

  if (found == NULL)
    found = find_wildcard(hosts, host);
  return found ? found : hosts->others;
}
