/* SPDX-License-Identifier: MIT */
/* Field sections as bytes. */
#include "h3/qpack.h"
#include "h3/session.h"
#include <nghttp3/nghttp3.h>
#include <reverst/error.h>
#include <stdlib.h>

struct rv_qpack {
  nghttp3_qpack_encoder *encoder;
  nghttp3_qpack_decoder *decoder;
  nghttp3_qpack_stream_context *context; /* reset after each section */
  nghttp3_buf prefix, section, instructions;
  nghttp3_nv *fields;
  size_t count, capacity;
  bool failed;
};

/* A section this large is rare: its buffer is not kept. */
enum { KEPT_BUFFER = 16384 };

static void free_decoder(struct rv_qpack *qpack) {
  nghttp3_qpack_stream_context_del(qpack->context);
  nghttp3_qpack_decoder_del(qpack->decoder);
  qpack->context = NULL;
  qpack->decoder = NULL;
}

/* Missing after an error, or when memory ran out at the last attempt. */
static int make_decoder(struct rv_qpack *qpack) {
  const nghttp3_mem *memory = nghttp3_mem_default();
  if (qpack->decoder == NULL &&
      nghttp3_qpack_decoder_new(&qpack->decoder, 0, 0, memory) != 0)
    return REVERST_ERR_NO_MEMORY;
  if (qpack->context == NULL &&
      nghttp3_qpack_stream_context_new(&qpack->context, 0, memory) != 0)
    return REVERST_ERR_NO_MEMORY;
  return 0;
}

int rv_qpack_new(struct rv_qpack **qpack) {
  struct rv_qpack *new = calloc(1, sizeof(*new));
  if (new == NULL)
    return REVERST_ERR_NO_MEMORY;
  nghttp3_buf_init(&new->prefix);
  nghttp3_buf_init(&new->section);
  nghttp3_buf_init(&new->instructions);
  if (nghttp3_qpack_encoder_new(&new->encoder, 0, nghttp3_mem_default()) != 0 ||
      make_decoder(new) < 0) {
    rv_qpack_free(new);
    return REVERST_ERR_NO_MEMORY;
  }
  *qpack = new;
  return 0;
}

static void free_buffers(struct rv_qpack *qpack) {
  const nghttp3_mem *memory = nghttp3_mem_default();
  nghttp3_buf_free(&qpack->prefix, memory);
  nghttp3_buf_free(&qpack->section, memory);
  nghttp3_buf_free(&qpack->instructions, memory);
  nghttp3_buf_init(&qpack->prefix);
  nghttp3_buf_init(&qpack->section);
  nghttp3_buf_init(&qpack->instructions);
}

void rv_qpack_free(struct rv_qpack *qpack) {
  if (qpack == NULL)
    return;
  free_buffers(qpack);
  free_decoder(qpack);
  nghttp3_qpack_encoder_del(qpack->encoder);
  free(qpack->fields);
  free(qpack);
}

static struct rv_span span_of(nghttp3_rcbuf *buffer) {
  nghttp3_vec vec = nghttp3_rcbuf_get_buf(buffer);
  return (struct rv_span){ (const char *)vec.base, vec.len };
}

static int result_of(nghttp3_ssize n) {
  switch (n) {
  case NGHTTP3_ERR_NOMEM:
    return REVERST_ERR_NO_MEMORY;
  case NGHTTP3_ERR_QPACK_HEADER_TOO_LARGE:
    return REVERST_ERR_LIMIT;
  default:
    return REVERST_ERR_PROTOCOL;
  }
}

static int decode(struct rv_qpack *qpack, const uint8_t *data, size_t length,
    struct rv_qpack_sink *sink) {
  for (;;) {
    nghttp3_qpack_nv field;
    uint8_t flags = 0;
    nghttp3_ssize n = nghttp3_qpack_decoder_read_request(
        qpack->decoder, qpack->context, &field, &flags, data, length, 1);
    if (n < 0)
      return result_of(n);
    data += n;
    length -= (size_t)n;
    if (flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT) {
      int r = sink->on_field(sink, span_of(field.name), span_of(field.value));
      nghttp3_rcbuf_decref(field.name);
      nghttp3_rcbuf_decref(field.value);
      if (r < 0)
        return r;
    }
    if (flags & NGHTTP3_QPACK_DECODE_FLAG_FINAL)
      return 0;
    /* A reference to a dynamic table that does not exist. */
    if (flags & NGHTTP3_QPACK_DECODE_FLAG_BLOCKED)
      return REVERST_ERR_PROTOCOL;
    if (n == 0 && !(flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT))
      return REVERST_ERR_PROTOCOL;
  }
}

int rv_qpack_decode(struct rv_qpack *qpack, const uint8_t *data, size_t length,
    struct rv_qpack_sink *sink) {
  static const uint8_t nothing;
  int r = make_decoder(qpack);
  if (r < 0)
    return r;
  r = decode(qpack, length > 0 ? data : &nothing, length, sink);
  /* After an error of its own the decoder refuses everything: begin afresh, so
     that the error stays with this section. */
  if (r < 0)
    free_decoder(qpack);
  else
    nghttp3_qpack_stream_context_reset(qpack->context);
  return r;
}

void rv_qpack_begin(struct rv_qpack *qpack) {
  if (qpack->section.end - qpack->section.begin > KEPT_BUFFER)
    free_buffers(qpack);
  nghttp3_buf_reset(&qpack->prefix);
  nghttp3_buf_reset(&qpack->section);
  qpack->count = 0;
  qpack->failed = false;
}

static bool make_room(struct rv_qpack *qpack) {
  if (qpack->count < qpack->capacity)
    return true;
  size_t capacity = qpack->capacity ? 2 * qpack->capacity : 32;
  nghttp3_nv *fields = realloc(qpack->fields, capacity * sizeof(*fields));
  if (fields == NULL)
    return false;
  qpack->fields = fields;
  qpack->capacity = capacity;
  return true;
}

static uint8_t *bytes_of(struct rv_span span) {
  return (uint8_t *)(uintptr_t)(span.length > 0 ? span.data : "");
}

void rv_qpack_add(
    struct rv_qpack *qpack, struct rv_span name, struct rv_span value) {
  if (qpack->failed || !make_room(qpack)) {
    qpack->failed = true;
    return;
  }
  qpack->fields[qpack->count++] = (nghttp3_nv){
    .name = bytes_of(name),
    .value = bytes_of(value),
    .namelen = name.length,
    .valuelen = value.length,
  };
}

static struct rv_span buffer_span(const nghttp3_buf *buffer) {
  return (struct rv_span){ (const char *)buffer->pos, nghttp3_buf_len(buffer) };
}

int rv_qpack_encode(struct rv_qpack *qpack, struct rv_span parts[static 2]) {
  if (qpack->failed ||
      nghttp3_qpack_encoder_encode(qpack->encoder, &qpack->prefix,
          &qpack->section, &qpack->instructions, 0, qpack->fields,
          qpack->count) != 0)
    return REVERST_ERR_NO_MEMORY;
  parts[0] = buffer_span(&qpack->prefix);
  parts[1] = buffer_span(&qpack->section);
  return 0;
}
