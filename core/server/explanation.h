/* SPDX-License-Identifier: MIT */
/* Why a server cannot be started, for who asked in the options, instead of in
   the log. */
#ifndef RV_SERVER_EXPLANATION_H
#define RV_SERVER_EXPLANATION_H

#include "base/engine.h"
#include <reverst/server.h>

/* Lives from begin to end; only explanation.c touches its members. */
struct rv_explanation {
  const reverst_server_options *options;
  char subject[256]; /* a file, an address, an option with its value */
  char reason[128];
};

/* Until the end, errors that the engine's parts log are taken down, if
   `options` has room for an explanation; `options` must live as long. */
void rv_explanation_begin(struct rv_explanation *explanation,
    struct rv_engine *engine, const reverst_server_options *options);

/* Writes it when `r` is an error; returns `r`. */
int rv_explanation_end(
    struct rv_explanation *explanation, struct rv_engine *engine, int r);

#endif
