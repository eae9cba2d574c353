/* SPDX-License-Identifier: MIT */
/* Wakers: how one side of an exchange tells another that there is news. */
#ifndef RV_HTTP_WAKER_H
#define RV_HTTP_WAKER_H

#include <stddef.h>

/* Member of whoever wants to be told. `wake` must only note the fact (add a job
   to the turn, put a stream on a ready list) and return: it never acts, frees
   or calls back. So anyone may wake anyone from anywhere. What is new is found
   by looking at the exchange and its pipes, whose state is level triggered; a
   wake without news is harmless. */
struct rv_waker {
  void (*wake)(struct rv_waker *waker);
};

static inline void rv_wake(struct rv_waker *waker) {
  if (waker != NULL)
    waker->wake(waker);
}

#endif
