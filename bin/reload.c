/* SPDX-License-Identifier: MIT */
/* Has a running server read its configuration anew. */
#include "commands.h"
#include "host.h"

int command_reload(int argc, char *const *argv) {
  return host_run("reverst.command.reload", argc, argv);
}
