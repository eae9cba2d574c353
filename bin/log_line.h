/* SPDX-License-Identifier: MIT */
/* One line of the log while it is made. */
#ifndef REVERST_BIN_LOG_LINE_H
#define REVERST_BIN_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <reverst/log.h>

/* what a pipe takes as a whole */
enum { LOG_LINE_SIZE = 4096, LOG_TIME_SIZE = 32 };

struct log_line {
  char text[LOG_LINE_SIZE];
  size_t length;
  size_t reserved; /* at the end, for what says that something is missing */
  bool is_cut;     /* something did not fit: nothing is added any more */
};

void log_line_add(struct log_line *line, const char *bytes, size_t length);
void log_line_add_text(struct log_line *line, const char *text);
void log_line_add_number(struct log_line *line, int64_t number);

/* Adds also what is reserved. */
void log_line_end(struct log_line *line, const char *text);

/* "trace" to "off" */
const char *log_level_name(enum reverst_log_level level);

/* The two formats: an entry as a whole line.  `time` is as in RFC 3339. */
void log_format_logfmt(struct log_line *line, const char *time,
    const struct reverst_log_entry *entry);
void log_format_json(struct log_line *line, const char *time,
    const struct reverst_log_entry *entry);

#endif
