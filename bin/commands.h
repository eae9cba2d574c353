/* SPDX-License-Identifier: MIT */
/* The commands of reverst.  Each gets the arguments behind its name and returns
   the exit status. */
#ifndef REVERST_BIN_COMMANDS_H
#define REVERST_BIN_COMMANDS_H

int command_serve(int argc, char *const *argv);
int command_check(int argc, char *const *argv);
int command_http(int argc, char *const *argv);
int command_certificate(int argc, char *const *argv);
int command_import(int argc, char *const *argv);
int command_run(int argc, char *const *argv);
int command_test(int argc, char *const *argv);
int command_reload(int argc, char *const *argv);
int command_status(int argc, char *const *argv);
int command_stats(int argc, char *const *argv);
int command_drain(int argc, char *const *argv);

#endif
