/* SPDX-License-Identifier: MIT */
/* Registration messages, in pieces: byte 0 says which kind and how large the
   pieces are. What was decoded must survive encoding. */
#include "fuzz.h"

#include "tunnel/message.h"

enum { RESPONSE = 1, FIN = 2 };

static void write_again(struct rv_message *message, bool response) {
  const char *fault;
  struct rv_buffer out;

  rv_buffer_init(&out, (size_t)4 * RV_MESSAGE_MAX_BYTES);
  if (response) {
    rv_message_encode_response(message, &out);
  } else {
    (void)!rv_message_check_request(message, &fault);
    rv_message_encode_request(message, &out);
  }
  assert(!out.failed && out.length > 0);
  rv_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct fuzz_input input = { data, size };
  uint8_t how = fuzz_byte(&input);
  bool response = how & RESPONSE;
  enum rv_message_result result = RV_MESSAGE_MORE;
  struct rv_message_decoder *decoder;

  if (rv_message_decoder_new(
          &decoder, response ? RV_MESSAGE_RESPONSE : RV_MESSAGE_REQUEST) < 0)
    return 0;
  while (result == RV_MESSAGE_MORE && input.left > 0) {
    size_t length = 1 + (how >> 2);
    uint8_t *piece = fuzz_piece(&input, &length);
    bool fin = (how & FIN) && input.left == 0;

    result = rv_message_decoder_feed(decoder, piece, length, fin);
    free(piece);
  }
  if (result == RV_MESSAGE_COMPLETE)
    write_again(rv_message_decoder_message(decoder), response);
  assert(result != RV_MESSAGE_BAD || rv_message_decoder_fault(decoder));
  rv_message_decoder_free(decoder);
  return 0;
}
