/* SPDX-License-Identifier: MIT */
/* A small HTTP/1.1 client: whole requests, whole answers, kept connections; for
   asking other services while tunnels are served. */
#ifndef REVERST_FETCH_H
#define REVERST_FETCH_H

#include <reverst/http.h>
#include <reverst/log.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

typedef struct reverst_fetcher reverst_fetcher;
typedef struct reverst_fetch reverst_fetch;

/* All-zero members are the defaults; all is copied. */
typedef struct reverst_fetcher_options {
  const char *ca_path; /* PEM; NULL: the system's roots, read at first need */
  size_t max_connections; /* to one origin: 64; more requests wait */
  size_t max_waiting;     /* for one origin: 16 384 */
  size_t max_origins;     /* in use or with kept connections: 256; fetches that
                             differ in connect_timeout or ca_path share none */
  uint64_t idle_timeout;  /* of kept connections, ns: 60 s */
  enum reverst_log_level log_level;
  reverst_log_callback log;
  void *log_user_data;
} reverst_fetcher_options;

/* REVERST_ERR_NO_MEMORY, REVERST_ERR_SYSTEM. */
int reverst_fetcher_new(reverst_fetcher **fetcher, struct event_base *base,
    const reverst_fetcher_options *options);

/* Cancels what is under way (no on_done); the memory goes and `on_closed` (may
   be NULL) comes at the end of a turn. */
void reverst_fetcher_close(reverst_fetcher *fetcher,
    void (*on_closed)(void *user_data), void *user_data);

/* All is copied. Durations in ns. */
typedef struct reverst_fetch_options {
  const char *url;    /* "http://host[:port]/path?query", "https://…",
                         "http://unix:/path/of/socket:/path" */
  const char *method; /* "GET" */
  /* Ended by a NULL name; may be NULL. Host, framing and hop-by-hop fields are
     ours: such are left out. */
  const reverst_field *headers;
  const void *body;
  size_t body_length;
  uint64_t connect_timeout; /* names and TLS included: 10 s */
  uint64_t timeout;         /* in all, also waiting for a connection: 30 s */
  size_t max_body;          /* of the answer, bytes: 1 MiB */
  const char *ca_path;      /* PEM, for this one; NULL: the fetcher's */
} reverst_fetch_options;

/* The end of a fetch. Valid within on_done. */
typedef struct reverst_fetch_result {
  int error; /* 0; REVERST_ERR_RESOLVE, _CONNECT, _TLS (also: its certificate),
                _TIMEOUT, _LIMIT (max_body, max_waiting, max_origins),
                _MALFORMED, _CLOSED (broken off), _NO_MEMORY */
  const char *message; /* of whom, and why, for people: "example.com:443: no
                          answer within 5 s"; never NULL */
  int status;
  const reverst_field *headers; /* names in lower case; ended by a NULL name */
  const char *body;             /* NUL terminated as well */
  size_t body_length;
} reverst_fetch_result;

/* Starts one; redirects are not followed. on_done comes exactly once, later,
   unless it is cancelled. REVERST_ERR_ADDRESS: the URL; REVERST_ERR_INVALID:
   the method or a field; REVERST_ERR_NO_MEMORY; REVERST_ERR_CLOSED. */
int reverst_fetch_start(reverst_fetch **fetch, reverst_fetcher *fetcher,
    const reverst_fetch_options *options,
    void (*on_done)(const reverst_fetch_result *result, void *user_data),
    void *user_data);

/* on_done does not come. Not within or after on_done. */
void reverst_fetch_cancel(reverst_fetch *fetch);

#ifdef __cplusplus
}
#endif
#endif
