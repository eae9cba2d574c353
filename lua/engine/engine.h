/* SPDX-License-Identifier: MIT */
/* What the bindings share: the engine, and the protected door into Lua. */
#ifndef REVERST_LUA_ENGINE_H
#define REVERST_LUA_ENGINE_H

#include <sys/queue.h>

#include <lua.h>

#include "lua/engine/complaint.h"
#include "lua/engine/memory.h"
#include "lua/engine/scheduler.h"
#include "lua/engine/watchdog.h"
#include "lua/reverst_lua.h"

struct rv_lua_http;
struct rv_lua_lineage;
struct rv_lua_spawned;
struct rv_lua_task;

/* A server or a client that scripts started.  The engine owns it; Lua only has
   a handle, whose pointer is cleared when the object goes. */
struct rv_lua_object {
  LIST_ENTRY(rv_lua_object) link;
  struct rv_lua *lua;
  const char *type; /* as of its handle */
  const struct luaL_Reg *methods;
  struct rv_lua_object **handle; /* in a userdata; NULL: collected */
  void (*stop)(struct rv_lua_object *object, bool drain);
  void (*reload)(struct rv_lua_object *object); /* NULL: nothing to reload */
  char *record; /* what a reload is to know of it; NULL: it takes no part */
};

struct rv_lua {
  struct rv_lua_options options;
  struct rv_lua_lineage *lineage;
  LIST_ENTRY(rv_lua) retired_link; /* of lineage->retired */
  bool is_retired;                 /* a reload has replaced it, or failed */
  struct rv_lua_object *adopted;   /* from the engine before; see reload.h */
  struct rv_lua_object **adopted_handle;
  bool is_settled; /* what was adopted asks this engine: there is no way back */
  lua_State *L;
  struct rv_lua_memory memory;
  struct rv_lua_span *span; /* what runs now; NULL: no Lua does */
  bool has_ticker;          /* else a count hook watches at all times */
  struct rv_lua_scheduler scheduler;
  LIST_HEAD(, rv_lua_task) tasks;
  LIST_HEAD(, rv_lua_object) objects;
  LIST_HEAD(, rv_lua_spawned) spawned; /* those of scripts, see spawn.h */
  unsigned spawned_count;
  struct rv_lua_http *http; /* NULL: nobody has fetched anything */
  /* what spawned tasks, `handle` and callbacks of clients complain of */
  struct rv_lua_complaint task_complaint, handle_complaint, callback_complaint;
  enum reverst_log_level log_level;
  bool has_scripts; /* it stops when it is idle, see script.h */
  bool stopping;    /* also: it was replaced by a reload */
};

/* The engine that a Lua thread belongs to.  The lowest bit is that of
   rv_lua_mark_task. */
static inline struct rv_lua *rv_lua_of(lua_State *L) {
  return (struct rv_lua *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)1);
}

/* Only the engine may resume or close this one.  (New threads have a copy of
   what the main thread has.) */
static inline void rv_lua_mark_task(lua_State *thread) {
  *(uintptr_t *)lua_getextraspace(thread) |= 1;
}

static inline bool rv_lua_is_task(lua_State *thread) {
  return (*(uintptr_t *)lua_getextraspace(thread) & 1) != 0;
}

/* Calls `function`, which finds `data` as light userdata at index 1, and gets
   an empty stack else.  0, or REVERST_ERR_SYSTEM: a Lua error, with its
   traceback in `error`, which is not touched else.  Beside rv_lua_task_start
   the only way into Lua.  Costs a tenth of a microsecond, no clock is read: fit
   for a call per request (with resume_budget, see below). */
__attribute__((warn_unused_result)) int rv_lua_protect(struct rv_lua *lua,
    lua_CFunction function, void *data, char *error, size_t error_size);

/* The same with so many ns of CPU time, instead of call_budget. */
__attribute__((warn_unused_result)) int rv_lua_protect_within(
    struct rv_lua *lua, uint64_t budget, lua_CFunction function, void *data,
    char *error, size_t error_size);

/* Ends all tasks, but for the one that runs: that when it stops running. */
void rv_lua_cancel_tasks(struct rv_lua *lua);

/* Tells on_stopped, unless there is still something to close. */
void rv_lua_report_stopped(struct rv_lua *lua);

/* An engine that joins those of `lineage`. */
__attribute__((warn_unused_result)) int rv_lua_new_in(struct rv_lua **lua,
    const struct rv_lua_options *options, struct rv_lua_lineage *lineage);

/* Replaces an error object of any type, at the top of L, by a text with the
   traceback of `thread`.  May raise, so only in a protected call. */
void rv_lua_describe_error(lua_State *L, lua_State *thread);

#endif
