/* SPDX-License-Identifier: MIT */
/* Keeps and replays early bytes. */
#include "tunnel/early.h"

void rv_early_deinit(struct rv_early *early) {
  for (size_t i = 0; i < early->count; i++)
    rv_buffer_deinit(&early->streams[i].bytes);
  early->count = 0;
}

static struct rv_early_stream *find(struct rv_early *early, int64_t stream_id) {
  for (size_t i = 0; i < early->count; i++)
    if (early->streams[i].id == stream_id)
      return &early->streams[i];
  return NULL;
}

static struct rv_early_stream *find_or_add(
    struct rv_early *early, int64_t stream_id) {
  struct rv_early_stream *stream = find(early, stream_id);

  if (stream != NULL || early->count == RV_EARLY_MAX_STREAMS)
    return stream;
  stream = &early->streams[early->count++];
  *stream = (struct rv_early_stream){ .id = stream_id };
  rv_buffer_init(&stream->bytes, RV_EARLY_MAX_BYTES);
  return stream;
}

bool rv_early_keep(struct rv_early *early, int64_t stream_id,
    const uint8_t *data, size_t length, bool fin) {
  struct rv_early_stream *stream = find_or_add(early, stream_id);

  if (stream == NULL || stream->bytes.length + length > RV_EARLY_MAX_BYTES)
    return false;
  rv_buffer_append(&stream->bytes, data, length);
  stream->fin |= fin;
  return !stream->bytes.failed;
}

void rv_early_reset(struct rv_early *early, int64_t stream_id, uint64_t code) {
  struct rv_early_stream *stream = find(early, stream_id);

  if (stream != NULL) {
    stream->reset = true;
    stream->reset_code = code;
  }
}

void rv_early_replay(struct rv_early *early, struct rv_h3_session *session) {
  for (size_t i = 0; i < early->count; i++) {
    const struct rv_early_stream *stream = &early->streams[i];

    rv_h3_session_receive(session, stream->id, stream->bytes.data,
        stream->bytes.length, stream->fin);
    if (stream->reset)
      rv_h3_session_stream_reset(session, stream->id, stream->reset_code);
  }
  rv_early_deinit(early);
}
