/* SPDX-License-Identifier: MIT */
/* Makes a sentence of an entry of the log. */
#include "base/explanation.h"

#include <reverst/error.h>
#include <stdio.h>
#include <string.h>

static bool is_reason(const struct reverst_log_field *field) {
  return strcmp(field->key, "reason") == 0 || strcmp(field->key, "detail") == 0;
}

/* "subject: more", cut to what there is room for. */
static void add_subject(
    struct rv_explanation *explanation, const struct reverst_log_field *field) {
  size_t length = strlen(explanation->subject);

  snprintf(explanation->subject + length, sizeof(explanation->subject) - length,
      "%s%.*s", length > 0 ? ": " : "", (int)field->text_length, field->text);
}

static void take_down(
    struct rv_explanation *explanation, const struct reverst_log_entry *entry) {
  for (size_t i = 0; i < entry->field_count; i++) {
    const struct reverst_log_field *field = &entry->fields[i];

    if (field->text == NULL || strcmp(field->key, "error") == 0)
      continue;
    if (is_reason(field))
      snprintf(explanation->reason, sizeof(explanation->reason), "%.*s",
          (int)field->text_length, field->text);
    else
      add_subject(explanation, field);
  }
}

static void on_entry(const struct reverst_log_entry *entry, void *user_data) {
  struct rv_explanation *explanation = user_data;

  if (entry->level != REVERST_LOG_ERROR) {
    if (explanation->log != NULL && entry->level >= explanation->level)
      explanation->log(entry, explanation->log_user_data);
  } else if (explanation->subject[0] == '\0') {
    take_down(explanation, entry);
  }
}

/* Beside a reason their texts say nothing. */
static bool is_vague(int error) {
  return error == REVERST_ERR_SYSTEM || error == REVERST_ERR_INVALID;
}

static void write_text(const struct rv_explanation *explanation, int error) {
  const char *subject = explanation->subject;
  const char *reason = explanation->reason;
  const char *words =
      *subject && *reason && is_vague(error) ? "" : reverst_strerror(error);

  if (strstr(subject, reason) != NULL)
    reason = ""; /* it is the value already */
  snprintf(explanation->text, explanation->size, "%s%s%s%s%s", subject,
      *subject && *words ? ": " : "", words, *reason ? ": " : "", reason);
}

void rv_explanation_begin(struct rv_explanation *explanation,
    struct rv_engine *engine, char *text, size_t size) {
  *explanation = (struct rv_explanation){
    .text = text,
    .size = size,
    .level = engine->log_level,
    .log = engine->log,
    .log_user_data = engine->log_user_data,
  };
  if (size == 0)
    return;
  engine->log = on_entry;
  engine->log_user_data = explanation;
  if (engine->log_level > REVERST_LOG_ERROR)
    engine->log_level = REVERST_LOG_ERROR;
}

int rv_explanation_end(
    struct rv_explanation *explanation, struct rv_engine *engine, int r) {
  engine->log = explanation->log;
  engine->log_user_data = explanation->log_user_data;
  engine->log_level = explanation->level;
  if (r < 0 && explanation->size > 0)
    write_text(explanation, r);
  return r;
}
