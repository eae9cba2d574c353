/* SPDX-License-Identifier: MIT */
/* Runs a client in front of a local HTTP service. */
#include "commands.h"
#include "host.h"

int command_http(int argc, char *const *argv) {
  return host_run("reverst.command.http", argc, argv);
}
