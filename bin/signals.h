/* SPDX-License-Identifier: MIT */
/* The signals that end the program, as events of its loop. */
#ifndef REVERST_BIN_SIGNALS_H
#define REVERST_BIN_SIGNALS_H

#include <stdbool.h>

struct event_base;
struct signals;

/* `drain`: it is the first signal; a later one wants an end at once.  The third
   ends the process, whatever hangs. */
typedef void (*signals_on_ending)(bool drain, void *user_data);

/* SIGTERM and SIGINT from now on; SIGPIPE is ignored for good.  NULL: it could
   not be done.  Keeps the loop from ending. */
struct signals *signals_new(
    struct event_base *base, signals_on_ending on_ending, void *user_data);

/* May be called from on_ending.  NULL is fine. */
void signals_free(struct signals *signals);

#endif
