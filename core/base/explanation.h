/* SPDX-License-Identifier: MIT */
/* Why something cannot be started, in words for who asked, instead of in the
   log. */
#ifndef RV_BASE_EXPLANATION_H
#define RV_BASE_EXPLANATION_H

#include "base/engine.h"

/* Lives from begin to end; only explanation.c touches its members. */
struct rv_explanation {
  char *text;
  size_t size;
  enum reverst_log_level level; /* the engine's own log */
  reverst_log_callback log;
  void *log_user_data;
  char subject[256]; /* a file, an address, an option with its value */
  char reason[128];
};

/* Until the end, what the engine's parts log as an error is taken down instead:
   the first entry, since later ones only say what came of it.  Does nothing
   when `size` is 0. */
void rv_explanation_begin(struct rv_explanation *explanation,
    struct rv_engine *engine, char *text, size_t size);

/* Writes "subject: error: reason" to `text`, cut to its size, when `r` is an
   error; returns `r`. */
int rv_explanation_end(
    struct rv_explanation *explanation, struct rv_engine *engine, int r);

#endif
