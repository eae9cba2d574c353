/* SPDX-License-Identifier: MIT */
/* Runs a command that is written in Lua, on a loop of its own, until it is done
   or a signal ends it. */
#ifndef REVERST_BIN_HOST_H
#define REVERST_BIN_HOST_H

enum { STATUS_SUCCESS = 0, STATUS_FAILURE = 1, STATUS_USAGE = 2 };

/* Calls `run` of the Lua module with the arguments, dispatches the loop as long
   as a server or client is there; returns the exit status.  SIGTERM and SIGINT
   drain, a second one ends at once what is left; SIGHUP has servers read their
   configuration anew; SIGPIPE is ignored. */
int host_run(const char *module, int argc, char *const *argv);

#endif
