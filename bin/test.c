/* SPDX-License-Identifier: MIT */
/* Runs specs of scripts. */
#include "commands.h"
#include "host.h"

int command_test(int argc, char *const *argv) {
  return host_run("reverst.command.test", argc, argv);
}
