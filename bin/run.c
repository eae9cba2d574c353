/* SPDX-License-Identifier: MIT */
/* Runs a script in Lua. */
#include "commands.h"
#include "host.h"

int command_run(int argc, char *const *argv) {
  return host_run("reverst.command.run", argc, argv);
}
