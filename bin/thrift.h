/* SPDX-License-Identifier: MIT */
/* Gives memory back that a busy time has left behind. */
#ifndef REVERST_BIN_THRIFT_H
#define REVERST_BIN_THRIFT_H

struct event_base;
struct thrift;

/* `on_idle` comes once after each time of work, when next to nothing has been
   done for some seconds: to let go of garbage, before what is free goes back to
   the system.  NULL: it could not be made.  Keeps the loop from ending. */
struct thrift *thrift_new(
    struct event_base *base, void (*on_idle)(void *user_data), void *user_data);

/* NULL is fine. */
void thrift_free(struct thrift *thrift);

#endif
