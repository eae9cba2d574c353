/* SPDX-License-Identifier: MIT */
/* Runs a server from a configuration in Lua. */
#include "commands.h"
#include "host.h"

int command_serve(int argc, char *const *argv) {
  return host_run("reverst.command.serve", argc, argv);
}
