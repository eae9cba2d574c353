/* SPDX-License-Identifier: MIT */
/* The signals that end the program or have it read files anew, as events of its
   loop. */
#ifndef REVERST_BIN_SIGNALS_H
#define REVERST_BIN_SIGNALS_H

#include <stdbool.h>

struct event_base;
struct signals;

/* `drain`: it is the first signal; a later one wants an end at once.  The third
   ends the process, whatever hangs. */
typedef void (*signals_on_ending)(bool drain, void *user_data);

/* SIGHUP. false: there is nothing to read anew; then it ends the program as the
   other two do, since its terminal has gone. */
typedef bool (*signals_on_reload)(void *user_data);

/* SIGTERM, SIGINT and SIGHUP from now on; SIGPIPE is ignored for good.  NULL:
   it could not be done.  Keeps the loop from ending. */
struct signals *signals_new(struct event_base *base,
    signals_on_ending on_ending, signals_on_reload on_reload, void *user_data);

/* From now on they are ignored: the program has its own status to end with.
   May be called from on_ending.  NULL is fine. */
void signals_free(struct signals *signals);

#endif
