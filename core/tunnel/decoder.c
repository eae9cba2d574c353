/* SPDX-License-Identifier: MIT */
/* Incremental decoding of registration messages. It reads what strangers send:
   nothing recurses, and no declared length is believed before its bytes came.
 */
#include "tunnel/message.h"

#include "base/utf8.h"
#include <mpack.h>
#include <reverst/error.h>
#include <stdlib.h>

enum place {
  AT_TOP, /* the map itself */
  AT_KEY,
  AT_VALUE,
  AT_METADATA_KEY,
  AT_METADATA_VALUE,
  IN_TEXT,    /* the bytes of a string or binary */
  IN_SKIPPED, /* the value of an unknown key */
  AT_END
};

enum key {
  KEY_VERSION = 1 << 0,
  KEY_GROUP = 1 << 1,
  KEY_METADATA = 1 << 2,
  KEY_CODE = 1 << 3,
  KEY_BODY = 1 << 4,
  KEY_UNKNOWN = 0
};

struct rv_message_decoder {
  enum rv_message_kind kind;
  struct rv_message message;
  mpack_tokbuf_t tokens;
  size_t total; /* bytes fed */
  const char *fault;
  enum place place;
  unsigned seen; /* keys */
  enum key key;  /* whose value is read */
  uint32_t pairs_left, metadata_left;

  enum place text_of; /* IN_TEXT: what the text is */
  uint32_t text_left;
  struct rv_buffer text;
  struct rv_span metadata_key;

  unsigned skip_depth; /* IN_SKIPPED: open arrays and maps */
  uint64_t skip_left[RV_MESSAGE_MAX_DEPTH];
  uint32_t skip_text_left;
};

int rv_message_decoder_new(
    struct rv_message_decoder **decoder, enum rv_message_kind kind) {
  struct rv_message_decoder *new = calloc(1, sizeof(*new));

  if (new == NULL)
    return REVERST_ERR_NO_MEMORY;
  new->kind = kind;
  rv_message_init(&new->message);
  mpack_tokbuf_init(&new->tokens);
  rv_buffer_init(&new->text, RV_MESSAGE_MAX_BYTES);
  *decoder = new;
  return 0;
}

void rv_message_decoder_free(struct rv_message_decoder *decoder) {
  if (decoder == NULL)
    return;
  rv_message_deinit(&decoder->message);
  if (decoder->text.data != NULL)
    explicit_bzero(decoder->text.data, decoder->text.capacity);
  rv_buffer_deinit(&decoder->text);
  free(decoder);
}

struct rv_message *rv_message_decoder_message(
    struct rv_message_decoder *decoder) {
  return &decoder->message;
}

const char *rv_message_decoder_fault(const struct rv_message_decoder *decoder) {
  return decoder->fault ? decoder->fault : "";
}

static void fail(struct rv_message_decoder *decoder, const char *fault) {
  if (decoder->fault == NULL)
    decoder->fault = fault;
}

static bool is_container(const mpack_token_t *token) {
  return token->type == MPACK_TOKEN_ARRAY || token->type == MPACK_TOKEN_MAP;
}

static bool is_bytes(const mpack_token_t *token) {
  return token->type == MPACK_TOKEN_STR || token->type == MPACK_TOKEN_BIN;
}

/* ---- values under unknown keys ---- */

static void next_pair(struct rv_message_decoder *decoder) {
  decoder->pairs_left--;
  decoder->place = decoder->pairs_left == 0 ? AT_END : AT_KEY;
}

/* One value is complete: so may be the containers around it. */
static void skipped_one(struct rv_message_decoder *decoder) {
  while (decoder->skip_depth > 0) {
    if (--decoder->skip_left[decoder->skip_depth - 1] > 0)
      return;
    decoder->skip_depth--;
  }
  next_pair(decoder);
}

static void skip(
    struct rv_message_decoder *decoder, const mpack_token_t *token) {
  if (token->type == MPACK_TOKEN_CHUNK) {
    decoder->skip_text_left -= token->length;
    if (decoder->skip_text_left == 0)
      skipped_one(decoder);
    return;
  }
  if (is_container(token) && token->length > 0) {
    if (decoder->skip_depth == RV_MESSAGE_MAX_DEPTH) {
      fail(decoder, "a value is nested too deep");
      return;
    }
    decoder->skip_left[decoder->skip_depth++] =
        (uint64_t)token->length * (token->type == MPACK_TOKEN_MAP ? 2 : 1);
    return;
  }
  if ((is_bytes(token) || token->type == MPACK_TOKEN_EXT) &&
      token->length > 0) {
    decoder->skip_text_left = token->length;
    return;
  }
  skipped_one(decoder);
}

/* ---- texts ---- */

static enum key find_key(
    const struct rv_message_decoder *decoder, struct rv_span name) {
  static const struct {
    const char *name;
    enum key key;
    bool in_request, in_response;
  } keys[] = {
    { "Version", KEY_VERSION, true, true },
    { "TunnelGroup", KEY_GROUP, true, false },
    { "Metadata", KEY_METADATA, true, true },
    { "Code", KEY_CODE, false, true },
    { "Body", KEY_BODY, false, true },
  };

  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    bool belongs = decoder->kind == RV_MESSAGE_REQUEST ? keys[i].in_request
                                                       : keys[i].in_response;
    if (belongs && rv_span_equal(rv_span_of(keys[i].name), name))
      return keys[i].key;
  }
  return KEY_UNKNOWN;
}

static void got_key(struct rv_message_decoder *decoder, struct rv_span name) {
  decoder->key = find_key(decoder, name);
  if (decoder->key != KEY_UNKNOWN && (decoder->seen & decoder->key))
    fail(decoder, "a key appears twice");
  decoder->seen |= decoder->key;
  decoder->place = decoder->key == KEY_UNKNOWN ? IN_SKIPPED : AT_VALUE;
}

static void next_metadata(struct rv_message_decoder *decoder) {
  if (decoder->metadata_left == 0)
    next_pair(decoder);
  else
    decoder->place = AT_METADATA_KEY;
}

static void got_metadata(
    struct rv_message_decoder *decoder, struct rv_span value) {
  struct rv_message *message = &decoder->message;

  if (rv_message_find(message, decoder->metadata_key) != NULL)
    fail(decoder, "a metadata key appears twice");
  else if (value.data == NULL ||
           rv_fields_add(&message->metadata, decoder->metadata_key, value) < 0)
    fail(decoder, "out of memory");
  decoder->metadata_left--;
  next_metadata(decoder);
}

static void got_group(struct rv_message_decoder *decoder, struct rv_span name) {
  if (name.length > RV_MESSAGE_MAX_GROUP)
    fail(decoder, "the group's name is longer than 255 bytes");
  else if (!rv_utf8_is_text(name))
    fail(decoder, "the group's name is not UTF-8 text");
  decoder->message.group = name;
  next_pair(decoder);
}

static void got_text(struct rv_message_decoder *decoder) {
  struct rv_span text = { (const char *)decoder->text.data,
    decoder->text.length };

  if (decoder->text_of == AT_KEY) {
    got_key(decoder, text);
    return;
  }
  text = rv_arena_copy(&decoder->message.arena, text);
  if (text.data == NULL)
    fail(decoder, "out of memory");
  if (decoder->text_of == AT_METADATA_KEY) {
    decoder->metadata_key = text;
    decoder->place = AT_METADATA_VALUE;
  } else if (decoder->text_of == AT_METADATA_VALUE) {
    got_metadata(decoder, text);
  } else if (decoder->key == KEY_GROUP) {
    got_group(decoder, text);
  } else {
    decoder->message.body = text;
    next_pair(decoder);
  }
}

static void begin_text(
    struct rv_message_decoder *decoder, const mpack_token_t *token) {
  if (!is_bytes(token)) {
    fail(decoder, "something else stands where a string belongs");
    return;
  }
  rv_buffer_clear(&decoder->text);
  decoder->text_of = decoder->place;
  decoder->text_left = token->length;
  decoder->place = IN_TEXT;
  if (token->length == 0)
    got_text(decoder);
}

static void more_text(
    struct rv_message_decoder *decoder, const mpack_token_t *token) {
  rv_buffer_append(&decoder->text, token->data.chunk_ptr, token->length);
  if (decoder->text.failed)
    fail(decoder, "out of memory");
  decoder->text_left -= token->length;
  if (decoder->text_left == 0)
    got_text(decoder);
}

/* ---- values ---- */

static bool small_uint(const mpack_token_t *token, uint8_t *value) {
  bool is_integer =
      token->type == MPACK_TOKEN_UINT || token->type == MPACK_TOKEN_SINT;

  if (!is_integer || token->data.value.hi != 0 ||
      token->data.value.lo > UINT8_MAX)
    return false;
  *value = (uint8_t)token->data.value.lo;
  return true;
}

static void got_version(
    struct rv_message_decoder *decoder, const mpack_token_t *token) {
  uint8_t version = 1;

  if (token->type != MPACK_TOKEN_NIL &&
      (!small_uint(token, &version) || version != 1))
    fail(decoder, "the version is not 1");
  next_pair(decoder);
}

static void got_metadata_map(
    struct rv_message_decoder *decoder, const mpack_token_t *token) {
  if (token->type == MPACK_TOKEN_NIL) {
    next_pair(decoder);
    return;
  }
  if (token->type != MPACK_TOKEN_MAP)
    fail(decoder, "the metadata is not a map");
  else if (token->length > RV_MESSAGE_MAX_METADATA)
    fail(decoder, "there are more than 64 metadata entries");
  decoder->message.has_metadata = true;
  decoder->metadata_left = token->length;
  next_metadata(decoder);
}

static void got_value(
    struct rv_message_decoder *decoder, const mpack_token_t *token) {
  if (decoder->key == KEY_VERSION) {
    got_version(decoder, token);
  } else if (decoder->key == KEY_METADATA) {
    got_metadata_map(decoder, token);
  } else if (decoder->key == KEY_CODE) {
    if (!small_uint(token, &decoder->message.code))
      fail(decoder, "the code is not a small number");
    next_pair(decoder);
  } else if (token->type == MPACK_TOKEN_NIL) {
    next_pair(decoder);
  } else {
    begin_text(decoder, token);
  }
}

static void got_top(
    struct rv_message_decoder *decoder, const mpack_token_t *token) {
  if (token->type != MPACK_TOKEN_MAP && token->type != MPACK_TOKEN_NIL) {
    fail(decoder, "the message is not a map");
    return;
  }
  decoder->pairs_left = token->type == MPACK_TOKEN_MAP ? token->length : 0;
  decoder->place = decoder->pairs_left == 0 ? AT_END : AT_KEY;
}

static void got_token(
    struct rv_message_decoder *decoder, const mpack_token_t *token) {
  switch (decoder->place) {
  case AT_TOP:
    got_top(decoder, token);
    return;
  case AT_KEY:
  case AT_METADATA_KEY:
  case AT_METADATA_VALUE:
    begin_text(decoder, token);
    return;
  case AT_VALUE:
    got_value(decoder, token);
    return;
  case IN_TEXT:
    more_text(decoder, token);
    return;
  case IN_SKIPPED:
    skip(decoder, token);
    return;
  case AT_END:
    return;
  }
}

static void check_whole(struct rv_message_decoder *decoder) {
  const char *fault = rv_message_metadata_fault(&decoder->message);

  if (decoder->kind == RV_MESSAGE_REQUEST && fault != NULL)
    fail(decoder, fault);
}

static enum rv_message_result judge(
    struct rv_message_decoder *decoder, bool fin) {
  if (decoder->place == AT_END)
    check_whole(decoder);
  if (decoder->fault != NULL)
    return RV_MESSAGE_BAD;
  if (decoder->place == AT_END) {
    bool group_is_missing = decoder->kind == RV_MESSAGE_REQUEST &&
                            decoder->message.group.length == 0;
    return group_is_missing ? RV_MESSAGE_NO_GROUP : RV_MESSAGE_COMPLETE;
  }
  if (!fin)
    return RV_MESSAGE_MORE;
  if (decoder->total == 0)
    return RV_MESSAGE_NO_GROUP;
  fail(decoder, "the message is cut off");
  return RV_MESSAGE_BAD;
}

enum rv_message_result rv_message_decoder_feed(
    struct rv_message_decoder *decoder, const uint8_t *data, size_t length,
    bool fin) {
  const char *rest = (const char *)data;

  decoder->total += length;
  if (decoder->total > RV_MESSAGE_MAX_BYTES)
    fail(decoder, "the message is larger than 64 KiB");
  while (length > 0 && decoder->fault == NULL && decoder->place != AT_END) {
    mpack_token_t token;
    int result = mpack_read(&decoder->tokens, &rest, &length, &token);

    if (result == MPACK_ERROR)
      fail(decoder, "the message is not MessagePack");
    else if (result == MPACK_OK)
      got_token(decoder, &token);
  }
  if (length > 0)
    fail(decoder, "there are bytes behind the message");
  return judge(decoder, fin);
}
