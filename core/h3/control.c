/* SPDX-License-Identifier: MIT */
/* Unidirectional streams. */
#include "h3/control.h"
#include <reverst/error.h>
#include <stdlib.h>

enum uni_kind { UNI_NEW, UNI_CONTROL, UNI_ENCODER, UNI_DECODER, UNI_DROPPED };

struct uni {
  struct rv_list node;
  int64_t id;
  enum uni_kind kind;
  bool in_integer; /* UNI_DECODER: within an instruction's integer */
  struct rv_varint_reader type;
  struct rv_h3_control_reader *control; /* UNI_CONTROL */
};

/* ---- the peer's ---- */

static struct uni *find(struct rv_h3_session *session, int64_t id) {
  rv_list_each(node, &session->uni) {
    struct uni *uni = rv_container_of(node, struct uni, node);
    if (uni->id == id)
      return uni;
  }
  return NULL;
}

static struct uni *find_or_add(struct rv_h3_session *session, int64_t id) {
  struct uni *uni = find(session, id);
  if (uni != NULL)
    return uni;
  uni = calloc(1, sizeof(*uni));
  if (uni == NULL) {
    rv_h3_session_error(session, RV_H3_INTERNAL_ERROR, "out of memory");
    return NULL;
  }
  uni->id = id;
  rv_list_push(&session->uni, &uni->node);
  return uni;
}

static void free_uni(struct uni *uni) {
  rv_list_remove(&uni->node);
  free(uni->control);
  free(uni);
}

/* There may be one of each critical kind, for the connection's whole life. */
static void set_critical(
    struct rv_h3_session *session, struct uni *uni, enum uni_kind kind) {
  if (session->critical_seen & 1u << kind) {
    rv_h3_session_error(
        session, RV_H3_STREAM_CREATION_ERROR, "second critical stream");
    return;
  }
  session->critical_seen |= 1u << kind;
  uni->kind = kind;
  if (kind != UNI_CONTROL)
    return;
  uni->control = calloc(1, sizeof(*uni->control));
  if (uni->control == NULL)
    rv_h3_session_error(session, RV_H3_INTERNAL_ERROR, "out of memory");
}

static void on_type(struct rv_h3_session *session, struct uni *uni) {
  switch (uni->type.value) {
  case RV_H3_CONTROL_STREAM:
    set_critical(session, uni, UNI_CONTROL);
    break;
  case RV_H3_ENCODER_STREAM:
    set_critical(session, uni, UNI_ENCODER);
    break;
  case RV_H3_DECODER_STREAM:
    set_critical(session, uni, UNI_DECODER);
    break;
  case RV_H3_PUSH_STREAM:
    rv_h3_session_error(session,
        rv_h3_is_requester(session) ? RV_H3_ID_ERROR
                                    : RV_H3_STREAM_CREATION_ERROR,
        "push stream");
    break;
  default:
    uni->kind = UNI_DROPPED;
    session->transport->stop_stream(
        session->transport, uni->id, RV_H3_STREAM_CREATION_ERROR);
  }
}

/* Only Set Dynamic Table Capacity 0 (RFC 9204 section 4.3.1). */
static bool is_encoder_talk(const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (data[i] != 0x20)
      return false;
  }
  return true;
}

/* Only Stream Cancellation, with an integer of a 6-bit prefix (RFC 9204 section
   4.4.2). */
static bool is_decoder_talk(
    struct uni *uni, const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (uni->in_integer) {
      uni->in_integer = (data[i] & 0x80) != 0;
      continue;
    }
    if ((data[i] & 0xc0) != 0x40)
      return false;
    uni->in_integer = (data[i] & 0x3f) == 0x3f;
  }
  return true;
}

static void read_bytes(struct rv_h3_session *session, struct uni *uni,
    const uint8_t *data, size_t length) {
  switch (uni->kind) {
  case UNI_CONTROL:
    (void)rv_h3_control_read(session, uni->control, data, length);
    break;
  case UNI_ENCODER:
    if (!is_encoder_talk(data, length))
      rv_h3_session_error(
          session, RV_QPACK_ENCODER_STREAM_ERROR, "dynamic table");
    break;
  case UNI_DECODER:
    if (!is_decoder_talk(uni, data, length))
      rv_h3_session_error(
          session, RV_QPACK_DECODER_STREAM_ERROR, "dynamic table");
    break;
  case UNI_NEW:
  case UNI_DROPPED:
    break;
  }
}

static bool is_critical(const struct uni *uni) {
  return uni->kind != UNI_NEW && uni->kind != UNI_DROPPED;
}

void rv_h3_uni_receive(struct rv_h3_session *session, int64_t stream_id,
    const uint8_t *data, size_t length, bool fin) {
  const uint8_t *end = data + length;
  struct uni *uni = find_or_add(session, stream_id);
  if (length > 0)
    session->transport->credit(session->transport, stream_id, length);
  if (uni == NULL)
    return;
  if (uni->kind == UNI_NEW && rv_varint_read(&uni->type, &data, end))
    on_type(session, uni);
  if (!session->failed && data < end)
    read_bytes(session, uni, data, (size_t)(end - data));
  if (fin)
    rv_h3_uni_reset(session, stream_id);
}

void rv_h3_uni_reset(struct rv_h3_session *session, int64_t stream_id) {
  struct uni *uni = find(session, stream_id);
  if (uni != NULL && is_critical(uni))
    rv_h3_session_error(
        session, RV_H3_CLOSED_CRITICAL_STREAM, "critical stream closed");
}

void rv_h3_uni_closed(struct rv_h3_session *session, int64_t stream_id) {
  struct uni *uni = find(session, stream_id);
  if (uni != NULL)
    free_uni(uni);
}

void rv_h3_uni_free_all(struct rv_h3_session *session) {
  rv_list_each(node, &session->uni)
      free_uni(rv_container_of(node, struct uni, node));
}

/* ---- ours ---- */

static void put(struct rv_h3_session *session, uint64_t value) {
  session->control_length +=
      rv_varint_write(session->control + session->control_length, value);
}

/* Two integers at most 8 bytes long each, with a type and a length in front,
   for each of SETTINGS' four pairs: 64 bytes hold it and GOAWAY. */
static void put_settings(struct rv_h3_session *session) {
  uint64_t grease = 0x1f * (rv_random_uint(session->engine) % 4096) + 0x21;
  bool responder = !rv_h3_is_requester(session);
  size_t length = 1 + 4 + rv_varint_size(grease) + 1 + (responder ? 2 : 0);
  put(session, RV_H3_CONTROL_STREAM);
  put(session, RV_H3_SETTINGS);
  put(session, length);
  put(session, RV_H3_MAX_FIELD_SECTION_SIZE);
  put(session, RV_H3_MAX_SECTION);
  if (responder) {
    put(session, RV_H3_ENABLE_CONNECT_PROTOCOL);
    put(session, 1);
  }
  put(session, grease);
  put(session, 0);
}

void rv_h3_control_open(struct rv_h3_session *session) {
  session->control_wanted = true;
  if (session->control_id >= 0 || session->failed || session->closed)
    return;
  if (session->transport->open_stream(
          session->transport, false, &session->control_id) < 0) {
    session->control_id = -1;
    return;
  }
  session->transport->touch(session->transport);
}

void rv_h3_control_goaway(struct rv_h3_session *session, uint64_t id) {
  put(session, RV_H3_GOAWAY);
  put(session, rv_varint_size(id));
  put(session, id);
  session->transport->touch(session->transport);
}

void rv_h3_control_init(struct rv_h3_session *session) {
  session->control_id = -1;
  put_settings(session);
}
