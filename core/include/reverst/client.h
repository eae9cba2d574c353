/* SPDX-License-Identifier: MIT */
/* The client: keeps a tunnel to a server, and answers what comes through it. */
#ifndef REVERST_CLIENT_H
#define REVERST_CLIENT_H

#include <reverst/http.h>
#include <reverst/log.h>
#include <reverst/values.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

typedef struct reverst_client reverst_client;

/* What a client registers with: an Authorization value. Made by the two
   functions below; all-zero: none. Copied by reverst_client_new. A file is read
   anew before each dial, and white space at its ends is left out. */
typedef struct reverst_credentials {
  const char *username, *password; /* Basic (RFC 7617) */
  const char *password_path;       /* a file instead of the password */
  const char *token;               /* Bearer (RFC 6750) */
  const char *token_path;          /* a file instead of the token */
  const char *scheme;  /* instead of the words Basic and Bearer; or with */
  const char *payload; /* any other: "<scheme> <payload>" */
} reverst_credentials;

static inline reverst_credentials reverst_basic(
    const char *username, const char *password) {
  reverst_credentials credentials = { 0 };
  credentials.username = username;
  credentials.password = password;
  return credentials;
}

static inline reverst_credentials reverst_bearer(const char *token) {
  reverst_credentials credentials = { 0 };
  credentials.token = token;
  return credentials;
}

/* Why there is no tunnel (any more). */
typedef struct reverst_disconnect {
  int error;     /* REVERST_ERR_RESOLVE, _CONNECT, _TLS, _TIMEOUT, _PROTOCOL,
                    _CLOSED, _SYSTEM (a file with credentials) */
  bool refused;  /* the server refused the registration: see reason */
  uint64_t code; /* of CONNECTION_CLOSE, where there was one */
  const char *reason; /* "unauthorized", "not found"; any text of the peer's */
  /* Nanoseconds until the next try; 0: it is under way. */
  uint64_t retry_in;
} reverst_disconnect;

/* What happened, in a few words; the reason says more. Never NULL; static. */
const char *reverst_disconnect_text(const reverst_disconnect *disconnect);

/* All-zero members are the defaults; all is copied. Durations are in
   nanoseconds. */
typedef struct reverst_client_options {
  const char *address; /* "127.0.0.1:7171"; names are resolved for each dial */
  const char *server_name; /* SNI and certificate check; the address's host */
  const char *group;       /* the server name */
  const char *ca_path;     /* PEM; NULL: the system's roots */
  bool insecure;           /* the server's certificate is not checked */
  reverst_credentials credentials;
  const reverst_field *metadata; /* more of it, ended by a NULL name; a random
                                    Reverst-Instance is added if it has none */
  uint64_t max_idle_timeout;     /* 60 s */
  uint64_t keep_alive_period;    /* 10 s */
  uint64_t registration_timeout; /* to the server's decision: 30 s */
  uint64_t max_streams;          /* requests at once: 1 000 */

  /* Exactly one of the two. An origin's address: "8080", ":8080",
     "localhost:8080", "http://…", "https://…", "unix:/path". Or a callback,
     which may answer at once or later. */
  const char *origin;
  const char
      *origin_ca_path; /* PEM, for "https://"; NULL: the system's roots */
  void (*on_request)(reverst_request *request, void *user_data);

  /* It is registered. */
  void (*on_connected)(reverst_client *client, void *user_data);
  void (*on_disconnected)(reverst_client *client,
      const reverst_disconnect *disconnect, void *user_data);
  /* The server asks to dial anew, which is being done; the tunnel ends when its
     requests have. Then on_connected or on_disconnected follows. */
  void (*on_draining)(reverst_client *client, void *user_data);
  /* The origin cannot be reached, as a request has found, which is answered
     502: once, and again for another reason. REVERST_ERR_RESOLVE, _CONNECT,
     _TLS, _TIMEOUT, and words. */
  void (*on_origin_unreachable)(
      reverst_client *client, int error, const char *reason, void *user_data);
  /* It has answered again. */
  void (*on_origin_reachable)(reverst_client *client, void *user_data);
  void *user_data;

  enum reverst_log_level log_level;
  reverst_log_callback log;
  void *log_user_data;
  /* Room for why it cannot be started, in words, cut to the size; then that is
     not logged. It may hold any bytes of the options. NULL: none. */
  char *explanation;
  size_t explanation_size; /* with the NUL */
} reverst_client_options;

/* Starts dialling, and again after each loss: exponential back-off with full
   jitter (base 1 s, at most 60 s, reset after a healthy minute), at once after
   a tunnel that worked; after a refusal every 30 s. All addresses of a name are
   tried, the next one 250 ms after the one before (RFC 8305); the first that
   answers is registered at. A server that leaves a PING unanswered for max(3 s,
   3 PTO) is dialled a second time, while the first tunnel still may recover.
   REVERST_ERR_INVALID, REVERST_ERR_ADDRESS, REVERST_ERR_CERTIFICATE (the CA
   file), REVERST_ERR_NO_MEMORY, REVERST_ERR_SYSTEM (also a file with
   credentials); why is logged. */
int reverst_client_new(reverst_client **client, struct event_base *base,
    const reverst_client_options *options);

/* Ends it; requests under way are aborted: their on_closed comes. Then the
   memory goes and `on_closed` (may be NULL) comes, at the end of a turn;
   on_disconnected does not. May be called from its callbacks; further calls do
   nothing. */
void reverst_client_close(reverst_client *client,
    void (*on_closed)(void *user_data), void *user_data);

bool reverst_client_is_connected(const reverst_client *client);

typedef struct reverst_client_stats {
  uint64_t exchanges;          /* now */
  uint64_t requests, connects; /* since the start */
  uint64_t live_objects;
} reverst_client_stats;
void reverst_client_get_stats(
    const reverst_client *client, reverst_client_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
