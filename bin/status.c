/* SPDX-License-Identifier: MIT */
/* Shows what a running server is doing. */
#include "commands.h"
#include "host.h"

int command_status(int argc, char *const *argv) {
  return host_run("reverst.command.status", argc, argv);
}
