/* SPDX-License-Identifier: MIT */
/* reverst: finds the command in its table, and runs it.  What commands do is in
   lua/reverst/command/, one a file. */
#include <stdio.h>
#include <string.h>

#include "host.h"

struct command {
  const char *name; /* NULL: when no other name is given */
  const char *module;
  const char *synopsis, *description; /* NULL: only its name is shown */
};

static const struct command commands[] = {
  { "http", "reverst.command.http", "http [FLAGS] ADDRESS",
      "expose a local HTTP service" },
  { "check", "reverst.command.check", "check [FLAGS] config.lua",
      "say what would be served, or what is wrong" },
  { "certificate", "reverst.command.certificate", NULL, NULL },
  { "run", "reverst.command.run", NULL, NULL },
  { "test", "reverst.command.test", NULL, NULL },
  { "import", "reverst.command.import", NULL, NULL },
  { "status", "reverst.command.status", NULL, NULL },
  { "stats", "reverst.command.stats", NULL, NULL },
  { "reload", "reverst.command.reload", NULL, NULL },
  { "drain", "reverst.command.drain", NULL, NULL },
  { NULL, "reverst.command.serve", "[FLAGS] config.lua",
      "serve: take tunnels and visitors" },
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void show_commands(void) {
  int i;

  for (i = 0; i < COMMAND_COUNT; ++i) {
    if (commands[i].synopsis)
      fprintf(stderr, "  reverst %-28s %s\n", commands[i].synopsis,
          commands[i].description);
  }
  fputs("Other commands:", stderr);
  for (i = 0; i < COMMAND_COUNT; ++i) {
    if (!commands[i].synopsis)
      fprintf(stderr, " %s", commands[i].name);
  }
  fputs("; each has --help\n", stderr);
}

static int show_usage(void) {
  fputs("reverst exposes HTTP services behind NAT or a firewall.\n", stderr);
  show_commands();
  fputs("To try it here: make a certificate, then run a server:\n"
        "  reverst certificate localhost\n"
        "  echo 'return { groups = { localhost = { hosts = {\"localhost\"}, "
        "authenticate = require \"reverst.auth\".insecure() } } }' >config.lua;"
        " reverst -n localhost -c server.crt -k server.key config.lua\n"
        "and, beside a service on port 8080:\n"
        "  reverst http -n localhost -c server.crt 8080\n",
      stderr);
  return STATUS_USAGE;
}

int main(int argc, char **argv) {
  const struct command *command = commands;

  if (argc < 2)
    return show_usage();
  while (command->name && strcmp(command->name, argv[1]) != 0)
    ++command;
  return command->name ? host_run(command->module, argc - 2, argv + 2)
                       : host_run(command->module, argc - 1, argv + 1);
}
