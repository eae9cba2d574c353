/* SPDX-License-Identifier: MIT */
/* The connections to one origin, and the exchanges that wait for one. */
#ifndef RV_ORIGIN_POOL_H
#define RV_ORIGIN_POOL_H

#include "h1/client.h"
#include "origin/dial.h"
#include "origin/origin.h"

struct rv_origin {
  struct rv_handler handler;
  struct rv_loop *loop;
  struct rv_engine *engine;
  struct rv_origin_options options;
  struct rv_origin_place place;
  char *host; /* sent instead of the visitor's; NULL: none */
  struct rv_limits limits;

  struct rv_list connections; /* all */
  struct rv_list idle;        /* the one used last first */
  struct rv_list dials;
  struct rv_list waiting; /* assignments, longest first */
  size_t connection_count, dial_count, waiting_count, assignment_count;
  struct rv_timer idle_timer;
  struct rv_job match_job, free_job;
  uint64_t quiet_until; /* a failure to reach it was logged */
  char trouble[256];    /* why it could not be reached; "": it could */
  uint64_t failed_ns;   /* when it could not, the last time */
  bool closed;
};

/* Takes over an exchange: it gets a connection, or fails. */
void rv_origin_assign(struct rv_origin *origin, struct rv_exchange *exchange);

/* Ends everything; calls rv_origin_free when it is done. */
void rv_origin_shut(struct rv_origin *origin);
void rv_origin_free(struct rv_origin *origin);

void rv_origin_pool_init(struct rv_origin *origin);

#endif
