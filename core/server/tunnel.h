/* SPDX-License-Identifier: MIT */
/* One accepted tunnel in its group, as policies and applications see it. */
#ifndef RV_SERVER_TUNNEL_H
#define RV_SERVER_TUNNEL_H

#include "tunnel/server_tunnel.h"
#include <reverst/server.h>

struct rv_group;

/* What it says of itself, in one piece of memory. */
struct rv_tunnel_facts {
  unsigned weight;
  const char *name; /* "" where there is none */
  size_t label_count, metadata_count;
  size_t size;           /* of all of it, in bytes */
  reverst_field items[]; /* labels, then metadata; the texts are behind them */
};

/* Zero-initialised plus `peer` and `carrier`. */
struct reverst_tunnel {
  struct rv_list node; /* of group->tunnels, while it is live */
  /* NULL: it has not been accepted. Stays until on_tunnel_down has returned. */
  struct rv_group *group;
  struct rv_server_tunnel *carrier; /* its connection; NULL: it has gone */
  uint64_t id;                      /* unique in the engine, never 0 */
  const char *peer;
  struct rv_tunnel_facts *facts; /* there from the decision on */
  uint64_t registered_at;        /* ns since 1970 */
  void *user_data;

  struct rv_list visits; /* visits that wait for its answer */
  uint64_t requests;     /* that it was given */
  uint64_t latency;      /* see reverst_tunnel_latency */

  /* Requests that it failed before a response head, since the first of them;
     until when it gets none for that. Engine time. */
  uint64_t failing_since, failing_until;
  unsigned fails;
  struct rv_timer recovery; /* at failing_until */

  bool offered; /* to policies: it is in the group's candidates */

  struct rv_list retired_node; /* of a retirement */
  uint64_t judged_from;        /* engine time: when silence begins to count */
  uint64_t retires_by;         /* engine time: its requests have so long */
  enum rv_refusal retires_for;
  bool retired; /* no new requests: it goes when it has answered all */

  /* Registrations that are asked about once more (server/review.h). */
  bool kept;                      /* it can be: it was not to be forgotten */
  char *authorization;            /* NULL: there was none, or it is not kept */
  struct rv_list review_node;     /* of the group's review */
  uint64_t review_at;             /* engine time: of what it waits for there */
  reverst_registration *repeated; /* asked, and not decided yet */

  bool announced;      /* on_tunnel_up has begun, on_tunnel_down has not */
  const char *goodbye; /* why we closed it, for on_tunnel_down; or NULL */
};

/* Takes down what the client said, as `options` has it (may be NULL); also
   another time. `*changed`: is anything else than before?
   REVERST_ERR_NO_MEMORY: all is as it was. */
int rv_tunnel_describe(reverst_tunnel *tunnel, struct rv_engine *engine,
    const struct rv_fields *metadata, const reverst_tunnel_options *options,
    bool *changed);

/* Keeps the credentials too, to be asked about again. REVERST_ERR_NO_MEMORY. */
int rv_tunnel_keep_credentials(
    reverst_tunnel *tunnel, const struct rv_fields *metadata);
void rv_tunnel_forget_credentials(reverst_tunnel *tunnel);

/* Adds the metadata of its registration, with the credentials; the texts are
   the tunnel's. REVERST_ERR_NO_MEMORY. */
int rv_tunnel_copy_metadata(
    const reverst_tunnel *tunnel, struct rv_fields *metadata);

/* Wipes and frees all that it said. */
void rv_tunnel_forget(reverst_tunnel *tunnel);

/* Closes it, with the code and reason of a refusal; the requests on it fail. */
void rv_tunnel_close(reverst_tunnel *tunnel, enum rv_refusal why);

/* Did it fail too many requests just now (server/health.h)? */
bool rv_tunnel_is_failing(const reverst_tunnel *tunnel);

/* May it get new requests, if it has a free stream? */
bool rv_tunnel_is_open(const reverst_tunnel *tunnel);

#endif
