/* SPDX-License-Identifier: MIT */
/* Reads the words of Reverst-Features. */
#include "tunnel/features.h"

static struct rv_span next_word(struct rv_span *rest) {
  struct rv_span word = { rest->data, 0 };
  size_t i = 0;

  while (i < rest->length && rest->data[i] == ' ')
    i++;
  word.data = rest->data + i;
  while (i + word.length < rest->length && word.data[word.length] != ' ')
    word.length++;
  rest->data += i + word.length;
  rest->length -= i + word.length;
  return word;
}

struct rv_features rv_features_of(const struct rv_message *message) {
  struct rv_features features = { 0 };
  const struct rv_span *value = rv_message_find(message, RV_FEATURES_KEY);
  struct rv_span rest, word;

  if (value == NULL)
    return features;
  features.any = true;
  rest = *value;
  while ((word = next_word(&rest)).length > 0) {
    features.trailers |= rv_span_equal(word, RV_SPAN("trailers"));
    features.continue_ |= rv_span_equal(word, RV_SPAN("continue"));
    features.drain |= rv_span_equal(word, RV_SPAN("drain"));
  }
  return features;
}
