/* SPDX-License-Identifier: MIT */
/* Unidirectional streams (RFC 9114 section 6.2): the peer's control and QPACK
   streams, and our control stream. */
#ifndef RV_H3_CONTROL_H
#define RV_H3_CONTROL_H

#include "h3/state.h"

static inline bool rv_h3_is_uni(int64_t stream_id) {
  return (stream_id & 2) != 0;
}

/* The peer's. All bytes are credited at once. */
void rv_h3_uni_receive(struct rv_h3_session *session, int64_t stream_id,
    const uint8_t *data, size_t length, bool fin);
void rv_h3_uni_reset(struct rv_h3_session *session, int64_t stream_id);
void rv_h3_uni_closed(struct rv_h3_session *session, int64_t stream_id);
void rv_h3_uni_free_all(struct rv_h3_session *session);

/* Queues SETTINGS. */
void rv_h3_control_init(struct rv_h3_session *session);

/* Opens ours, unless that was done; tried again in each run
   of the session's job until the peer allows the stream. Not within packet
   processing. */
void rv_h3_control_open(struct rv_h3_session *session);

/* Queues GOAWAY. */
void rv_h3_control_goaway(struct rv_h3_session *session, uint64_t id);

static inline bool rv_h3_control_has_unsent(
    const struct rv_h3_session *session) {
  return session->control_id >= 0 && !session->control_blocked &&
         !session->control_shut &&
         session->control_written < session->control_length;
}

/* In frames of the peer's control stream (control_frames.c). */
struct rv_h3_control_reader {
  struct rv_h3_frame_reader frame;
  struct rv_varint_reader varint;
  bool has_settings; /* SETTINGS began */
  bool has_id;       /* within SETTINGS: between id and value */
  bool has_number;   /* within a frame of one integer: it was whole */
  uint64_t id;
  unsigned seen; /* bits of known settings */
};

/* false: the connection has failed. */
bool rv_h3_control_read(struct rv_h3_session *session,
    struct rv_h3_control_reader *reader, const uint8_t *data, size_t length);

#endif
