/* SPDX-License-Identifier: MIT */
/* Text that grows up to a bound, behind which a line is cut. */
#include "log_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void log_line_add(struct log_line *line, const char *bytes, size_t length) {
  size_t room = sizeof(line->text) - line->reserved - line->length;

  line->is_cut = line->is_cut || length > room;
  if (line->is_cut)
    return;
  memcpy(line->text + line->length, bytes, length);
  line->length += length;
}

void log_line_add_text(struct log_line *line, const char *text) {
  log_line_add(line, text, strlen(text));
}

void log_line_add_number(struct log_line *line, int64_t number) {
  char text[32];

  snprintf(text, sizeof(text), "%" PRId64, number);
  log_line_add_text(line, text);
}

void log_line_end(struct log_line *line, const char *text) {
  line->reserved = 0;
  line->is_cut = false;
  log_line_add_text(line, text);
}

const char *log_level_name(enum reverst_log_level level) {
  static const char *const names[] = { "default", "trace", "debug", "info",
    "warn", "error", "off" };

  return names[level];
}
