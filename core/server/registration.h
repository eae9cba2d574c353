/* SPDX-License-Identifier: MIT */
/* Registrations: what an authenticate callback decides on. */
#ifndef RV_SERVER_REGISTRATION_H
#define RV_SERVER_REGISTRATION_H

#include "server/tunnel.h"

enum rv_decision {
  RV_DECISION_ACCEPTED,
  RV_DECISION_REJECTED,
  RV_DECISION_FAILED /* nobody could tell */
};

/* Who carries the decision out. Not called once the registration was abandoned.
 */
struct rv_registration_owner {
  /* `reason` of a rejection or failure, for the log; may be NULL. `options` of
     an acceptance; may be NULL, and is invalid afterwards. */
  void (*on_decided)(struct rv_registration_owner *owner,
      reverst_registration *registration, enum rv_decision decision,
      const char *reason, const reverst_tunnel_options *options);
};

/* Copies what it needs of the tunnel's message. `context` is the owner's. NULL:
   out of memory. */
reverst_registration *rv_registration_new(struct rv_registration_owner *owner,
    const struct rv_server_tunnel *tunnel, void *context);

/* The same for a tunnel, which is then the context. */
reverst_registration *rv_registration_new_repeated(
    struct rv_registration_owner *owner, reverst_tunnel *tunnel);

/* The peer has gone; the decision will have no effect, but free the memory: it
   may come within this call. */
void rv_registration_abandon(reverst_registration *registration);

void *rv_registration_context(const reverst_registration *registration);

#endif
