/* SPDX-License-Identifier: MIT */
/* A loop, a Lua engine on it, and a command until both are done. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>
#include <reverst/error.h>

#include "log_writer.h"
#include "lua/reverst_lua.h"
#include "signals.h"
#include "thrift.h"

enum { ERROR_SIZE = 8192 };

struct host {
  struct event_base *base;
  struct rv_lua *lua;
  struct signals *signals;
  struct thrift *thrift;
  struct log_writer log;
};

static void on_stopped(void *user_data) {
  struct host *host = user_data;

  /* then nothing keeps the loop */
  signals_free(host->signals);
  host->signals = NULL;
  thrift_free(host->thrift);
  host->thrift = NULL;
}

static void on_replaced(struct rv_lua *lua, void *user_data) {
  struct host *host = user_data;

  host->lua = lua;
}

static void on_idle(void *user_data) {
  const struct host *host = user_data;

  rv_lua_collect(host->lua);
}

static bool set_log_format(const char *format, void *user_data) {
  struct host *host = user_data;

  return log_writer_set_format(&host->log, format);
}

static void on_ending(bool drain, void *user_data) {
  struct host *host = user_data;

  rv_lua_stop(host->lua, drain);
}

static bool on_reload(void *user_data) {
  struct host *host = user_data;

  return rv_lua_reload(host->lua);
}

/* Each connection takes a descriptor; the usual soft limit is for select. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

static int open_host(struct host *host) {
  struct rv_lua_options options = {
    .log = log_writer_write,
    .log_user_data = &host->log,
    .set_log_format = set_log_format,
    .on_stopped = on_stopped,
    .on_replaced = on_replaced,
    .user_data = host,
  };

  host->base = event_base_new();
  if (!host->base)
    return REVERST_ERR_NO_MEMORY;
  options.base = host->base;
  host->signals = signals_new(host->base, on_ending, on_reload, host);
  host->thrift = thrift_new(host->base, on_idle, host);
  if (!host->signals || !host->thrift)
    return REVERST_ERR_NO_MEMORY;
  return rv_lua_new(&host->lua, &options);
}

static void close_host(struct host *host) {
  rv_lua_free(host->lua);
  thrift_free(host->thrift);
  signals_free(host->signals);
  if (host->base)
    event_base_free(host->base);
}

static int run(
    struct host *host, const char *module, int argc, char *const *argv) {
  char error[ERROR_SIZE];
  int status;

  if (rv_lua_run(host->lua, module, argc, argv, &status, error, sizeof(error)) <
      0) {
    fprintf(stderr, "reverst: %s\n", error);
    status = STATUS_FAILURE;
  }
  if (status != RV_LUA_RUNNING)
    rv_lua_stop(host->lua, false);
  event_base_dispatch(host->base);
  return status == RV_LUA_RUNNING ? rv_lua_exit_status(host->lua) : status;
}

int host_run(const char *module, int argc, char *const *argv) {
  struct host host = { .log = { .descriptor = STDERR_FILENO } };
  int r, status = STATUS_FAILURE;

  raise_descriptor_limit();
  r = open_host(&host);
  if (r < 0)
    fprintf(stderr, "reverst: %s\n", reverst_strerror(r));
  else
    status = run(&host, module, argc, argv);
  close_host(&host);
  return status;
}
