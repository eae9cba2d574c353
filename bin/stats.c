/* SPDX-License-Identifier: MIT */
/* Shows the counters of a running server. */
#include "commands.h"
#include "host.h"

int command_stats(int argc, char *const *argv) {
  return host_run("reverst.command.stats", argc, argv);
}
