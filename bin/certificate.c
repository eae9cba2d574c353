/* SPDX-License-Identifier: MIT */
/* Makes a certificate to develop with. */
#include "commands.h"
#include "host.h"

int command_certificate(int argc, char *const *argv) {
  return host_run("reverst.command.certificate", argc, argv);
}
