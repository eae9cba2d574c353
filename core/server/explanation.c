/* SPDX-License-Identifier: MIT */
/* Makes a sentence of an entry of the log. */
#include "server/explanation.h"

#include <reverst/error.h>
#include <stdio.h>
#include <string.h>

static bool is_reason(const struct reverst_log_field *field) {
  return strcmp(field->key, "reason") == 0 || strcmp(field->key, "detail") == 0;
}

/* "subject: more", cut to what there is room for. */
static void add_subject(struct rv_explanation *explanation,
    const struct reverst_log_field *field) {
  size_t length = strlen(explanation->subject);

  snprintf(explanation->subject + length, sizeof(explanation->subject) - length,
      "%s%.*s", length > 0 ? ": " : "", (int)field->text_length, field->text);
}

/* Of several entries the last one is what it failed by. */
static void take_down(struct rv_explanation *explanation,
    const struct reverst_log_entry *entry) {
  explanation->subject[0] = explanation->reason[0] = '\0';
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
  const reverst_server_options *options = explanation->options;
  enum reverst_log_level level =
      options->log_level ? options->log_level : REVERST_LOG_INFO;

  if (entry->level == REVERST_LOG_ERROR)
    take_down(explanation, entry);
  else if (options->log != NULL && entry->level >= level)
    options->log(entry, options->log_user_data);
}

static bool is_wanted(const struct rv_explanation *explanation) {
  return explanation->options->explanation_size > 0;
}

void rv_explanation_begin(struct rv_explanation *explanation,
    struct rv_engine *engine, const reverst_server_options *options) {
  *explanation = (struct rv_explanation){ .options = options };
  if (!is_wanted(explanation))
    return;
  engine->log = on_entry;
  engine->log_user_data = explanation;
  if (engine->log_level > REVERST_LOG_ERROR)
    engine->log_level = REVERST_LOG_ERROR;
}

int rv_explanation_end(
    struct rv_explanation *explanation, struct rv_engine *engine, int r) {
  const reverst_server_options *options = explanation->options;

  if (!is_wanted(explanation))
    return r;
  engine->log = options->log;
  engine->log_user_data = options->log_user_data;
  engine->log_level =
      options->log_level ? options->log_level : REVERST_LOG_INFO;
  if (r < 0)
    snprintf(options->explanation, options->explanation_size, "%s%s%s%s%s",
        explanation->subject, explanation->subject[0] ? ": " : "",
        reverst_strerror(r), explanation->reason[0] ? ": " : "",
        explanation->reason);
  return r;
}
