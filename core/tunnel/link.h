/* SPDX-License-Identifier: MIT */
/* A link: the QUIC connection of a tunnel with its registration stream and its
   HTTP/3 session. What server_tunnel and client_tunnel have in common. */
#ifndef RV_TUNNEL_LINK_H
#define RV_TUNNEL_LINK_H

#include "base/buffer.h"
#include "h3/session.h"
#include "quic/connection.h"

/* What tunnels agree on in the handshake (RFC 7301). */
#define RV_TUNNEL_ALPN "quic-h3-tunnel"

/* Codes of CONNECTION_CLOSE (application) by which a registration is refused.
 */
enum { RV_LINK_NORMAL = 0, RV_LINK_SERVER_ERROR = 1, RV_LINK_CLIENT_ERROR = 2 };

/* The stream that carries the registration goes to the link's owner,
   bidirectional and unidirectional streams of the session to the session. */
struct rv_link {
  struct rv_quic_application application; /* what the connection talks to */
  struct rv_h3_transport transport;       /* what the session talks to */
  struct rv_engine *engine;
  struct rv_quic_connection *connection; /* NULL once closed */
  struct rv_h3_session *session;         /* NULL: not yet, or no more */
  bool closing; /* the connection is being closed by this end */

  int64_t message_stream; /* that our message goes out on; -1: none */
  struct rv_buffer message;
  size_t message_sent; /* bytes handed to QUIC */
  bool message_fin, message_fin_sent, message_blocked;
};

/* Sets the parts that need no connection; the owner then sets the members of
   `application` that it handles itself: on_handshake_completed, on_stream_data,
   on_stream_reset, on_closed. The others are the link's. */
void rv_link_init(struct rv_link *link, struct rv_engine *engine);

/* After on_closed: the session goes, with its exchanges. */
void rv_link_deinit(struct rv_link *link);

/* Makes the session; `options` needs only what the link does not know: all but
   engine, transport and peer_window. It opens no stream yet, and so may be
   called within ngtcp2 too. */
int rv_link_start_session(
    struct rv_link *link, const struct rv_h3_options *options);

/* Sends what was written into link->message on that stream, and a FIN. */
void rv_link_send_message(struct rv_link *link, int64_t stream_id);

/* Closes by application code. The owner hears on_closed. */
void rv_link_close(struct rv_link *link, uint64_t code, struct rv_span reason);

static inline bool rv_is_bidi(int64_t stream_id) {
  return (stream_id & 2) == 0;
}
static inline bool rv_is_client_initiated(int64_t stream_id) {
  return (stream_id & 1) == 0;
}

#endif
