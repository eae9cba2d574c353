/* SPDX-License-Identifier: MIT */
/* Dialling. */
#include "client/dial.h"

#include <reverst/error.h>
#include <stdlib.h>

enum { CONNECTION_REFUSED = 0x2 }; /* RFC 9000 section 20.1 */

struct rv_dial {
  struct rv_engine *engine;
  struct rv_udp *udp;
  struct rv_quic_endpoint *endpoint;
  struct rv_client_tunnel *tunnel;
  const struct rv_dial_events *events;
  void *user_data;
  bool was_registered;
  reverst_disconnect end;
  char reason[256];
};

/* ---- the end ---- */

static int error_of_code(uint64_t code) {
  if (code == CONNECTION_REFUSED)
    return REVERST_ERR_LIMIT;
  /* alerts of TLS: RFC 9001 section 4.8 */
  return code >= 0x100 && code <= 0x1ff ? REVERST_ERR_TLS
                                        : REVERST_ERR_PROTOCOL;
}

static int error_of_close(
    const struct rv_dial *dial, const struct rv_quic_close *close) {
  switch (close->kind) {
  case RV_QUIC_CLOSE_IDLE:
    return dial->was_registered ? REVERST_ERR_TIMEOUT : REVERST_ERR_CONNECT;
  case RV_QUIC_CLOSE_HANDSHAKE_TIMEOUT:
    return REVERST_ERR_CONNECT;
  case RV_QUIC_CLOSE_TRANSPORT:
    return error_of_code(close->code);
  case RV_QUIC_CLOSE_RESET:
    return REVERST_ERR_CLOSED;
  case RV_QUIC_CLOSE_APPLICATION:
    break;
  }
  return close->by_peer || close->code == RV_LINK_NORMAL ? REVERST_ERR_CLOSED
                                                         : REVERST_ERR_PROTOCOL;
}

/* Alerts of TLS (RFC 8446 section 6.2) in a CONNECTION_CLOSE are 0x100 higher.
 */
static const char *text_of_code(uint64_t code) {
  switch (code) {
  case 0x12a: /* bad_certificate: wolfSSL does not tell the two apart */
    return "its certificate is self-signed, or not for this name";
  case 0x12d: /* certificate_expired */
    return "its certificate has expired";
  case 0x130: /* unknown_ca */
    return "its certificate is not signed by anyone trusted";
  case 0x178: /* no_application_protocol */
    return "it is not a server of tunnels";
  case CONNECTION_REFUSED:
    return "it takes no connections now";
  default:
    return "";
  }
}

static const char *text_of_close(const struct rv_quic_close *close) {
  switch (close->kind) {
  case RV_QUIC_CLOSE_IDLE:
  case RV_QUIC_CLOSE_HANDSHAKE_TIMEOUT:
    return "no answer";
  case RV_QUIC_CLOSE_RESET:
    return "the server has forgotten the connection";
  case RV_QUIC_CLOSE_TRANSPORT:
    return text_of_code(close->code);
  case RV_QUIC_CLOSE_APPLICATION:
    break;
  }
  return "";
}

static void note_end(
    struct rv_dial *dial, const struct rv_quic_close *close, bool refused) {
  struct rv_span reason = close->reason;

  if (reason.length == 0)
    reason = rv_span_of(text_of_close(close));
  if (reason.length >= sizeof(dial->reason))
    reason.length = sizeof(dial->reason) - 1;
  if (reason.length > 0)
    memcpy(dial->reason, reason.data, reason.length);
  dial->reason[reason.length] = '\0';
  dial->end = (reverst_disconnect){
    .error = error_of_close(dial, close),
    .refused = refused,
    .code = close->code,
    .reason = dial->reason,
  };
}

static void on_endpoint_freed(void *user_data) {
  struct rv_dial *dial = user_data;

  rv_udp_close(dial->udp);
  dial->events->on_ended(dial, &dial->end, dial->user_data);
  free(dial);
}

static void on_closed(struct rv_client_tunnel *tunnel,
    const struct rv_quic_close *close, bool refused, void *user_data) {
  struct rv_dial *dial = user_data;
  struct rv_quic_endpoint *endpoint = dial->endpoint;

  (void)tunnel;
  dial->tunnel = NULL;
  dial->endpoint = NULL;
  note_end(dial, close, refused);
  rv_quic_endpoint_close(endpoint, on_endpoint_freed, dial);
}

static void on_ready(struct rv_client_tunnel *tunnel, void *user_data) {
  struct rv_dial *dial = user_data;

  (void)tunnel;
  dial->events->on_ready(dial, dial->user_data);
}

static void on_registered(struct rv_client_tunnel *tunnel, void *user_data) {
  struct rv_dial *dial = user_data;

  (void)tunnel;
  dial->was_registered = true;
  dial->events->on_registered(dial, dial->user_data);
}

static void on_draining(struct rv_client_tunnel *tunnel, void *user_data) {
  struct rv_dial *dial = user_data;

  (void)tunnel;
  dial->events->on_draining(dial, dial->user_data);
}

static void on_silence(struct rv_client_tunnel *tunnel, void *user_data) {
  struct rv_dial *dial = user_data;

  (void)tunnel;
  dial->events->on_silence(dial, dial->user_data);
}

static const struct rv_client_tunnel_events tunnel_events = {
  .on_ready = on_ready,
  .on_registered = on_registered,
  .on_draining = on_draining,
  .on_silence = on_silence,
  .on_closed = on_closed,
};

/* ---- the start ---- */

static void on_datagram(const struct rv_datagram *datagram, void *user_data) {
  struct rv_dial *dial = user_data;

  if (dial->endpoint != NULL)
    rv_quic_endpoint_receive(dial->endpoint, datagram);
}

static void on_writable(void *user_data) {
  struct rv_dial *dial = user_data;

  if (dial->endpoint != NULL)
    rv_quic_endpoint_writable(dial->endpoint);
}

/* Any port of the family of the remote address. */
static struct rv_address any_address(const struct rv_address *remote) {
  struct rv_address address = { 0 };

  address.length = remote->length;
  address.any.sa_family = remote->any.sa_family;
  return address;
}

static int open_socket(
    struct rv_dial *dial, const struct rv_dial_options *options) {
  struct rv_address local = any_address(options->remote);
  struct rv_udp_options udp = {
    .loop = options->loop,
    .address = &local,
    .on_datagram = on_datagram,
    .on_writable = on_writable,
    .user_data = dial,
  };
  struct rv_quic_endpoint_options endpoint = {
    .engine = dial->engine,
    .alpn = RV_TUNNEL_ALPN,
    .user_data = dial,
  };
  int r = rv_udp_open(&dial->udp, &udp);

  if (r < 0)
    return r;
  endpoint.sink = rv_udp_sink(dial->udp);
  return rv_quic_endpoint_new(&dial->endpoint, &endpoint);
}

static int start_tunnel(
    struct rv_dial *dial, const struct rv_dial_options *options) {
  struct rv_quic_connect_options connect = {
    .local = rv_udp_address(dial->udp),
    .remote = options->remote,
    .tls = options->tls,
    .server_name = options->server_name,
    .settings = options->settings,
  };
  struct rv_client_tunnel_options tunnel = {
    .engine = dial->engine,
    .endpoint = dial->endpoint,
    .connect = &connect,
    .registration = options->registration,
    .answer_timeout = options->registration_timeout,
    .qpack = options->qpack,
    .handler = options->handler,
    .events = &tunnel_events,
    .user_data = dial,
  };

  return rv_client_tunnel_new(&dial->tunnel, &tunnel);
}

static void on_failed_endpoint_freed(void *user_data) {
  struct rv_dial *dial = user_data;

  rv_udp_close(dial->udp);
  free(dial);
}

static void undo(struct rv_dial *dial) {
  struct rv_quic_endpoint *endpoint = dial->endpoint;

  dial->endpoint = NULL;
  if (endpoint != NULL)
    rv_quic_endpoint_close(endpoint, on_failed_endpoint_freed, dial);
  else
    on_failed_endpoint_freed(dial);
}

int rv_dial_start(
    struct rv_dial **dial, const struct rv_dial_options *options) {
  struct rv_dial *new = calloc(1, sizeof(*new));
  int r;

  if (new == NULL)
    return REVERST_ERR_NO_MEMORY;
  new->engine = rv_loop_engine(options->loop);
  new->events = options->events;
  new->user_data = options->user_data;
  r = open_socket(new, options);
  if (r == 0)
    r = start_tunnel(new, options);
  if (r < 0) {
    undo(new);
    return r;
  }
  *dial = new;
  return 0;
}

void rv_dial_register(struct rv_dial *dial) {
  if (dial->tunnel != NULL)
    rv_client_tunnel_register(dial->tunnel);
}

void rv_dial_drain(struct rv_dial *dial) {
  if (dial->tunnel != NULL)
    rv_client_tunnel_drain(dial->tunnel);
}

void rv_dial_close(struct rv_dial *dial) {
  if (dial->tunnel != NULL)
    rv_client_tunnel_close(dial->tunnel);
}

bool rv_dial_is_silent(const struct rv_dial *dial) {
  return dial->tunnel != NULL && rv_client_tunnel_is_silent(dial->tunnel);
}

size_t rv_dial_active(const struct rv_dial *dial) {
  return dial->tunnel ? rv_client_tunnel_active(dial->tunnel) : 0;
}
