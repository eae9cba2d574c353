/* SPDX-License-Identifier: MIT */
/* reverst: finds the command in its table, and runs it. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "host.h"

struct command {
  const char *name; /* NULL: when no other name is given */
  int (*run)(int argc, char *const *argv);
  const char *synopsis, *description; /* NULL: only its name is shown */
};

static const struct command commands[] = {
  { "http", command_http, "http [FLAGS] ADDRESS",
      "expose a local HTTP service" },
  { "check", command_check, "check [FLAGS] config.lua",
      "say what would be served, or what is wrong" },
  { "certificate", command_certificate, NULL, NULL },
  { "run", command_run, NULL, NULL },
  { "test", command_test, NULL, NULL },
  { "import", command_import, NULL, NULL },
  { "status", command_status, NULL, NULL },
  { "stats", command_stats, NULL, NULL },
  { "reload", command_reload, NULL, NULL },
  { "drain", command_drain, NULL, NULL },
  { NULL, command_serve, "[FLAGS] config.lua",
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
  return command->name ? command->run(argc - 2, argv + 2)
                       : command->run(argc - 1, argv + 1);
}
