/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 messages one behind the other, in pieces: byte 0 says which kind,
   how large the pieces are, and whether limits are low. */
#include "fuzz.h"

#include "h1/message.h"

enum { REQUEST = 1, LOW_LIMITS = 2 };

static const struct rv_limits low_limits = {
  .head_bytes = 512,
  .target_bytes = 64,
  .field_count = 4,
  .name_bytes = 16,
  .value_bytes = 64,
};

static bool begin_body(struct rv_h1_parser *parser) {
  enum rv_h1_framing framing = RV_H1_NO_BODY;
  struct rv_head *head = &parser->head;
  enum rv_failure failure = rv_filter_check_head(head, parser->limits);

  if (failure == RV_FAILURE_NONE && parser->is_request)
    failure = rv_h1_read_target(
        head, parser->target, parser->minor, RV_SPAN("default"));
  if (failure == RV_FAILURE_NONE)
    failure = parser->is_request
                  ? rv_h1_request_framing(head, parser->minor, &framing)
                  : rv_h1_response_framing(
                        head, RV_SPAN("GET"), parser->minor, &framing);
  if (failure != RV_FAILURE_NONE)
    return false;
  rv_filter_hop_by_hop(&head->fields);
  rv_h1_parser_begin_body(parser, framing,
      framing == RV_H1_LENGTH ? (uint64_t)head->content_length : 0);
  return true;
}

/* False when the connection would be closed. */
static bool feed(
    struct rv_h1_parser *parser, const uint8_t *data, size_t length) {
  while (length > 0) {
    struct rv_h1_read read = rv_h1_parser_read(parser, data, length);

    assert(read.consumed <= length && read.body_length <= read.consumed);
    assert(read.consumed > 0 || read.event != RV_H1_MORE);
    data += read.consumed;
    length -= read.consumed;
    if (read.event == RV_H1_FAILED ||
        (read.event == RV_H1_HEAD && !begin_body(parser)))
      return false;
    if (rv_h1_parser_done(parser))
      rv_h1_parser_reset(parser);
  }
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct fuzz_input input = { data, size };
  uint8_t how = fuzz_byte(&input);
  struct rv_h1_parser parser;
  bool open = true;

  rv_h1_parser_init(&parser, how & REQUEST,
      how & LOW_LIMITS ? &low_limits : &rv_limits_default);
  while (open && input.left > 0) {
    size_t length = 1 + (size_t)(how >> 2) * 4;
    uint8_t *piece = fuzz_piece(&input, &length);

    open = feed(&parser, piece, length);
    free(piece);
  }
  rv_h1_parser_deinit(&parser);
  return 0;
}
