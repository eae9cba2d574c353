/* SPDX-License-Identifier: MIT */
#include "log_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* what a pipe takes as a whole */
enum { LINE_SIZE = 4096 };

static const char ellipsis[] = "...\n";

struct line {
  char text[LINE_SIZE];
  size_t length;
  bool is_cut;
};

static void add(struct line *line, const char *bytes, size_t length) {
  size_t room = sizeof(line->text) - sizeof(ellipsis) - line->length;

  line->is_cut = line->is_cut || length > room;
  if (line->is_cut)
    return;
  memcpy(line->text + line->length, bytes, length);
  line->length += length;
}

static void add_text(struct line *line, const char *text) {
  add(line, text, strlen(text));
}

static bool is_plain(unsigned char c) {
  return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
}

static void add_escaped(struct line *line, unsigned char c) {
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
  add_text(line, escape);
}

static void add_value(struct line *line, const char *text, size_t length) {
  size_t i, plain = 0;

  while (plain < length && is_plain((unsigned char)text[plain]))
    ++plain;
  if (plain == length && length > 0) {
    add(line, text, length);
    return;
  }
  add_text(line, "\"");
  for (i = 0; i < length; ++i)
    add_escaped(line, (unsigned char)text[i]);
  add_text(line, "\"");
}

static void add_time(struct line *line) {
  struct timespec now;
  struct tm utc;
  char text[64];
  size_t length;

  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  length = strftime(text, sizeof(text), "time=%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + length, sizeof(text) - length, ".%03dZ",
      (int)(now.tv_nsec / 1000000));
  add_text(line, text);
}

static const char *level_name(enum reverst_log_level level) {
  static const char *const names[] = { "default", "trace", "debug", "info",
    "warn", "error", "off" };

  return names[level];
}

static void add_field(
    struct line *line, const struct reverst_log_field *field) {
  char number[32];

  add_text(line, " ");
  add_text(line, field->key);
  add_text(line, "=");
  if (field->text) {
    add_value(line, field->text, field->text_length);
  } else {
    snprintf(number, sizeof(number), "%" PRId64, field->number);
    add_text(line, number);
  }
}

static void end(struct line *line) {
  const char *text = line->is_cut ? ellipsis : "\n";
  size_t length = strlen(text);

  memcpy(line->text + line->length, text, length);
  line->length += length;
}

void log_writer_write(const struct reverst_log_entry *entry, void *user_data) {
  const int *descriptor = user_data;
  struct line line = { .length = 0 };
  ssize_t written;
  size_t i;

  add_time(&line);
  add_text(&line, " level=");
  add_text(&line, level_name(entry->level));
  add_text(&line, " event=");
  add_value(&line, entry->event, strlen(entry->event));
  for (i = 0; i < entry->field_count; ++i)
    add_field(&line, &entry->fields[i]);
  end(&line);
  do
    written = write(*descriptor, line.text, line.length);
  while (written < 0 && errno == EINTR);
}
