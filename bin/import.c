/* SPDX-License-Identifier: MIT */
/* Prints groups of the Go original as a configuration in Lua. */
#include "commands.h"
#include "host.h"

int command_import(int argc, char *const *argv) {
  return host_run("reverst.command.import", argc, argv);
}
