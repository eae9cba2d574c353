/* SPDX-License-Identifier: MIT */
/* Ends a running server once its requests are done. */
#include "commands.h"
#include "host.h"

int command_drain(int argc, char *const *argv) {
  return host_run("reverst.command.drain", argc, argv);
}
