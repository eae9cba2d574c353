/* SPDX-License-Identifier: MIT */
/* The registration messages: MessagePack maps on the first bidirectional
   stream. */
#ifndef RV_TUNNEL_MESSAGE_H
#define RV_TUNNEL_MESSAGE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "http/head.h"

enum {
  RV_MESSAGE_MAX_BYTES = 65536,
  RV_MESSAGE_MAX_METADATA = 64,
  RV_MESSAGE_MAX_KEPT = 8192, /* bytes of metadata but for Authorization */
  RV_MESSAGE_MAX_GROUP = 255,
  RV_MESSAGE_MAX_DEPTH = 8 /* of values under unknown keys */
};

/* What the answer's Code says; the Go original only ever sends OK. */
enum rv_message_code {
  RV_MESSAGE_OK,
  RV_MESSAGE_BAD_REQUEST,
  RV_MESSAGE_NOT_FOUND,
  RV_MESSAGE_UNAUTHORIZED,
  RV_MESSAGE_SERVER_ERROR
};

/* A request (group) or a response (code, body). Metadata as fields whose names
   keep their case; `has_metadata` false is nil on the wire. */
struct rv_message {
  struct rv_arena arena;
  uint8_t version;
  struct rv_span group;
  uint8_t code;
  struct rv_span body; /* data NULL: nil */
  bool has_metadata;
  struct rv_fields metadata;
};

void rv_message_init(struct rv_message *message); /* version 1 */
/* Wipes the values of the metadata, which must be in the message's own arena.
 */
void rv_message_deinit(struct rv_message *message);

/* Exactly the bytes that the Go original writes; no bounds but the buffer's. */
void rv_message_encode_request(
    const struct rv_message *message, struct rv_buffer *out);
void rv_message_encode_response(
    const struct rv_message *message, struct rv_buffer *out);

/* Metadata by exact key; NULL: not there. */
const struct rv_span *rv_message_find(
    const struct rv_message *message, struct rv_span key);

/* What is wrong with a registration's metadata (static); NULL: nothing. Keys
   are UTF-8 text, so that C and scripts tell them apart alike, and so are
   values under keys of ours, which people and programs read; no value has a
   byte of value zero. But for Authorization they are kept as long as the
   tunnel, by scripts too, so that they have RV_MESSAGE_MAX_KEPT bytes at most.
 */
const char *rv_message_metadata_fault(const struct rv_message *message);

/* What a client may send: bounds, UTF-8. Names the fault in `*fault` (static).
 */
int rv_message_check_request(
    const struct rv_message *message, const char **fault);

/* ---- incremental decoding: no recursion, no belief in declared lengths ----
 */

enum rv_message_kind { RV_MESSAGE_REQUEST, RV_MESSAGE_RESPONSE };

enum rv_message_result {
  RV_MESSAGE_MORE, /* wants more bytes */
  RV_MESSAGE_COMPLETE,
  RV_MESSAGE_BAD,     /* bad request: see `fault` */
  RV_MESSAGE_NO_GROUP /* complete, but nil, empty, or without a group: "not
                         found" */
};

struct rv_message_decoder;
int rv_message_decoder_new(
    struct rv_message_decoder **decoder, enum rv_message_kind kind);
void rv_message_decoder_free(struct rv_message_decoder *decoder);

/* Feeds bytes; `fin` with an incomplete message is RV_MESSAGE_BAD, with none at
   all RV_MESSAGE_NO_GROUP. Bytes behind the message are RV_MESSAGE_BAD. After
   COMPLETE rv_message_decoder_message has it. After any result but MORE,
   further bytes are a contract violation, but for checking that there are none.
 */
enum rv_message_result rv_message_decoder_feed(
    struct rv_message_decoder *decoder, const uint8_t *data, size_t length,
    bool fin);
struct rv_message *rv_message_decoder_message(
    struct rv_message_decoder *decoder);
const char *rv_message_decoder_fault(const struct rv_message_decoder *decoder);

#endif
