/* SPDX-License-Identifier: MIT */
/* Checks what a server would serve. */
#include "commands.h"
#include "host.h"

int command_check(int argc, char *const *argv) {
  return host_run("reverst.command.check", argc, argv);
}
