/* SPDX-License-Identifier: MIT */
/* Questions to evdns. */
#include "event/names.h"

#include <assert.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <reverst/error.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_stamp {
  char *path;
  struct stat status;
};

struct rv_names {
  struct rv_loop *loop;
  struct evdns_base *dns;
  struct file_stamp resolv_conf, hosts;
  size_t questions;
  bool retired, was_asked;
  struct rv_timer free_timer;
  struct rv_job free_job; /* when no timer can be had */
};

struct rv_question {
  struct rv_names *names;
  struct evdns_getaddrinfo_request *request;
  rv_answered on_answered; /* NULL: cancelled */
  void *user_data;
  bool asking, answered;
};

/* ---- the files ---- */

static void read_stamp(const char *path, struct stat *status) {
  if (stat(path, status) < 0)
    memset(status, 0, sizeof(*status));
}

static bool is_current(const struct file_stamp *file) {
  struct stat status;
  read_stamp(file->path, &status);
  return status.st_ino == file->status.st_ino &&
         status.st_dev == file->status.st_dev &&
         status.st_size == file->status.st_size &&
         status.st_mtim.tv_sec == file->status.st_mtim.tv_sec &&
         status.st_mtim.tv_nsec == file->status.st_mtim.tv_nsec;
}

bool rv_names_are_current(const struct rv_names *names) {
  return is_current(&names->resolv_conf) && is_current(&names->hosts);
}

/* ---- life ---- */

static void destroy(struct rv_names *names) {
  if (names->dns != NULL)
    evdns_base_free(names->dns, 0);
  free(names->resolv_conf.path);
  free(names->hosts.path);
  rv_timer_stop(&rv_loop_engine(names->loop)->timers, &names->free_timer);
  rv_loop_release(names->loop);
  free(names);
}

static void on_free_timer(struct rv_timer *timer) {
  destroy(rv_container_of(timer, struct rv_names, free_timer));
}

static void run_free(struct rv_job *job) {
  destroy(rv_container_of(job, struct rv_names, free_job));
}

/* Not at once: after the last answer evdns may have callbacks under way that
   look at its base. They run before sockets and timers are looked at again. */
static void free_if_unused(struct rv_names *names) {
  struct rv_engine *engine = rv_loop_engine(names->loop);
  if (!names->retired || names->questions > 0)
    return;
  if (!names->was_asked || rv_timer_set(&engine->timers, &names->free_timer,
                               engine->now + RV_MILLISECOND) < 0)
    rv_turn_add(&engine->turn, &names->free_job, RV_PHASE_FREE);
}

/* The bounds of one try come after the file, which may say otherwise. */
static void configure(struct rv_names *names) {
  int flags = DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC;
  read_stamp(names->resolv_conf.path, &names->resolv_conf.status);
  read_stamp(names->hosts.path, &names->hosts.status);
  (void)evdns_base_resolv_conf_parse(
      names->dns, flags, names->resolv_conf.path);
  (void)evdns_base_load_hosts(names->dns, names->hosts.path);
  (void)evdns_base_set_option(names->dns, "timeout:", "1.5");
  (void)evdns_base_set_option(names->dns, "attempts:", "4");
  (void)evdns_base_set_option(names->dns, "getaddrinfo-allow-skew:", "1");
}

/* evdns would write to stderr, and knows but one log for the process. */
static void drop_log(int is_warning, const char *message) {
  (void)is_warning;
  (void)message;
}

static bool prepare(struct rv_names *names, const char *resolv_conf_path,
    const char *hosts_path) {
  evdns_set_log_fn(drop_log);
  names->resolv_conf.path = strdup(resolv_conf_path);
  names->hosts.path = strdup(hosts_path);
  names->dns = evdns_base_new(
      rv_loop_base(names->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
  return names->resolv_conf.path != NULL && names->hosts.path != NULL &&
         names->dns != NULL;
}

int rv_names_new(struct rv_names **names, struct rv_loop *loop,
    const char *resolv_conf_path, const char *hosts_path) {
  struct rv_names *new_names = calloc(1, sizeof(*new_names));
  if (new_names == NULL)
    return REVERST_ERR_NO_MEMORY;
  new_names->loop = loop;
  rv_timer_init(&new_names->free_timer, on_free_timer);
  new_names->free_job.run = run_free;
  rv_loop_hold(loop);
  if (!prepare(new_names, resolv_conf_path, hosts_path)) {
    destroy(new_names);
    return REVERST_ERR_NO_MEMORY;
  }
  configure(new_names);
  *names = new_names;
  return 0;
}

void rv_names_retire(struct rv_names *names) {
  if (names == NULL)
    return;
  names->retired = true;
  free_if_unused(names);
}

/* ---- questions ---- */

static size_t copy_addresses(const struct evutil_addrinfo *list,
    struct rv_address addresses[static RV_RESOLVER_MAX_ADDRESSES]) {
  size_t count = 0;
  for (; list != NULL && count < RV_RESOLVER_MAX_ADDRESSES;
       list = list->ai_next) {
    if (list->ai_family != AF_INET && list->ai_family != AF_INET6)
      continue;
    addresses[count] = (struct rv_address){ 0 };
    memcpy(&addresses[count].path, list->ai_addr, list->ai_addrlen);
    addresses[count++].length = list->ai_addrlen;
  }
  return count;
}

static void question_free(struct rv_question *question) {
  struct rv_names *names = question->names;
  free(question);
  names->questions--;
  free_if_unused(names);
}

static void on_evdns(int result, struct evutil_addrinfo *list, void *user) {
  struct rv_question *question = user;
  struct rv_engine *engine = rv_loop_engine(question->names->loop);
  struct rv_address addresses[RV_RESOLVER_MAX_ADDRESSES];
  size_t count = copy_addresses(list, addresses);
  rv_engine_refresh(engine);
  if (list != NULL)
    evutil_freeaddrinfo(list);
  rv_addresses_sort(addresses, count);
  question->answered = true;
  if (question->on_answered != NULL)
    question->on_answered(count > 0 ? 0 : REVERST_ERR_RESOLVE,
        result == EVUTIL_EAI_AGAIN || result == EVUTIL_EAI_FAIL, addresses,
        count, question->user_data);
  if (!question->asking)
    question_free(question);
}

int rv_names_ask(struct rv_names *names, struct rv_question **question,
    const char *name, rv_answered on_answered, void *user_data) {
  const struct evutil_addrinfo hints = {
    .ai_family = AF_UNSPEC,
    .ai_socktype = SOCK_STREAM,
    .ai_protocol = IPPROTO_TCP,
  };
  struct rv_question *asked = calloc(1, sizeof(*asked));
  *question = NULL;
  if (asked == NULL)
    return REVERST_ERR_NO_MEMORY;
  *asked = (struct rv_question){
    .names = names,
    .on_answered = on_answered,
    .user_data = user_data,
    .asking = true,
  };
  names->questions++;
  names->was_asked = true;
  asked->request =
      evdns_getaddrinfo(names->dns, name, NULL, &hints, on_evdns, asked);
  asked->asking = false;
  if (asked->answered)
    question_free(asked);
  else
    *question = asked;
  return 0;
}

/* evdns answers a cancelled question too, later. */
void rv_question_cancel(struct rv_question *question) {
  if (question == NULL)
    return;
  question->on_answered = NULL;
  evdns_getaddrinfo_cancel(question->request);
}

/* ---- order ---- */

/* Does the machine have a route there? Connecting a datagram socket looks the
   route up and sends nothing. */
static bool is_reachable(const struct rv_address *address) {
  struct rv_address probe = *address;
  int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return false;
  if (probe.any.sa_family == AF_INET6)
    probe.v6.sin6_port = htons(9);
  else
    probe.v4.sin_port = htons(9);
  bool reachable = connect(fd, &probe.any, probe.length) == 0;
  close(fd);
  return reachable;
}

/* Moves the first at or behind `from` for which `key` is wanted to `from`. */
static bool bring_forward(struct rv_address *addresses, int *keys, size_t from,
    size_t count, int wanted) {
  for (size_t i = from; i < count; i++) {
    if (keys[i] != wanted)
      continue;
    struct rv_address address = addresses[i];
    memmove(&addresses[from + 1], &addresses[from],
        (i - from) * sizeof(*addresses));
    memmove(&keys[from + 1], &keys[from], (i - from) * sizeof(*keys));
    addresses[from] = address;
    keys[from] = wanted;
    return true;
  }
  return false;
}

enum { KEY_V6, KEY_V4, KEY_UNREACHABLE };

void rv_addresses_sort(struct rv_address *addresses, size_t count) {
  int keys[RV_RESOLVER_MAX_ADDRESSES], wanted = KEY_V6;
  assert(count <= RV_RESOLVER_MAX_ADDRESSES);
  for (size_t i = 0; i < count; i++) {
    keys[i] = addresses[i].any.sa_family == AF_INET6 ? KEY_V6 : KEY_V4;
    if (!is_reachable(&addresses[i]))
      keys[i] = KEY_UNREACHABLE;
  }
  for (size_t i = 0; i < count; i++) {
    int other = wanted == KEY_V6 ? KEY_V4 : KEY_V6;
    if (!bring_forward(addresses, keys, i, count, wanted) &&
        !bring_forward(addresses, keys, i, count, other))
      return; /* the rest is unreachable */
    wanted = other;
  }
}
