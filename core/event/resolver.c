/* SPDX-License-Identifier: MIT */
/* Names to addresses: literals and localhost at once, others by evdns; a cache,
   and one question for all who ask the same. */
#include "event/resolver.h"

#include "base/map.h"
#include "event/names.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <reverst/error.h>
#include <stdlib.h>

enum { MAX_NAME = 253, MAX_LABEL = 63, MAX_ENTRIES = 1024 };
#define KEEP_TIME (30 * RV_SECOND)
#define ANSWER_TIME (5 * RV_SECOND)

struct rv_resolver {
  struct rv_loop *loop;
  struct rv_engine *engine;
  char *resolv_conf_path, *hosts_path;
  struct rv_names *names; /* NULL: to be made */
  struct rv_map entries;
  struct rv_list answered;    /* of entries, oldest first */
  struct rv_list resolutions; /* all */
};

struct answer {
  int error;
  size_t count;
  struct rv_address addresses[RV_RESOLVER_MAX_ADDRESSES];
};

/* A name: being asked for (in no list), or answered. */
struct entry {
  struct rv_resolver *resolver;
  struct rv_map_node node;
  struct rv_list order;
  struct rv_list waiting; /* of resolutions */
  struct rv_question *question;
  struct rv_timer timer; /* for the answer */
  uint64_t expires;
  struct answer answer;
  char name[MAX_NAME + 1];
};

struct rv_resolution {
  struct rv_list node, waiting;
  struct rv_job job; /* tells the answer */
  struct rv_engine *engine;
  rv_resolved on_resolved;
  void *user_data;
  uint16_t port;
  struct answer answer;
};

/* ---- resolutions ---- */

static void set_port(struct rv_address *address, uint16_t port) {
  if (address->any.sa_family == AF_INET6)
    address->v6.sin6_port = htons(port);
  else
    address->v4.sin_port = htons(port);
}

static void run_resolution(struct rv_job *job) {
  struct rv_resolution *resolution =
      rv_container_of(job, struct rv_resolution, job);
  struct answer *answer = &resolution->answer;
  rv_list_remove(&resolution->node);
  for (size_t i = 0; i < answer->count; i++)
    set_port(&answer->addresses[i], resolution->port);
  resolution->on_resolved(
      answer->error, answer->addresses, answer->count, resolution->user_data);
  free(resolution);
}

static void tell(
    struct rv_resolution *resolution, const struct answer *answer) {
  resolution->answer = *answer;
  rv_list_remove(&resolution->waiting);
  rv_turn_add(&resolution->engine->turn, &resolution->job, RV_PHASE_PROCESS);
}

void rv_resolver_cancel(struct rv_resolution *resolution) {
  if (resolution == NULL)
    return;
  rv_list_remove(&resolution->node);
  rv_list_remove(&resolution->waiting);
  rv_turn_remove(&resolution->job);
  free(resolution);
}

/* ---- entries ---- */

static void entry_free(struct entry *entry) {
  struct rv_resolver *resolver = entry->resolver;
  rv_question_cancel(entry->question);
  rv_timer_stop(&resolver->engine->timers, &entry->timer);
  rv_map_remove(&resolver->entries, &entry->node);
  rv_list_remove(&entry->order);
  free(entry);
}

static void tell_all(struct entry *entry) {
  struct rv_list *node;
  while ((node = rv_list_pop(&entry->waiting)) != NULL)
    tell(rv_container_of(node, struct rv_resolution, waiting), &entry->answer);
}

static void forget_names(struct rv_resolver *resolver) {
  rv_names_retire(resolver->names);
  resolver->names = NULL;
}

/* A failure is not kept. Servers that do not answer may have been replaced:
   evdns is set up anew for the next question. */
static void on_answered(int error, bool again,
    const struct rv_address *addresses, size_t count, void *user_data) {
  struct entry *entry = user_data;
  struct rv_resolver *resolver = entry->resolver;
  entry->question = NULL;
  entry->answer.error = error;
  entry->answer.count = count;
  for (size_t i = 0; i < count; i++)
    entry->answer.addresses[i] = addresses[i];
  tell_all(entry);
  if (again)
    forget_names(resolver);
  if (error != 0) {
    entry_free(entry);
    return;
  }
  rv_timer_stop(&resolver->engine->timers, &entry->timer);
  entry->expires = resolver->engine->now + KEEP_TIME;
  rv_list_push(&resolver->answered, &entry->order);
}

static void on_timeout(struct rv_timer *timer) {
  struct entry *entry = rv_container_of(timer, struct entry, timer);
  entry->answer.error = REVERST_ERR_TIMEOUT;
  tell_all(entry);
  forget_names(entry->resolver);
  entry_free(entry);
}

static void forget_answers(struct rv_resolver *resolver) {
  struct rv_list *node;
  while ((node = rv_list_pop(&resolver->answered)) != NULL)
    entry_free(rv_container_of(node, struct entry, order));
}

/* The files have changed: what they said before is forgotten. */
static int refresh(struct rv_resolver *resolver) {
  if (resolver->names != NULL && !rv_names_are_current(resolver->names)) {
    forget_answers(resolver);
    forget_names(resolver);
  }
  if (resolver->names != NULL)
    return 0;
  return rv_names_new(&resolver->names, resolver->loop,
      resolver->resolv_conf_path, resolver->hosts_path);
}

static struct entry *find(struct rv_resolver *resolver, struct rv_span name) {
  struct rv_map_node *node = rv_map_find(&resolver->entries, name);
  if (node == NULL)
    return NULL;
  struct entry *entry = rv_container_of(node, struct entry, node);
  if (entry->question != NULL || resolver->engine->now < entry->expires)
    return entry;
  entry_free(entry);
  return NULL;
}

static struct entry *entry_new(
    struct rv_resolver *resolver, struct rv_span name) {
  struct entry *entry = calloc(1, sizeof(*entry));
  if (entry == NULL)
    return NULL;
  entry->resolver = resolver;
  memcpy(entry->name, name.data, name.length);
  rv_list_init(&entry->waiting);
  rv_timer_init(&entry->timer, on_timeout);
  if (rv_map_insert(&resolver->entries, &entry->node,
          (struct rv_span){ entry->name, name.length }) < 0) {
    free(entry);
    return NULL;
  }
  if (rv_timer_set(&resolver->engine->timers, &entry->timer,
          resolver->engine->now + ANSWER_TIME) < 0) {
    entry_free(entry);
    return NULL;
  }
  return entry;
}

/* The oldest answer makes room; questions under way are not given up. */
static int make_room(struct rv_resolver *resolver) {
  if (resolver->entries.count < MAX_ENTRIES)
    return 0;
  if (rv_list_empty(&resolver->answered))
    return REVERST_ERR_LIMIT;
  entry_free(rv_container_of(resolver->answered.next, struct entry, order));
  return 0;
}

static int ask(struct rv_resolver *resolver, struct rv_resolution *resolution,
    struct rv_span name) {
  int r = make_room(resolver);
  if (r < 0)
    return r;
  struct entry *entry = entry_new(resolver, name);
  if (entry == NULL)
    return REVERST_ERR_NO_MEMORY;
  rv_list_push(&entry->waiting, &resolution->waiting);
  struct rv_question *question;
  r = rv_names_ask(resolver->names, &question, entry->name, on_answered, entry);
  if (r < 0) {
    rv_list_remove(&resolution->waiting);
    entry_free(entry);
    return r;
  }
  if (question != NULL)
    entry->question = question;
  return 0;
}

static int look_up(struct rv_resolver *resolver,
    struct rv_resolution *resolution, struct rv_span name) {
  int r = refresh(resolver);
  if (r < 0)
    return r;
  struct entry *entry = find(resolver, name);
  if (entry == NULL)
    return ask(resolver, resolution, name);
  if (entry->question != NULL)
    rv_list_push(&entry->waiting, &resolution->waiting);
  else
    tell(resolution, &entry->answer);
  return 0;
}

/* ---- what is not asked for ---- */

static struct rv_address *add_address(
    struct answer *answer, int family, socklen_t length) {
  struct rv_address *address = &answer->addresses[answer->count++];
  *address = (struct rv_address){ .length = length };
  address->any.sa_family = (sa_family_t)family;
  return address;
}

static void add_v4(struct answer *answer, struct in_addr in) {
  add_address(answer, AF_INET, sizeof(struct sockaddr_in))->v4.sin_addr = in;
}

static struct rv_address *add_v6(struct answer *answer, struct in6_addr in) {
  struct rv_address *address =
      add_address(answer, AF_INET6, sizeof(struct sockaddr_in6));
  address->v6.sin6_addr = in;
  return address;
}

/* Also with a zone: "fe80::1%eth0" (RFC 4007 section 11). */
static bool parse_v6(struct answer *answer, char *name) {
  struct in6_addr v6;
  char *zone = strchr(name, '%');
  uint32_t scope = 0;
  if (zone != NULL) {
    scope = if_nametoindex(zone + 1);
    if (scope == 0)
      return false;
    *zone = '\0';
  }
  if (inet_pton(AF_INET6, name, &v6) != 1)
    return false;
  add_v6(answer, v6)->v6.sin6_scope_id = scope;
  return true;
}

static bool is_localhost(struct rv_span name) {
  static const struct rv_span suffix = RV_SPAN(".localhost");
  if (name.length > 0 && name.data[name.length - 1] == '.')
    name.length--;
  if (rv_span_equal(name, RV_SPAN("localhost")))
    return true;
  return name.length > suffix.length &&
         memcmp(name.data + name.length - suffix.length, suffix.data,
             suffix.length) == 0;
}

static bool answer_at_once(struct answer *answer, struct rv_span name) {
  char text[MAX_NAME + 1];
  struct in_addr v4;
  memcpy(text, name.data, name.length);
  text[name.length] = '\0';
  if (is_localhost(name)) {
    add_v4(answer, (struct in_addr){ htonl(INADDR_LOOPBACK) });
    add_v6(answer, in6addr_loopback);
  } else if (inet_pton(AF_INET, text, &v4) == 1) {
    add_v4(answer, v4);
  } else if (memchr(text, ':', name.length) == NULL) {
    return false;
  } else if (!parse_v6(answer, text)) {
    answer->error = REVERST_ERR_RESOLVE;
  }
  return true;
}

/* Lower case; false: it cannot be a name (RFC 1035 section 2.3.4). */
static bool read_name(struct rv_span host, char name[static MAX_NAME + 1]) {
  size_t label = 0;
  if (host.length == 0 || host.length > MAX_NAME)
    return false;
  for (size_t i = 0; i < host.length; i++) {
    unsigned char c = (unsigned char)host.data[i];
    if (c <= ' ' || c >= 0x7f || (c == '.' && label == 0))
      return false;
    label = c == '.' ? 0 : label + 1;
    if (label > MAX_LABEL)
      return false;
    name[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : (char)c;
  }
  name[host.length] = '\0';
  return true;
}

int rv_resolver_resolve(struct rv_resolver *resolver,
    struct rv_resolution **resolution, struct rv_span host, uint16_t port,
    rv_resolved on_resolved, void *user_data) {
  struct rv_resolution *asked = calloc(1, sizeof(*asked));
  struct answer answer = { 0 };
  char text[MAX_NAME + 1];
  struct rv_span name = { text, host.length };
  if (asked == NULL)
    return REVERST_ERR_NO_MEMORY;
  asked->job.run = run_resolution;
  asked->engine = resolver->engine;
  asked->on_resolved = on_resolved;
  asked->user_data = user_data;
  asked->port = port;
  rv_list_push(&resolver->resolutions, &asked->node);
  int r = 0;
  if (!read_name(host, text)) {
    answer.error = REVERST_ERR_RESOLVE;
    tell(asked, &answer);
  } else if (answer_at_once(&answer, name)) {
    tell(asked, &answer);
  } else {
    r = look_up(resolver, asked, name);
  }
  if (r < 0)
    rv_resolver_cancel(asked);
  else
    *resolution = asked;
  return r;
}

size_t rv_resolver_count(const struct rv_resolver *resolver) {
  return resolver->entries.count;
}

/* ---- life ---- */

int rv_resolver_set_files(struct rv_resolver *resolver,
    const char *resolv_conf_path, const char *hosts_path) {
  if (resolv_conf_path != NULL) {
    free(resolver->resolv_conf_path);
    resolver->resolv_conf_path = strdup(resolv_conf_path);
  }
  if (hosts_path != NULL) {
    free(resolver->hosts_path);
    resolver->hosts_path = strdup(hosts_path);
  }
  if (resolver->resolv_conf_path == NULL || resolver->hosts_path == NULL)
    return REVERST_ERR_NO_MEMORY;
  return 0;
}

int rv_resolver_new(struct rv_resolver **resolver, struct rv_loop *loop) {
  struct rv_resolver *new_resolver = calloc(1, sizeof(*new_resolver));
  if (new_resolver == NULL)
    return REVERST_ERR_NO_MEMORY;
  new_resolver->loop = loop;
  new_resolver->engine = rv_loop_engine(loop);
  rv_map_init(&new_resolver->entries, new_resolver->engine->hash_secret);
  rv_list_init(&new_resolver->answered);
  rv_list_init(&new_resolver->resolutions);
  int r = rv_resolver_set_files(new_resolver, "/etc/resolv.conf", "/etc/hosts");
  if (r < 0)
    rv_resolver_free(new_resolver);
  else
    *resolver = new_resolver;
  return r;
}

void rv_resolver_free(struct rv_resolver *resolver) {
  struct rv_list *node;
  struct rv_map_node *entry;
  if (resolver == NULL)
    return;
  while ((node = rv_list_pop(&resolver->resolutions)) != NULL)
    rv_resolver_cancel(rv_container_of(node, struct rv_resolution, node));
  while ((entry = rv_map_any(&resolver->entries)) != NULL)
    entry_free(rv_container_of(entry, struct entry, node));
  rv_map_deinit(&resolver->entries);
  forget_names(resolver);
  free(resolver->resolv_conf_path);
  free(resolver->hosts_path);
  free(resolver);
}
