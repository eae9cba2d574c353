/* SPDX-License-Identifier: MIT */
/* The frames of the peer's control stream (RFC 9114 section 7.2). */
#include "h3/control.h"
#include "h3/stream.h"

static bool fail(
    struct rv_h3_session *session, uint64_t code, const char *reason) {
  rv_h3_session_error(session, code, reason);
  return false;
}

/* ---- SETTINGS ---- */

/* Which bit of `seen`; 0: a setting that is unknown here. */
static unsigned setting_bit(uint64_t id) {
  switch (id) {
  case RV_H3_QPACK_MAX_TABLE_CAPACITY:
  case RV_H3_MAX_FIELD_SECTION_SIZE:
  case RV_H3_QPACK_BLOCKED_STREAMS:
  case RV_H3_ENABLE_CONNECT_PROTOCOL:
    return 1u << id;
  case RV_H3_DATAGRAM:
    return 1u << 31;
  default:
    return 0;
  }
}

static bool is_reserved_setting(uint64_t id) {
  return id == 0 || (id >= 2 && id <= 5);
}

static bool on_setting(struct rv_h3_session *session,
    struct rv_h3_control_reader *reader, uint64_t value) {
  unsigned bit = setting_bit(reader->id);
  if (is_reserved_setting(reader->id) || (reader->seen & bit) != 0)
    return fail(session, RV_H3_SETTINGS_ERROR, "reserved or repeated setting");
  reader->seen |= bit;
  if (reader->id != RV_H3_ENABLE_CONNECT_PROTOCOL)
    return true;
  if (value > 1)
    return fail(session, RV_H3_SETTINGS_ERROR, "value of a setting");
  session->connect_protocol = value == 1;
  return true;
}

static bool read_settings(struct rv_h3_session *session,
    struct rv_h3_control_reader *reader, const uint8_t *data, size_t length) {
  const uint8_t *end = data + length;
  while (rv_varint_read(&reader->varint, &data, end)) {
    if (!reader->has_id)
      reader->id = reader->varint.value;
    else if (!on_setting(session, reader, reader->varint.value))
      return false;
    reader->has_id = !reader->has_id;
  }
  if (reader->frame.left > 0)
    return true;
  if (reader->has_id || reader->varint.left > 0)
    return fail(session, RV_H3_FRAME_ERROR, "truncated SETTINGS");
  rv_wake(session->news);
  return true;
}

/* ---- GOAWAY, CANCEL_PUSH, MAX_PUSH_ID: one integer ---- */

static bool on_goaway(struct rv_h3_session *session, uint64_t id) {
  if (session->goaway_received && id > session->goaway_id)
    return fail(session, RV_H3_ID_ERROR, "growing id in GOAWAY");
  session->goaway_received = true;
  session->goaway_id = id;
  if (rv_h3_is_requester(session))
    rv_h3_streams_refused(session, id);
  rv_wake(session->news);
  return true;
}

static bool read_number(struct rv_h3_session *session,
    struct rv_h3_control_reader *reader, const uint8_t *data, size_t length) {
  const uint8_t *end = data + length;
  if (!reader->has_number)
    reader->has_number = rv_varint_read(&reader->varint, &data, end);
  if (reader->frame.left > 0 && !reader->has_number)
    return true;
  if (!reader->has_number || data < end || reader->frame.left > 0)
    return fail(session, RV_H3_FRAME_ERROR, "length of a frame");
  reader->has_number = false;
  if (reader->frame.type == RV_H3_GOAWAY)
    return on_goaway(session, reader->varint.value);
  return true;
}

/* ---- frames ---- */

static bool is_allowed(const struct rv_h3_session *session, uint64_t type) {
  switch (type) {
  case RV_H3_DATA:
  case RV_H3_HEADERS:
  case RV_H3_PUSH_PROMISE:
    return false;
  case RV_H3_MAX_PUSH_ID:
  case RV_H3_PRIORITY_UPDATE_REQUEST:
  case RV_H3_PRIORITY_UPDATE_PUSH:
    return !rv_h3_is_requester(session);
  default:
    return !rv_h3_frame_is_reserved(type);
  }
}

static bool on_frame(
    struct rv_h3_session *session, struct rv_h3_control_reader *reader) {
  uint64_t type = reader->frame.type;
  bool is_settings = type == RV_H3_SETTINGS;
  if (!reader->has_settings && !is_settings)
    return fail(session, RV_H3_MISSING_SETTINGS, "SETTINGS must come first");
  if ((reader->has_settings && is_settings) || !is_allowed(session, type))
    return fail(session, RV_H3_FRAME_UNEXPECTED, "frame on a control stream");
  reader->has_settings = true;
  if (is_settings && reader->frame.left > RV_H3_MAX_SETTINGS)
    return fail(session, RV_H3_EXCESSIVE_LOAD, "large SETTINGS");
  return true;
}

/* Whatever does not change anything is bounded per minute. */
static bool count_skipped(struct rv_h3_session *session, size_t length) {
  uint64_t now = session->engine->now;
  if (now - session->skipped_since_ns >= 60 * RV_SECOND) {
    session->skipped_since_ns = now;
    session->skipped = 0;
  }
  session->skipped += length;
  if (session->skipped > RV_H3_MAX_SKIPPED)
    return fail(session, RV_H3_EXCESSIVE_LOAD, "idle talk");
  return true;
}

static bool read_payload(struct rv_h3_session *session,
    struct rv_h3_control_reader *reader, const uint8_t *data, size_t length) {
  if (reader->frame.type != RV_H3_SETTINGS && !count_skipped(session, length))
    return false;
  switch (reader->frame.type) {
  case RV_H3_SETTINGS:
    return read_settings(session, reader, data, length);
  case RV_H3_GOAWAY:
  case RV_H3_CANCEL_PUSH:
  case RV_H3_MAX_PUSH_ID:
    return read_number(session, reader, data, length);
  default:
    return true;
  }
}

bool rv_h3_control_read(struct rv_h3_session *session,
    struct rv_h3_control_reader *reader, const uint8_t *data, size_t length) {
  const uint8_t *end = data + length;
  while (data < end) {
    if (!reader->frame.in_payload) {
      const uint8_t *start = data;
      bool whole = rv_h3_frame_read_head(&reader->frame, &data, end);
      if (!count_skipped(session, (size_t)(data - start)))
        return false;
      if (!whole)
        return true;
      if (!on_frame(session, reader))
        return false;
    }
    if (reader->frame.left > 0 && data == end)
      return true;
    size_t n = rv_h3_frame_take(&reader->frame, (size_t)(end - data));
    if (!read_payload(session, reader, data, n))
      return false;
    data += n;
  }
  return true;
}
