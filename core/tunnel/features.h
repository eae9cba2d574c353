/* SPDX-License-Identifier: MIT */
/* What both ends of a tunnel can do beyond the Go original, said in the
   metadata of the registration and of its answer. */
#ifndef RV_TUNNEL_FEATURES_H
#define RV_TUNNEL_FEATURES_H

#include "tunnel/message.h"

#define RV_FEATURES_KEY RV_SPAN("Reverst-Features")
/* trailers: request trailers are understood. continue: 100 can be sent. drain:
   GOAWAY means to dial anew first. Separated by blanks. */
#define RV_FEATURES_OURS RV_SPAN("trailers continue drain")

struct rv_features {
  bool any; /* the peer said something: it is not a Go original */
  bool trailers, continue_, drain;
};

/* From the peer's message; all false when it said nothing. Unknown words are
   skipped. */
struct rv_features rv_features_of(const struct rv_message *message);

#endif
