/* SPDX-License-Identifier: MIT */
/* A tunnel client on libreverst's C API: answers every request with PONG. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <reverst/reverst.h>

struct program {
  struct event_base *base;
  struct event *interrupt, *terminate;
  reverst_client *client;
  const char *address, *server_name, *group, *ca_path;
  const char *username, *password;
  bool insecure;
};

static void on_request(reverst_request *request, void *user_data) {
  static const reverst_field headers[] = {
    { "content-type", "text/plain" },
    { NULL, NULL },
  };

  (void)user_data;
  if (reverst_respond(request,
          &(reverst_response){
              .headers = headers, .body = "PONG", .body_length = 4 }) < 0)
    reverst_response_abort(request);
}

static void on_connected(reverst_client *client, void *user_data) {
  const struct program *program = user_data;

  (void)client;
  fprintf(stderr, "registered at %s in group %s\n", program->address,
      program->group);
}

static void on_disconnected(reverst_client *client,
    const reverst_disconnect *disconnect, void *user_data) {
  (void)client;
  (void)user_data;
  fprintf(stderr, "no tunnel: %s%s%s; next try in %" PRIu64 " s\n",
      reverst_disconnect_text(disconnect), disconnect->refused ? ": " : "",
      disconnect->refused ? disconnect->reason : "",
      disconnect->retry_in / 1000000000U);
}

static void on_closed(void *user_data) {
  struct program *program = user_data;

  /* nothing is left that keeps the loop going */
  event_free(program->interrupt);
  event_free(program->terminate);
}

static void on_signal(evutil_socket_t number, short what, void *user_data) {
  struct program *program = user_data;

  (void)number;
  (void)what;
  event_del(program->interrupt);
  event_del(program->terminate);
  reverst_client_close(program->client, on_closed, program);
}

static const struct option flags[] = {
  { "address", required_argument, NULL, 'a' },
  { "server-name", required_argument, NULL, 'n' },
  { "group", required_argument, NULL, 'g' },
  { "username", required_argument, NULL, 'u' },
  { "password", required_argument, NULL, 'p' },
  { "ca", required_argument, NULL, 'c' },
  { "insecure", no_argument, NULL, 'i' },
  { NULL, 0, NULL, 0 },
};

/* false: it cannot be understood; that was said */
static bool read_flags(struct program *program, int argc, char **argv) {
  int flag;

  while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
    switch (flag) {
    case 'a':
      program->address = optarg;
      break;
    case 'n':
      program->server_name = optarg;
      break;
    case 'g':
      program->group = optarg;
      break;
    case 'u':
      program->username = optarg;
      break;
    case 'p':
      program->password = optarg;
      break;
    case 'c':
      program->ca_path = optarg;
      break;
    case 'i':
      program->insecure = true;
      break;
    default:
      return false;
    }
  }
  return optind == argc;
}

/* negative: an error of the library */
static int start(struct program *program) {
  program->base = event_base_new();
  if (!program->base)
    return REVERST_ERR_NO_MEMORY;
  program->interrupt = evsignal_new(program->base, SIGINT, on_signal, program);
  program->terminate = evsignal_new(program->base, SIGTERM, on_signal, program);
  if (!program->interrupt || !program->terminate)
    return REVERST_ERR_NO_MEMORY;
  event_add(program->interrupt, NULL);
  event_add(program->terminate, NULL);
  return reverst_client_new(&program->client, program->base,
      &(reverst_client_options){
          .address = program->address,
          .server_name = program->server_name,
          .group = program->group,
          .ca_path = program->ca_path,
          .insecure = program->insecure,
          .credentials = reverst_basic(program->username, program->password),
          .on_request = on_request,
          .on_connected = on_connected,
          .on_disconnected = on_disconnected,
          .user_data = program,
      });
}

int main(int argc, char **argv) {
  struct program program = {
    .address = "127.0.0.1:7171",
    .server_name = "flipt.dev.local",
    .group = "flipt.dev.local",
    .username = "user",
    .password = "pass",
  };
  int r;

  if (!read_flags(&program, argc, argv)) {
    fprintf(stderr,
        "usage: %s [--address ADDR] [--server-name NAME] [--group GROUP]\n"
        "  [--username USER] [--password PASSWORD] [--ca FILE | --insecure]\n",
        argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  r = start(&program);
  if (r < 0) {
    fprintf(stderr, "cannot start: %s\n", reverst_strerror(r));
    return EXIT_FAILURE;
  }
  event_base_dispatch(program.base);
  event_base_free(program.base);
  return EXIT_SUCCESS;
}
