/* SPDX-License-Identifier: MIT */
/* What an engine and those that replace it in reloads have in common: how it
   was started, the control socket, the watched files, and the engines that were
   replaced and still have something under way. */
#ifndef REVERST_LUA_LINEAGE_H
#define REVERST_LUA_LINEAGE_H

#include "lua/engine/engine.h"

struct event;
struct event_base;
struct rv_lua_control;
struct rv_lua_watch;

/* Who wants to know how a reload ended. */
struct rv_lua_wish {
  STAILQ_ENTRY(rv_lua_wish) link;
  /* `answer`: an object of JSON in one line, without its end.  The last call:
     the wish is its owner's again. */
  void (*on_answered)(
      struct rv_lua_wish *wish, const char *answer, size_t length);
  bool is_waiting;
};

struct rv_lua_lineage {
  struct event_base *base;
  struct rv_lua *current;
  LIST_HEAD(, rv_lua) retired;
  char *module; /* what rv_lua_run called; NULL: it did not */
  char **argv;
  int argc;
  bool can_reload; /* the module has a function for it */
  int exit_status;
  int64_t started_at, reloaded_at; /* seconds since 1970 */
  uint64_t reloads;                /* tried so far */
  char *last_answer;               /* of the last one; may be NULL */

  struct event *event; /* what is wanted is done from the loop */
  bool reload_wanted, drain_wanted;
  STAILQ_HEAD(, rv_lua_wish) wishes;

  struct rv_lua_control *control; /* NULL: none */
  struct rv_lua_watch *watch;     /* NULL: nothing is watched */
};

/* NULL: there is no memory. */
struct rv_lua_lineage *rv_lua_lineage_new(struct event_base *base);

/* Frees retired engines, too, whatever they have under way.  The current one
   has gone.  NULL is fine. */
void rv_lua_lineage_free(struct rv_lua_lineage *lineage);

/* Keeps how the first engine was started, for reloads.  false: no memory. */
bool rv_lua_lineage_keep_arguments(struct rv_lua_lineage *lineage,
    const char *module, int argc, char *const *argv);

/* A reload, at a time when no Lua runs.  Wishes that come before it has begun
   are one reload.  `wish` may be NULL. */
void rv_lua_lineage_want_reload(
    struct rv_lua_lineage *lineage, struct rv_lua_wish *wish);
void rv_lua_lineage_forget(
    struct rv_lua_lineage *lineage, struct rv_lua_wish *wish);

/* The same for draining. */
void rv_lua_lineage_want_drain(struct rv_lua_lineage *lineage);

/* An engine that is current no more: background tasks are cancelled, servers
   and clients that are still its own end.  It is freed when it has neither
   these nor tasks. */
void rv_lua_retire(struct rv_lua *lua);

/* A task of the engine has ended: the last one of a retired engine frees it,
   with the next turn of the loop, unless it has objects. */
void rv_lua_lineage_task_ended(struct rv_lua *lua);

/* The engine has nothing to close any more: that of the current one is the end
   of all. */
void rv_lua_lineage_engine_ended(struct rv_lua *lua);

/* Ends what retired engines still do. */
void rv_lua_lineage_stop_retired(struct rv_lua_lineage *lineage, bool drain);

#endif
