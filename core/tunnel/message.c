/* SPDX-License-Identifier: MIT */
/* Registration messages: building, encoding, checking. */
#include "tunnel/message.h"

#include "base/utf8.h"
#include <reverst/error.h>

void rv_message_init(struct rv_message *message) {
  *message = (struct rv_message){ .version = 1 };
  rv_arena_init(&message->arena);
  rv_fields_init(&message->metadata, &message->arena);
}

/* Metadata holds credentials: they must not linger in freed memory. */
static void wipe(struct rv_span span) {
  if (span.length > 0)
    explicit_bzero((void *)(uintptr_t)span.data, span.length);
}

void rv_message_deinit(struct rv_message *message) {
  for (size_t i = 0; i < message->metadata.count; i++)
    wipe(message->metadata.items[i].value);
  rv_arena_deinit(&message->arena);
}

enum {
  FIXMAP = 0x80,
  FIXSTR = 0xa0,
  NIL = 0xc0,
  BIN8 = 0xc4,
  BIN16 = 0xc5,
  BIN32 = 0xc6,
  UINT8 = 0xcc,
  STR8 = 0xd9,
  STR16 = 0xda,
  STR32 = 0xdb,
  MAP16 = 0xde,
  MAP32 = 0xdf
};

static void put_big_endian(struct rv_buffer *out, uint32_t value, int bytes) {
  while (bytes-- > 0)
    rv_buffer_append_byte(out, (uint8_t)(value >> (8 * bytes)));
}

/* A head whose length takes one, two or four bytes. */
static void put_sized(struct rv_buffer *out, size_t length, uint8_t one,
    uint8_t two, uint8_t four) {
  int bytes = length <= UINT8_MAX ? 1 : length <= UINT16_MAX ? 2 : 4;

  rv_buffer_append_byte(out, bytes == 1 ? one : bytes == 2 ? two : four);
  put_big_endian(out, (uint32_t)length, bytes);
}

static void put_text(struct rv_buffer *out, struct rv_span text) {
  if (text.length < 32)
    rv_buffer_append_byte(out, (uint8_t)(FIXSTR | text.length));
  else
    put_sized(out, text.length, STR8, STR16, STR32);
  rv_buffer_append_span(out, text);
}

static void put_uint8(struct rv_buffer *out, uint8_t value) {
  rv_buffer_append_byte(out, UINT8);
  rv_buffer_append_byte(out, value);
}

static void put_metadata(
    struct rv_buffer *out, const struct rv_message *message) {
  size_t count = message->metadata.count;

  put_text(out, RV_SPAN("Metadata"));
  if (!message->has_metadata) {
    rv_buffer_append_byte(out, NIL);
    return;
  }
  if (count < 16) {
    rv_buffer_append_byte(out, (uint8_t)(FIXMAP | count));
  } else {
    rv_buffer_append_byte(out, count <= UINT16_MAX ? MAP16 : MAP32);
    put_big_endian(out, (uint32_t)count, count <= UINT16_MAX ? 2 : 4);
  }
  for (size_t i = 0; i < count; i++) {
    put_text(out, message->metadata.items[i].name);
    put_text(out, message->metadata.items[i].value);
  }
}

void rv_message_encode_request(
    const struct rv_message *message, struct rv_buffer *out) {
  rv_buffer_append_byte(out, FIXMAP | 3);
  put_text(out, RV_SPAN("Version"));
  put_uint8(out, message->version);
  put_text(out, RV_SPAN("TunnelGroup"));
  put_text(out, message->group);
  put_metadata(out, message);
}

void rv_message_encode_response(
    const struct rv_message *message, struct rv_buffer *out) {
  rv_buffer_append_byte(out, FIXMAP | 4);
  put_text(out, RV_SPAN("Version"));
  put_uint8(out, message->version);
  put_text(out, RV_SPAN("Code"));
  put_uint8(out, message->code);
  put_metadata(out, message);
  put_text(out, RV_SPAN("Body"));
  if (message->body.data == NULL) {
    rv_buffer_append_byte(out, NIL);
    return;
  }
  put_sized(out, message->body.length, BIN8, BIN16, BIN32);
  rv_buffer_append_span(out, message->body);
}

const struct rv_span *rv_message_find(
    const struct rv_message *message, struct rv_span key) {
  return rv_fields_find(&message->metadata, key);
}

static size_t encoded_size_bound(const struct rv_message *message) {
  size_t size = 64 + message->group.length;

  for (size_t i = 0; i < message->metadata.count; i++)
    size += 10 + message->metadata.items[i].name.length +
            message->metadata.items[i].value.length;
  return size;
}

static bool is_ours(struct rv_span key) {
  struct rv_span prefix = RV_SPAN("Reverst-");

  return key.length > prefix.length &&
         memcmp(key.data, prefix.data, prefix.length) == 0;
}

static bool has_zero(struct rv_span value) {
  return value.length > 0 && memchr(value.data, '\0', value.length) != NULL;
}

static const char *fault_of(const struct rv_field *field) {
  if (!rv_utf8_is_text(field->name))
    return "a metadata key is not UTF-8 text";
  if (has_zero(field->value))
    return "a metadata value has a byte of value zero";
  if (is_ours(field->name) && !rv_utf8_is_text(field->value))
    return "a name, weight or label is not UTF-8 text";
  return NULL;
}

const char *rv_message_metadata_fault(const struct rv_message *message) {
  size_t kept = 0;

  for (size_t i = 0; i < message->metadata.count; i++) {
    const struct rv_field *field = &message->metadata.items[i];
    const char *fault = fault_of(field);

    if (fault != NULL)
      return fault;
    if (!rv_span_equal_nocase(field->name, RV_SPAN("Authorization")))
      kept += field->name.length + field->value.length;
  }
  return kept > RV_MESSAGE_MAX_KEPT
             ? "the metadata are longer than 8 KiB, without Authorization"
             : NULL;
}

int rv_message_check_request(
    const struct rv_message *message, const char **fault) {
  *fault = NULL;
  if (message->group.length == 0)
    *fault = "the group has no name";
  else if (message->group.length > RV_MESSAGE_MAX_GROUP)
    *fault = "the group's name is longer than 255 bytes";
  else if (!rv_utf8_is_text(message->group))
    *fault = "the group's name is not UTF-8 text";
  else if (message->metadata.count > RV_MESSAGE_MAX_METADATA)
    *fault = "there are more than 64 metadata entries";
  else if (encoded_size_bound(message) > RV_MESSAGE_MAX_BYTES)
    *fault = "the registration is larger than 64 KiB";
  else
    *fault = rv_message_metadata_fault(message);
  return *fault == NULL ? 0 : REVERST_ERR_INVALID;
}
