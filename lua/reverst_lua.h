/* SPDX-License-Identifier: MIT */
/* A Lua engine on a libevent base: runs the project's Lua modules, which make
   servers and clients.  All that a host program needs to see of lua/. */
#ifndef REVERST_LUA_H
#define REVERST_LUA_H

#include <reverst/log.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct rv_lua;

/* All-zero members are the defaults. */
struct rv_lua_options {
  struct event_base *base;  /* required; outlives the engine */
  reverst_log_callback log; /* NULL: none */
  void *log_user_data;
  size_t memory_limit;    /* bytes that Lua may hold: 256 MiB */
  uint64_t resume_budget; /* ns of CPU time until a task must yield: 50 ms */
  uint64_t task_budget;   /* ns of CPU time of a task in all: 1 s */
  uint64_t call_budget;   /* ns of CPU time of rv_lua_run: 5 s */
  uint64_t task_timeout;  /* ns from a task's start, waiting included: 15 s */
  /* How entries are written from now on, as scripts say; false: there is no
     such format.  NULL: there are none to choose from. */
  bool (*set_log_format)(const char *format, void *user_data);
  /* The last server and client has ended; may be NULL. */
  void (*on_stopped)(void *user_data);
  /* A reload has put `lua` in the place of the engine that was there, which
     goes by itself: the host calls this one from now on.  May be NULL only if
     nothing that rv_lua_run calls can be reloaded. */
  void (*on_replaced)(struct rv_lua *lua, void *user_data);
  void *user_data;
};

/* The engine belongs to the thread that calls this.  Its watchdog takes
   SIGVTALRM, unless the program uses that; scripts are slower then.  Its timer
   is not inherited by a child: after a fork, scripts that run in the child may
   run for ever.
   REVERST_ERR_INVALID: no base.  REVERST_ERR_NO_MEMORY. */
__attribute__((warn_unused_result)) int rv_lua_new(
    struct rv_lua **lua, const struct rv_lua_options *options);

/* Ends tasks that still wait, also those of engines that were replaced.  No
   server or client may be left: see rv_lua_stop.  NULL is fine. */
void rv_lua_free(struct rv_lua *lua);

/* Calls the function `run` of a Lua module with a table of the arguments, and
   gives its result: an exit status, or RV_LUA_RUNNING when it returned nothing:
   what it started goes on.  REVERST_ERR_SYSTEM: a Lua error, whose text and
   traceback is in `error`. */
__attribute__((warn_unused_result)) int rv_lua_run(struct rv_lua *lua,
    const char *module, int argc, char *const *argv, int *status, char *error,
    size_t error_size);

#define RV_LUA_RUNNING (-1)

/* Ends servers (drained first when asked to, as long as they are told to wait),
   clients and tasks; those of requests go on while servers are drained. May be
   called again to end the draining.  on_stopped comes from
   the loop, or from within this call when nothing was running. */
void rv_lua_stop(struct rv_lua *lua, bool drain);

/* Reads everything anew, with the next turn of the loop, if the module that was
   run has a function `reload`: what it reads is in use only if all of it is
   good, else nothing changes and the log says why. Without that function,
   servers read their certificates anew. false: there is nothing to do. */
bool rv_lua_reload(struct rv_lua *lua);

/* The exit status that scripts set; 0 unless one did. */
int rv_lua_exit_status(const struct rv_lua *lua);

/* Bytes that Lua holds. */
size_t rv_lua_memory_used(const struct rv_lua *lua);

/* Collects all garbage, which takes about 1 ms for each MB in use: for when
   nothing else is to be done.  From the loop, not from within a callback. */
void rv_lua_collect(struct rv_lua *lua);

#endif
