/* SPDX-License-Identifier: MIT */
/* The server: accepts tunnels and public HTTP requests, and joins the two. */
#ifndef REVERST_SERVER_H
#define REVERST_SERVER_H

#include <reverst/error.h>
#include <reverst/group.h>
#include <reverst/log.h>
#include <reverst/values.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

/* All-zero is the default of every member; all is copied. Durations are in
   nanoseconds. */
typedef struct reverst_server_options {
  struct {
    const char *address;          /* "127.0.0.1:7171" */
    const char *server_name;      /* for the log; clients may ask for another */
    const char *certificate_path; /* PEM; required */
    const char *private_key_path; /* PEM; required */
    uint64_t max_idle_timeout;    /* 60 s */
    uint64_t keep_alive_period;   /* 30 s; REVERST_NEVER: no PINGs */
    /* Connections that have not registered; with more of them a newcomer must
       prove its address first (Retry): 1 024; REVERST_NONE: each one must. */
    unsigned retry_threshold;
    /* From a newcomer's first packet to the decision: 10 s. */
    uint64_t registration_timeout;
    /* Connections that have not registered; more are refused: 16 384, and 256
       of one address. */
    unsigned max_pending, max_pending_per_address;
  } tunnel;
  struct {
    const char *address; /* "127.0.0.1:8181"; "unix:/path" */
    /* Several instead, ended by NULL; at most 16. */
    const char *const *addresses;
    /* What HTTP/1.0 requests without Host are taken to be for; NULL: they are
       answered 400. */
    const char *default_host;
  } http;
  /* Of reverst_server_drain, and of the tunnels of a group that is removed:
     30 s; REVERST_NEVER: waits for the last one. */
  uint64_t drain_timeout;
  /* A file of 32 bytes or more that nobody else can read. What is derived from
     it lets a restarted server answer at once to the tunnels of the one before
     (stateless reset). NULL: derived from the private key as it is now; give a
     file where the key is renewed while the server runs. */
  const char *secret_path;
  size_t memory_budget;   /* bytes of buffered bodies: 256 MiB */
  size_t max_connections; /* public: half of RLIMIT_NOFILE, at most 65 536 */
  size_t max_connections_per_address; /* 1 000; not through a Unix socket */
  enum reverst_log_level log_level;
  reverst_log_callback log; /* NULL: none */
  void *log_user_data;
  /* Room for why it failed, in words: what is at fault (a file, an address, an
     option with its value) and the reason, cut to the size; then that is not
     logged. It may hold any bytes of the options. NULL: none. */
  char *explanation;
  size_t explanation_size; /* with the NUL */
} reverst_server_options;

/* Opens both addresses. Why it failed is logged, or explained:
   REVERST_ERR_INVALID, REVERST_ERR_ADDRESS, REVERST_ERR_LISTEN,
   REVERST_ERR_CERTIFICATE, REVERST_ERR_PRIVATE_KEY, REVERST_ERR_SECRET,
   REVERST_ERR_NO_MEMORY, REVERST_ERR_SYSTEM. */
int reverst_server_new(reverst_server **server, struct event_base *base,
    const reverst_server_options *options);

/* Would these options do? Reads the files and looks at the addresses, but opens
   nothing. Errors, and what is logged, as above. */
int reverst_server_check(const reverst_server_options *options);

/* Ends everything at once; tunnels see "server closing down". The memory goes
   and `on_closed` (may be NULL) comes at the end of the turn; the base must be
   dispatched until then. Further calls do nothing. */
void reverst_server_close(reverst_server *server,
    void (*on_closed)(void *user_data), void *user_data);

/* Takes no new connection, lets what is under way finish (at most
   drain_timeout), then closes as above. Calling close meanwhile ends the
   waiting. What is broken off then is counted in the log. */
void reverst_server_drain(reverst_server *server,
    void (*on_closed)(void *user_data), void *user_data);

/* The addresses as bound ("127.0.0.1:41234"): for port 0. Valid with the
   server. */
const char *reverst_server_tunnel_address(const reverst_server *server);
const char *reverst_server_http_address(const reverst_server *server);
/* Each of several; NULL behind the last one. */
const char *reverst_server_http_address_at(
    const reverst_server *server, size_t index);

/* Reads certificate and private key anew from the paths that were given.
   Tunnels stay; connections to come see the new ones. On failure those before
   stay in use, and why is logged: REVERST_ERR_CERTIFICATE,
   REVERST_ERR_PRIVATE_KEY (also: the two do not belong together),
   REVERST_ERR_NO_MEMORY, REVERST_ERR_CLOSED, REVERST_ERR_TLS. */
int reverst_server_reload_certificates(reverst_server *server);
/* The same from other paths, which take the place of those. */
int reverst_server_set_certificate(reverst_server *server,
    const char *certificate_path, const char *private_key_path);

/* Listens at another address for visitors, or several (ended by NULL): opens
   what is new, then takes no more connections at those before, where what is
   under way finishes. On failure nothing changes, and why is logged:
   REVERST_ERR_ADDRESS, REVERST_ERR_LIMIT, REVERST_ERR_LISTEN,
   REVERST_ERR_NO_MEMORY, REVERST_ERR_CLOSED. */
int reverst_server_set_http_address(
    reverst_server *server, const char *address);
int reverst_server_set_http_addresses(
    reverst_server *server, const char *const *addresses);

/* REVERST_NEVER: waits for the last one; 0: 30 s. For drains to come. */
void reverst_server_set_drain_timeout(
    reverst_server *server, uint64_t drain_timeout);

/* Of entries to come. */
void reverst_server_set_log_level(
    reverst_server *server, enum reverst_log_level level);

/* 32 bytes for a purpose of the application, which the label names: derived as
   said at secret_path when the server was made, so that a restarted server gets
   the same. REVERST_ERR_TLS. */
int reverst_server_derive_secret(
    const reverst_server *server, const char *label, unsigned char secret[32]);

/* ---- certificates ---- */

/* Makes a self-signed development certificate (397 days) for a DNS name or an
   IP address, and its private key (mode 0600), both PEM. REVERST_ERR_EXISTS:
   one of the files is there; nothing was overwritten. REVERST_ERR_SYSTEM: see
   errno. */
int reverst_make_certificate(const char *name, const char *certificate_path,
    const char *private_key_path);

/* ---- statistics ---- */

typedef struct reverst_server_stats {
  uint64_t tunnels, pending_registrations, connections, exchanges; /* now */
  uint64_t registrations_accepted, registrations_refused, requests, failures,
      retries;             /* since the start */
  uint64_t buffered_bytes; /* of bodies, now */
  uint64_t live_objects;   /* of all kinds; for tests of leaks */
} reverst_server_stats;
void reverst_server_get_stats(
    const reverst_server *server, reverst_server_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
