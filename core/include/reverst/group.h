/* SPDX-License-Identifier: MIT */
/* Groups of a server: who may join, which tunnel gets a request, and what is
   done to requests on the way. */
#ifndef REVERST_GROUP_H
#define REVERST_GROUP_H

#include <reverst/values.h>
#include <reverst/visit.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct reverst_server reverst_server;
typedef struct reverst_registration reverst_registration;
typedef struct reverst_tunnel reverst_tunnel;

/* ---- registrations ---- */

/* May answer at once or later, by exactly one of the calls below. */
typedef void (*reverst_authenticate)(
    reverst_registration *registration, void *user_data);

/* Texts are NUL terminated and valid until the registration is decided. */
const char *reverst_registration_group(
    const reverst_registration *registration);
const char *reverst_registration_peer(const reverst_registration *registration);
const char *reverst_registration_server_name(
    const reverst_registration *registration);
const char *reverst_registration_metadata(
    const reverst_registration *registration, const char *key); /* NULL: none */
bool reverst_registration_metadata_at(const reverst_registration *registration,
    size_t index, const char **key, const char **value);

/* `Authorization` split: the scheme in lower case ("basic"), and what follows
   it. NULL when there is none. */
const char *reverst_registration_scheme(
    const reverst_registration *registration);
const char *reverst_registration_credentials(
    const reverst_registration *registration);

/* It is a tunnel already, and is asked about once more
   (reverst_server_reauthenticate). */
bool reverst_registration_is_repeated(const reverst_registration *registration);

/* Tells that nobody waits for the decision any more: the peer has gone, or was
   told "timeout". It has to be decided all the same, within the callback or
   later; nothing else of the server may be called in there. NULL: no call. */
void reverst_registration_on_abandoned(reverst_registration *registration,
    void (*on_abandoned)(reverst_registration *registration, void *user_data),
    void *user_data);

/* What a tunnel is called and how it weighs; each member that is zero leaves it
   at what the client said (Reverst-Name, Reverst-Weight, Reverst-Label-*). */
typedef struct reverst_tunnel_options {
  const char *name;            /* up to 63 bytes; more is cut */
  unsigned weight;             /* 1 to 65 535 */
  const reverst_field *labels; /* ended by a NULL name; they replace the
                                  client's of the same name */
} reverst_tunnel_options;

/* Each registration must be decided once; it is invalid afterwards. It may be
   decided also after its peer has gone or timed out (10 s): then nothing
   happens. `options` may be NULL. */
void reverst_registration_accept(reverst_registration *registration);
void reverst_registration_accept_as(
    reverst_registration *registration, const reverst_tunnel_options *options);
/* The peer sees "unauthorized"; the log has `reason` (may be NULL). A tunnel
   that was asked about once more is closed. */
void reverst_registration_reject(
    reverst_registration *registration, const char *reason);
/* Nobody can tell: a newcomer is refused ("server error", so that it tries
   again soon), a tunnel stays and is asked about again later. */
void reverst_registration_fail(
    reverst_registration *registration, const char *reason);

/* ---- tunnels ---- */

/* Valid from on_tunnel_up until on_tunnel_down has returned. Texts are NUL
   terminated, and valid as long or until it is accepted once more with others
   (reverst_server_reauthenticate); "" where there is none. */
uint64_t reverst_tunnel_id(const reverst_tunnel *tunnel); /* never used again */
const char *reverst_tunnel_name(const reverst_tunnel *tunnel);
const char *reverst_tunnel_peer(const reverst_tunnel *tunnel);
unsigned reverst_tunnel_weight(const reverst_tunnel *tunnel); /* 1 by default */
bool reverst_tunnel_label_at(const reverst_tunnel *tunnel, size_t index,
    const char **name, const char **value);
/* Never Authorization. */
bool reverst_tunnel_metadata_at(const reverst_tunnel *tunnel, size_t index,
    const char **name, const char **value);
/* Requests under way. */
size_t reverst_tunnel_active(const reverst_tunnel *tunnel);
/* Requests since it came up. */
uint64_t reverst_tunnel_requests(const reverst_tunnel *tunnel);
/* Moving average of the time to the response head, ns; 0: none yet. */
uint64_t reverst_tunnel_latency(const reverst_tunnel *tunnel);
/* ns since 1970. */
uint64_t reverst_tunnel_registered_at(const reverst_tunnel *tunnel);
/* May it get requests now; false: draining, silent, failing, full or replaced.
 */
bool reverst_tunnel_is_eligible(const reverst_tunnel *tunnel);
/* The application's, NULL at first. */
void *reverst_tunnel_user_data(const reverst_tunnel *tunnel);
void reverst_tunnel_set_user_data(reverst_tunnel *tunnel, void *user_data);

/* ---- policies ---- */

/* What a policy chooses from, in the order in which the tunnels came up. */
typedef struct reverst_choice {
  reverst_tunnel *const *tunnels;
  size_t count;
  /* Unique in the server: the same number stands for the same tunnels in the
     same order. 0: made for this call only (a retry, which leaves out those
     that were tried). */
  uint64_t generation;
} reverst_choice;

/* Called for each try of a request, at a time when it may call anything but
   what closes tunnels. Answers at once: one of `choice`, or NULL: none, which
   fails the request (503). */
typedef reverst_tunnel *(*reverst_choose)(
    reverst_visit *visit, const reverst_choice *choice, void *user_data);

/* ---- groups ---- */

/* All-zero members are the defaults; all is copied. */
typedef struct reverst_group_options {
  const char *name; /* clients register with it; 1 to 255 bytes of UTF-8 */
  /* Ended by NULL, compared without case: exact names, "*.example.com" (one
     label or more in place of the star), "*" (all others). An exact name goes
     before the longest wildcard, that before "*". */
  const char *const *hosts;
  reverst_authenticate authenticate;
  bool insecure; /* without authenticate: everyone may join */
  /* Registrations are wiped once they are decided: a tunnel is never asked
     about again. */
  bool forget_credentials;
  unsigned retries; /* after the first try: 2, at most 15; or REVERST_NONE */
  reverst_choose choose; /* NULL: round robin */
  /* From the end of the request, or from when its tunnel takes no more of it,
     to the response head: none. */
  uint64_t response_timeout;
  uint64_t queue_timeout; /* for a free stream of a tunnel: 30 s */
  /* A tunnel that fails so many requests (before a response head) within
     fail_duration gets none for as long, while another is there: 3 within 10 s;
     REVERST_NONE: never. */
  unsigned max_fails;
  uint64_t fail_duration;

  /* Hooks, each may be NULL; see visit.h for their decisions. They come within
     the turn's phase for scripts, so anything may be called. */
  void (*on_request)(reverst_visit *visit, void *user_data);
  void (*on_response)(reverst_visit *visit, void *user_data);
  /* The visitor has gone before the decision of on_request or on_response, or
     the response broke off; the last call for this visit. */
  void (*on_cancelled)(reverst_visit *visit, void *user_data);
  void (*on_tunnel_up)(reverst_tunnel *tunnel, void *user_data);
  void (*on_tunnel_down)(
      reverst_tunnel *tunnel, const char *reason, void *user_data);
  void *user_data;
} reverst_group_options;

/* Adds one group. REVERST_ERR_NO_GROUP_AUTHENTICATION: neither authenticate nor
   insecure. REVERST_ERR_EXISTS: the name, or a host of another group.
   REVERST_ERR_INVALID: a bad name or host. REVERST_ERR_CLOSED: closed. Why is
   logged. */
int reverst_server_add_group(
    reverst_server *server, const reverst_group_options *options);

typedef struct reverst_routing {
  const reverst_group_options *groups;
  size_t group_count;
  /* Before the hosts are looked up; may be NULL. on_cancelled as in a group. */
  void (*on_route)(reverst_visit *visit, void *user_data);
  void (*on_cancelled)(reverst_visit *visit, void *user_data);
  void *user_data;
} reverst_routing;

/* Replaces all groups and the route callback at once, or changes nothing
   (errors as above). A group of the same name keeps its tunnels and the
   requests on them; a group that is not among them takes no more, and its
   tunnels close ("not found") when their requests are done. Decisions under way
   stay with those whom they were handed to, who also hear of on_cancelled and
   must still decide; on_tunnel_down is called within this call for each tunnel
   of a group that goes; every other callback with the user_data of before has
   had its last call when this returns. Those tunnels that are there are not
   told to on_tunnel_up again. */
int reverst_server_set_routing(
    reverst_server *server, const reverst_routing *routing);

/* Asks the group's authenticate about each of its tunnels once more, at times
   spread evenly over `spread` ns. What cannot be told
   (reverst_registration_fail, or no answer) is asked again after as long.
   Nothing for groups that forget credentials, or are insecure. Another call
   begins anew: decisions on what was asked before are of no effect. A tunnel
   that comes by a decision asked for before this call is asked about at once.
   REVERST_ERR_INVALID: no such group; REVERST_ERR_NO_MEMORY,
   REVERST_ERR_CLOSED. */
int reverst_server_reauthenticate(
    reverst_server *server, const char *group, uint64_t spread);

/* Calls `on_tunnel` for each tunnel of the group, or of all when it is NULL; it
   may not change anything. */
void reverst_server_each_tunnel(const reverst_server *server, const char *group,
    void (*on_tunnel)(
        reverst_tunnel *tunnel, const char *group, void *user_data),
    void *user_data);

#ifdef __cplusplus
}
#endif
#endif
