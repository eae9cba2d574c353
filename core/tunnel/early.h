/* SPDX-License-Identifier: MIT */
/* Early bytes: what a peer sent on unidirectional streams before the HTTP/3
   session was made. A Go client opens its control stream at once, and an idle
   tunnel needs no session. */
#ifndef RV_TUNNEL_EARLY_H
#define RV_TUNNEL_EARLY_H

#include "base/buffer.h"
#include "h3/session.h"

enum { RV_EARLY_MAX_STREAMS = 4, RV_EARLY_MAX_BYTES = 1024 };

struct rv_early_stream {
  int64_t id;
  struct rv_buffer bytes;
  bool fin, reset;
  uint64_t reset_code;
};

struct rv_early {
  struct rv_early_stream streams[RV_EARLY_MAX_STREAMS];
  size_t count;
};

void rv_early_deinit(struct rv_early *early);

/* false: it does not fit; what was kept before is still there. */
bool rv_early_keep(struct rv_early *early, int64_t stream_id,
    const uint8_t *data, size_t length, bool fin);

/* The stream was reset; harmless for one of which nothing was kept. */
void rv_early_reset(struct rv_early *early, int64_t stream_id, uint64_t code);

/* Gives everything to the session and forgets it. */
void rv_early_replay(struct rv_early *early, struct rv_h3_session *session);

#endif
