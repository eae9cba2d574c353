/* SPDX-License-Identifier: MIT */
/* A stream that is encrypted: TLS over another stream. */
#ifndef RV_EVENT_TLS_STREAM_H
#define RV_EVENT_TLS_STREAM_H

#include "base/stream.h"
#include "tls/session.h"

/* Takes over `lower`, which is connected. The user hears on_connected after the
   handshake, which has no time limit of its own, and on_closed with EPROTO when
   TLS is at fault: see rv_tls_stream_reason. on_end comes with the peer's
   close_notify only: a connection that ends without one is broken (ECONNRESET;
   RFC 8446 section 6.1). Lingering sends a close_notify first, aborting does
   not. What waits on its way is bounded by 128 KiB, and what a socket reads in
   one go, in each direction.
   REVERST_ERR_NO_MEMORY, REVERST_ERR_TLS, REVERST_ERR_INVALID: `lower` is still
   the caller's, and its user unchanged. */
int rv_tls_stream_open(struct rv_stream **stream, struct rv_stream *lower,
    const struct rv_tls_session_options *options, struct rv_stream_user *user);

/* For such a stream, within the user's on_closed: why it failed, for people;
   NULL: not because of TLS. */
const char *rv_tls_stream_reason(struct rv_stream *stream);

#endif
