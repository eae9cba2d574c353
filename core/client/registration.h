/* SPDX-License-Identifier: MIT */
/* What a client registers with: kept from its options, and composed anew for
   each dial, since files with credentials may have changed. */
#ifndef RV_CLIENT_REGISTRATION_H
#define RV_CLIENT_REGISTRATION_H

#include "base/engine.h"
#include "tunnel/message.h"
#include <reverst/client.h>

struct rv_client_registration {
  struct rv_arena arena; /* of all that follows */
  struct rv_span group;
  struct rv_fields metadata;       /* all but the Authorization */
  reverst_credentials credentials; /* copies */
};

/* What cannot be used, and why; `value` may point into the registration or be
   a static text. */
struct rv_registration_fault {
  const char *option, *value, *why;
};

/* Copies; `server_name` is the group when the options name none. An instance
   id of 128 random bits is added unless the options have one: it lasts as long
   as the registration. REVERST_ERR_NO_MEMORY. */
int rv_client_registration_init(struct rv_client_registration *registration,
    struct rv_engine *engine, const reverst_client_options *options,
    const char *server_name);

/* Wipes the credentials. */
void rv_client_registration_deinit(struct rv_client_registration *registration);

/* Into `message`, which is initialised and empty, and to be deinitialised
   whatever the result. REVERST_ERR_INVALID: it breaks a bound of the protocol;
   REVERST_ERR_SYSTEM: a file cannot be read, or is empty; both with the fault.
   REVERST_ERR_NO_MEMORY. */
int rv_client_registration_compose(
    const struct rv_client_registration *registration,
    struct rv_message *message, struct rv_registration_fault *fault);

#endif
