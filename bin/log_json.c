/* SPDX-License-Identifier: MIT */
/* {"time":"…","level":"info","event":"tunnel_up","key":"value"} (RFC 8259) */
#include "log_line.h"

#include <stdio.h>
#include <string.h>

static const char cut[] = ",\"cut\":true}\n";

/* The length of the UTF-8 sequence at the start (RFC 3629), which can be shown
   as it is; 0: these bytes are none, or control characters. */
static size_t plain_length(const unsigned char *bytes, size_t length) {
  unsigned char c = bytes[0];
  size_t size = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  size_t i;

  if (c < 0x80)
    return c >= ' ' && c != 0x7f && c != '"' && c != '\\';
  if (c < 0xc2 || c > 0xf4 || size > length)
    return 0;
  for (i = 1; i < size; ++i)
    if ((bytes[i] & 0xc0) != 0x80)
      return 0;
  if ((c == 0xc2 && bytes[1] < 0xa0) || (c == 0xe0 && bytes[1] < 0xa0) ||
      (c == 0xed && bytes[1] > 0x9f) || (c == 0xf0 && bytes[1] < 0x90) ||
      (c == 0xf4 && bytes[1] > 0x8f))
    return 0;
  return size;
}

/* A byte that is no UTF-8 is shown as the character of its number: a line is
   always JSON, and of a foreign byte one sees which it was. */
static void add_escaped(struct log_line *line, unsigned char c) {
  char escape[8];

  if (c == '"' || c == '\\')
    snprintf(escape, sizeof(escape), "\\%c", c);
  else
    snprintf(escape, sizeof(escape), "\\u%04x", c);
  log_line_add_text(line, escape);
}

static void add_value(struct log_line *line, const char *text, size_t length) {
  const unsigned char *bytes = (const unsigned char *)text;
  size_t i = 0, n;

  log_line_add_text(line, "\"");
  while (i < length) {
    n = plain_length(bytes + i, length - i);
    if (n > 0)
      log_line_add(line, text + i, n);
    else
      add_escaped(line, bytes[i]);
    i += n > 0 ? n : 1;
  }
  log_line_add_text(line, "\"");
}

/* All of it or nothing. */
static void add_field(
    struct log_line *line, const struct reverst_log_field *field) {
  size_t before = line->length;

  log_line_add_text(line, ",");
  add_value(line, field->key, strlen(field->key));
  log_line_add_text(line, ":");
  if (field->text)
    add_value(line, field->text, field->text_length);
  else
    log_line_add_number(line, field->number);
  if (line->is_cut)
    line->length = before;
}

void log_format_json(struct log_line *line, const char *time,
    const struct reverst_log_entry *entry) {
  const char *level = log_level_name(entry->level);
  const struct reverst_log_field first[] = {
    { .key = "level", .text = level, .text_length = strlen(level) },
    { .key = "event",
        .text = entry->event,
        .text_length = strlen(entry->event) },
  };
  size_t i;

  line->reserved = sizeof(cut);
  log_line_add_text(line, "{\"time\":");
  add_value(line, time, strlen(time));
  for (i = 0; i < sizeof(first) / sizeof(first[0]); ++i)
    add_field(line, &first[i]);
  for (i = 0; i < entry->field_count && !line->is_cut; ++i)
    add_field(line, &entry->fields[i]);
  log_line_end(line, line->is_cut ? cut : "}\n");
}
