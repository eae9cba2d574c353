/* SPDX-License-Identifier: MIT */
/* Joins a QUIC connection to a registration stream and an HTTP/3 session. */
#include "tunnel/link.h"

#include "tunnel/message.h"
#include <reverst/error.h>

static struct rv_link *link_of(struct rv_quic_application *application) {
  return rv_container_of(application, struct rv_link, application);
}

static struct rv_link *link_below(const struct rv_h3_transport *transport) {
  return rv_container_of((uintptr_t)transport, struct rv_link, transport);
}

/* ---- the session's transport: all of it is the connection's ---- */

static int open_stream(
    struct rv_h3_transport *transport, bool bidi, int64_t *stream_id) {
  return rv_quic_connection_open_stream(
      link_below(transport)->connection, bidi, stream_id);
}

static uint64_t streams_left(const struct rv_h3_transport *transport) {
  return rv_quic_connection_streams_left(
      link_below(transport)->connection, true);
}

static void credit(
    struct rv_h3_transport *transport, int64_t stream_id, size_t length) {
  rv_quic_connection_credit(
      link_below(transport)->connection, stream_id, length);
}

static void reset_stream(
    struct rv_h3_transport *transport, int64_t stream_id, uint64_t code) {
  rv_quic_connection_reset_stream(
      link_below(transport)->connection, stream_id, code);
}

static void stop_stream(
    struct rv_h3_transport *transport, int64_t stream_id, uint64_t code) {
  rv_quic_connection_stop_stream(
      link_below(transport)->connection, stream_id, code);
}

static void release_stream(struct rv_h3_transport *transport) {
  rv_quic_connection_release_stream(link_below(transport)->connection);
}

static uint64_t stream_window_left(
    const struct rv_h3_transport *transport, int64_t stream_id) {
  return rv_quic_connection_stream_window_left(
      link_below(transport)->connection, stream_id);
}

static uint64_t window_left(const struct rv_h3_transport *transport) {
  return rv_quic_connection_window_left(link_below(transport)->connection);
}

static void close_connection(
    struct rv_h3_transport *transport, uint64_t code, struct rv_span reason) {
  rv_link_close(link_below(transport), code, reason);
}

static void touch(struct rv_h3_transport *transport) {
  rv_quic_connection_touch(link_below(transport)->connection);
}

static const struct rv_h3_transport link_transport = {
  .open_stream = open_stream,
  .streams_left = streams_left,
  .credit = credit,
  .reset_stream = reset_stream,
  .stop_stream = stop_stream,
  .release_stream = release_stream,
  .stream_window_left = stream_window_left,
  .window_left = window_left,
  .close = close_connection,
  .touch = touch,
};

/* ---- the connection's application: the session's, but for one stream ---- */

static void on_stream_stop_sending(
    struct rv_quic_application *application, int64_t stream_id, uint64_t code) {
  struct rv_link *link = link_of(application);

  if (link->session != NULL && stream_id != link->message_stream)
    rv_h3_session_stream_stopped(link->session, stream_id, code);
}

/* A client's holds its credentials. */
static void drop_message(struct rv_link *link) {
  if (link->message.data != NULL)
    explicit_bzero(link->message.data, link->message.capacity);
  rv_buffer_deinit(&link->message);
}

static void on_stream_closed(
    struct rv_quic_application *application, int64_t stream_id) {
  struct rv_link *link = link_of(application);

  if (stream_id == link->message_stream) {
    drop_message(link);
    link->message_sent = 0;
    link->message_fin = false;
    link->message_stream = -1;
  } else if (link->session != NULL) {
    rv_h3_session_stream_closed(link->session, stream_id);
  }
}

static void on_stream_acknowledged(struct rv_quic_application *application,
    int64_t stream_id, uint64_t length) {
  struct rv_link *link = link_of(application);

  if (link->session != NULL && stream_id != link->message_stream)
    rv_h3_session_acknowledged(link->session, stream_id, length);
}

static void on_credit(
    struct rv_quic_application *application, int64_t stream_id) {
  struct rv_link *link = link_of(application);

  link->message_blocked = false;
  /* -1 is news for all, and also what message_stream is without a message */
  if (link->session != NULL &&
      (stream_id < 0 || stream_id != link->message_stream))
    rv_h3_session_credited(link->session, stream_id);
}

static bool message_is_unsent(const struct rv_link *link) {
  return link->message_stream >= 0 && !link->message_blocked &&
         link->message_fin && !link->message_fin_sent;
}

static bool next_write(
    struct rv_quic_application *application, struct rv_quic_write *write) {
  struct rv_link *link = link_of(application);

  if (message_is_unsent(link)) {
    write->stream_id = link->message_stream;
    write->vectors[0] = (struct iovec){
      .iov_base = link->message.data + link->message_sent,
      .iov_len = link->message.length - link->message_sent,
    };
    write->vector_count = 1;
    write->fin = true;
    return true;
  }
  write->vector_count = RV_QUIC_MAX_VECTORS;
  return link->session != NULL &&
         rv_h3_session_next_write(link->session, &write->stream_id,
             write->vectors, &write->vector_count, &write->fin);
}

static void on_written(struct rv_quic_application *application,
    int64_t stream_id, size_t length, bool fin) {
  struct rv_link *link = link_of(application);

  if (stream_id != link->message_stream) {
    rv_h3_session_written(link->session, stream_id, length, fin);
    return;
  }
  link->message_sent += length;
  link->message_fin_sent = fin;
}

static void on_blocked(
    struct rv_quic_application *application, int64_t stream_id) {
  struct rv_link *link = link_of(application);

  if (stream_id == link->message_stream)
    link->message_blocked = true;
  else
    rv_h3_session_blocked(link->session, stream_id);
}

static void on_write_shut(
    struct rv_quic_application *application, int64_t stream_id) {
  struct rv_link *link = link_of(application);

  if (stream_id == link->message_stream)
    link->message_fin_sent = true; /* nobody wants the rest */
  else
    rv_h3_session_write_shut(link->session, stream_id);
}

static const struct rv_quic_application link_application = {
  .on_stream_stop_sending = on_stream_stop_sending,
  .on_stream_closed = on_stream_closed,
  .on_stream_acknowledged = on_stream_acknowledged,
  .on_credit = on_credit,
  .next_write = next_write,
  .on_written = on_written,
  .on_blocked = on_blocked,
  .on_write_shut = on_write_shut,
};

/* ---- life ---- */

void rv_link_init(struct rv_link *link, struct rv_engine *engine) {
  *link = (struct rv_link){
    .application = link_application,
    .transport = link_transport,
    .engine = engine,
    .message_stream = -1,
  };
  rv_buffer_init(&link->message, RV_MESSAGE_MAX_BYTES);
}

void rv_link_deinit(struct rv_link *link) {
  link->connection = NULL;
  if (link->session != NULL)
    rv_h3_session_close(link->session);
  link->session = NULL;
  drop_message(link);
}

int rv_link_start_session(
    struct rv_link *link, const struct rv_h3_options *options) {
  struct rv_h3_options complete = *options;

  complete.engine = link->engine;
  complete.transport = &link->transport;
  complete.peer_window =
      rv_quic_connection_peer_initial_window(link->connection);
  return rv_h3_session_new(&link->session, &complete);
}

void rv_link_send_message(struct rv_link *link, int64_t stream_id) {
  link->message_stream = stream_id;
  link->message_sent = 0;
  link->message_fin = true;
  link->message_fin_sent = false;
  rv_quic_connection_touch(link->connection);
}

void rv_link_close(struct rv_link *link, uint64_t code, struct rv_span reason) {
  link->closing = true;
  if (link->connection != NULL)
    rv_quic_connection_close(
        link->connection, RV_QUIC_CLOSE_APPLICATION, code, reason);
}
