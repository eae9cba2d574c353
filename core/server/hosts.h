/* SPDX-License-Identifier: MIT */
/* The table of hosts: names, wildcards, and who takes all others. */
#ifndef RV_SERVER_HOSTS_H
#define RV_SERVER_HOSTS_H

#include "base/map.h"

struct rv_group;

enum rv_host_kind { RV_HOST_EXACT, RV_HOST_WILDCARD, RV_HOST_OTHERS };

/* An element. Zero-initialised plus `group`. */
struct rv_host {
  struct rv_map_node node;
  enum rv_host_kind kind;
  struct rv_group *group;
  char *name; /* as it is looked up: without the star and its dot */
};

struct rv_hosts {
  struct rv_map exact, wildcards;
  struct rv_host *others;  /* NULL: nobody */
  size_t longest_wildcard; /* bytes; no other one is longer */
};

void rv_hosts_init(struct rv_hosts *hosts, const uint64_t secret[static 2]);
void rv_hosts_deinit(struct rv_hosts *hosts); /* elements are the caller's */

/* Reads the pattern: "name", "*.name" or "*". REVERST_ERR_INVALID: `*fault`
   says (static text) what it should be; REVERST_ERR_NO_MEMORY. */
int rv_host_init(struct rv_host *host, struct rv_group *group,
    const char *pattern, const char **fault);
void rv_host_deinit(struct rv_host *host);

/* REVERST_ERR_EXISTS: `*other` has it; REVERST_ERR_NO_MEMORY. */
int rv_hosts_add(
    struct rv_hosts *hosts, struct rv_host *host, const struct rv_host **other);
/* Harmless when it is not in. */
void rv_hosts_remove(struct rv_hosts *hosts, struct rv_host *host);

/* By a host as rv_host_of_authority yields it: an exact name, else the longest
   wildcard, with at least one label in place of its star, else the others.
   Addresses, and names of more than 255 bytes, match no wildcard. */
struct rv_host *rv_hosts_find(
    const struct rv_hosts *hosts, struct rv_span host);

#endif
