/* SPDX-License-Identifier: MIT */
/* Formats entries one by one and writes each with one call. */
#include "log_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log_line.h"

/* 2026-01-31T12:00:00.000Z */
static void print_time(char *text, size_t size) {
  struct timespec now;
  struct tm utc;
  size_t length;

  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  length = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(
      text + length, size - length, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

void log_writer_write(const struct reverst_log_entry *entry, void *user_data) {
  const struct log_writer *writer = user_data;
  struct log_line line = { .length = 0 };
  char time[LOG_TIME_SIZE];
  ssize_t written;

  print_time(time, sizeof(time));
  if (writer->json)
    log_format_json(&line, time, entry);
  else
    log_format_logfmt(&line, time, entry);
  do
    written = write(writer->descriptor, line.text, line.length);
  while (written < 0 && errno == EINTR);
}

bool log_writer_set_format(struct log_writer *writer, const char *format) {
  writer->json = strcmp(format, "json") == 0;
  return writer->json || strcmp(format, "logfmt") == 0;
}
