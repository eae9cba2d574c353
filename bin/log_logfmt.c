/* SPDX-License-Identifier: MIT */
/* time=… level=info event=tunnel_up key=value key="a value" */
#include "log_line.h"

#include <stdio.h>
#include <string.h>

static const char ellipsis[] = "...\n";

static bool is_plain(unsigned char c) {
  return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
}

static void add_escaped(struct log_line *line, unsigned char c) {
  char escape[8];

  if (c == '"' || c == '\\')
    snprintf(escape, sizeof(escape), "\\%c", c);
  else if (c == '\n')
    snprintf(escape, sizeof(escape), "\\n");
  else if (c == '\t')
    snprintf(escape, sizeof(escape), "\\t");
  else if (c < ' ' || c >= 0x7f)
    snprintf(escape, sizeof(escape), "\\x%02x", c);
  else
    snprintf(escape, sizeof(escape), "%c", c);
  log_line_add_text(line, escape);
}

static void add_value(struct log_line *line, const char *text, size_t length) {
  size_t i, plain = 0;

  while (plain < length && is_plain((unsigned char)text[plain]))
    ++plain;
  if (plain == length && length > 0) {
    log_line_add(line, text, length);
    return;
  }
  log_line_add_text(line, "\"");
  for (i = 0; i < length; ++i)
    add_escaped(line, (unsigned char)text[i]);
  log_line_add_text(line, "\"");
}

/* Keys of scripts may be anything, too. */
static void add_key(struct log_line *line, const char *key) {
  if (*key == '\0')
    log_line_add_text(line, "_");
  for (; *key != '\0'; ++key)
    log_line_add(line, is_plain((unsigned char)*key) ? key : "_", 1);
}

static void add_field(
    struct log_line *line, const struct reverst_log_field *field) {
  log_line_add_text(line, " ");
  add_key(line, field->key);
  log_line_add_text(line, "=");
  if (field->text)
    add_value(line, field->text, field->text_length);
  else
    log_line_add_number(line, field->number);
}

void log_format_logfmt(struct log_line *line, const char *time,
    const struct reverst_log_entry *entry) {
  size_t i;

  line->reserved = sizeof(ellipsis);
  log_line_add_text(line, "time=");
  log_line_add_text(line, time);
  log_line_add_text(line, " level=");
  log_line_add_text(line, log_level_name(entry->level));
  log_line_add_text(line, " event=");
  add_value(line, entry->event, strlen(entry->event));
  for (i = 0; i < entry->field_count; ++i)
    add_field(line, &entry->fields[i]);
  log_line_end(line, line->is_cut ? ellipsis : "\n");
}
