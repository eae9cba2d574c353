/* SPDX-License-Identifier: MIT */
/* Addresses, authorities and lists. What is printed must be understood. */
#include "fuzz.h"

#include "base/address.h"
#include "http/filter.h"

static void check_address(struct rv_span text) {
  struct rv_address address, again;
  char printed[RV_ADDRESS_TEXT_SIZE], host[RV_ADDRESS_TEXT_SIZE];

  if (rv_address_parse(&address, text) < 0)
    return;
  rv_address_print_host(&address, host);
  rv_address_print(&address, printed);
  assert(rv_address_parse(&again, rv_span_of(printed)) == 0);
  assert(rv_address_equal(&address, &again));
  (void)rv_address_limit_key(&address);
}

static void check_authority(struct rv_span text) {
  struct rv_arena arena;
  struct rv_span host;
  uint16_t port;

  rv_arena_init(&arena);
  if (rv_is_authority(text)) {
    assert(rv_host_of_authority(&arena, text).length > 0);
    assert(rv_address_split(text, 80, &host, &port) <= 0);
  }
  rv_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct fuzz_input input = { data, size };
  char *bytes = (char *)fuzz_piece(&input, &size);
  struct rv_span text = { bytes, size }, rest = text, element;
  uint64_t number;

  check_address(text);
  check_authority(text);
  while (rv_span_next_element(&rest, &element))
    (void)rv_span_to_uint(element, &number);
  free(bytes);
  return 0;
}
