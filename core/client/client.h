/* SPDX-License-Identifier: MIT */
/* The client object: what its parts share. */
#ifndef RV_CLIENT_CLIENT_H
#define RV_CLIENT_CLIENT_H

#include "client/backoff.h"
#include "client/dial.h"
#include "client/race.h"
#include "client/registration.h"
#include "client/request.h"
#include "event/resolver.h"
#include "origin/origin.h"

enum rv_client_state { RV_CLIENT_RUNNING, RV_CLIENT_CLOSING, RV_CLIENT_CLOSED };

enum rv_client_role {
  RV_CLIENT_RACING,  /* shakes hands; others may be quicker */
  RV_CLIENT_CHOSEN,  /* was the quickest, registers */
  RV_CLIENT_CURRENT, /* the tunnel */
  RV_CLIENT_RETIRED  /* ends; finishes its requests before */
};

/* A dial in the client's list. */
struct rv_client_dial {
  struct rv_list node;
  struct reverst_client *client;
  struct rv_dial *dial;
  enum rv_client_role role;
};

struct reverst_client {
  struct rv_loop *loop;
  struct rv_engine *engine;
  enum rv_client_state state;

  char *host; /* of the server; a name or a literal */
  uint16_t port;
  char *server_name;
  struct rv_client_registration registration;
  struct rv_tls_context *tls;
  struct rv_qpack *qpack;
  struct rv_quic_settings settings;
  uint64_t registration_timeout; /* 0: the default */

  struct rv_resolver *resolver;
  struct rv_origin *origin; /* or */
  struct rv_application application;
  struct rv_handler counter; /* in front of either */
  uint64_t requests, connects;

  struct rv_resolution *resolution; /* under way; NULL: none */
  struct rv_client_race race;
  struct rv_list dials;           /* struct rv_client_dial */
  struct rv_client_dial *current; /* NULL: there is no tunnel */
  struct rv_backoff backoff;
  struct rv_timer retry_timer, drain_timer;

  void (*on_connected)(reverst_client *client, void *user_data);
  void (*on_disconnected)(reverst_client *client,
      const reverst_disconnect *disconnect, void *user_data);
  void (*on_draining)(reverst_client *client, void *user_data);
  void (*on_origin_unreachable)(
      reverst_client *client, int error, const char *reason, void *user_data);
  void (*on_origin_reachable)(reverst_client *client, void *user_data);
  void *user_data;

  struct rv_job origin_job; /* tells of the origin: */
  int origin_error;         /* 0: it can be reached */
  char origin_reason[256];
  struct rv_job close_job;
  void (*on_closed)(void *user_data);
  void *on_closed_data;
};

/* client/dialling.c: resolves, dials, waits, dials again. */
void rv_client_init_dialling(struct reverst_client *client);
int rv_client_start_dialling(struct reverst_client *client); /* NO_MEMORY */
/* Closes all dials. */
void rv_client_stop_dialling(struct reverst_client *client);

/* For the race: opens a dial of it; the events of the dial go to dialling.c. */
int rv_client_open_dial(struct reverst_client *client,
    const struct rv_address *address, const struct rv_message *registration);
/* For the race: nobody won it. */
void rv_client_on_race_lost(
    struct reverst_client *client, const reverst_disconnect *loss);

/* A dial has ended: a client that closes looks whether it was the last. */
void rv_client_check_closing(struct reverst_client *client);

#endif
