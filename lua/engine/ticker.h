/* SPDX-License-Identifier: MIT */
/* Ticks of a thread's CPU time: a signal at every 10 ms that it runs, so that
   short calls need not look at a clock. */
#ifndef REVERST_LUA_TICKER_H
#define REVERST_LUA_TICKER_H

#include <stdbool.h>

/* Has `on_tick` called in this thread, as a signal handler, until as many calls
   of rv_lua_ticker_stop; always the same function.  Takes SIGVTALRM.  false: it
   cannot be had, for instance because the program uses that signal itself, or
   blocks it in this thread. */
bool rv_lua_ticker_start(void (*on_tick)(void));

/* In the same thread; only after a start that succeeded. */
void rv_lua_ticker_stop(void);

#endif
