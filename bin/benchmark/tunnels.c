/* SPDX-License-Identifier: MIT */
/* Holds many tunnels to one server, for bin/bench: opens them, says how that
   went on standard output, and answers PONG until it is told to end. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>
#include <reverst/reverst.h>

enum { MAX_TUNNELS = 10000, TRIES_PER_TUNNEL = 8 };

struct program;

struct tunnel {
  struct program *program;
  reverst_client *client;
  bool open;
};

struct program {
  struct event_base *base;
  struct event *interrupt, *terminate;
  reverst_client_options options;
  struct tunnel *tunnels;
  size_t count, started, tries; /* of tunnels; of registrations */
  size_t open, refused;
  double rate;        /* of starts, a second; 0: the next when one is open */
  struct event *pace; /* NULL: there is no rate */
  struct timespec start;
  bool closing;
};

static void on_request(reverst_request *request, void *user_data) {
  (void)user_data;
  if (reverst_respond(
          request, &(reverst_response){ .body = "PONG", .body_length = 4 }) < 0)
    reverst_response_abort(request);
}

static void fail(const char *what, int error) {
  fprintf(stderr, "%s: %s\n", what, reverst_strerror(error));
  exit(EXIT_FAILURE);
}

static void dial(struct tunnel *tunnel) {
  struct program *program = tunnel->program;
  reverst_client_options options = program->options;
  int r;

  if (++program->tries > program->count * TRIES_PER_TUNNEL)
    fail("too many refusals", REVERST_ERR_CLOSED);
  options.user_data = tunnel;
  r = reverst_client_new(&tunnel->client, program->base, &options);
  if (r < 0)
    fail("no client", r);
}

static void start_next(struct program *program) {
  if (program->started < program->count)
    dial(&program->tunnels[program->started++]);
}

static double seconds_since_start(const struct program *program) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - program->start.tv_sec) +
         (double)(now.tv_nsec - program->start.tv_nsec) / 1e9;
}

static void report(const struct program *program) {
  printf("open=%zu refused=%zu seconds=%.3f\n", program->open, program->refused,
      seconds_since_start(program));
  fflush(stdout);
}

static void on_connected(reverst_client *client, void *user_data) {
  struct tunnel *tunnel = user_data;
  struct program *program = tunnel->program;

  (void)client;
  if (tunnel->open)
    return; /* lost, and back */
  tunnel->open = true;
  if (++program->open == program->count)
    report(program);
  if (!program->pace)
    start_next(program);
}

/* So many a second, however long the server takes. */
static void on_pace(evutil_socket_t fd, short what, void *user_data) {
  struct program *program = user_data;
  double due = program->rate * seconds_since_start(program);

  (void)fd;
  (void)what;
  while (program->started < program->count && (double)program->started < due)
    start_next(program);
  if (program->started == program->count)
    event_del(program->pace);
}

/* One that did not get in tries again at once, as a new client, where so many
   are to be on their way at any time; else when a client does by itself. */
static void on_disconnected(reverst_client *client,
    const reverst_disconnect *disconnect, void *user_data) {
  struct tunnel *tunnel = user_data;

  if (tunnel->program->closing)
    return;
  if (tunnel->open) {
    fprintf(stderr, "lost a tunnel: %s\n", reverst_strerror(disconnect->error));
    return;
  }
  ++tunnel->program->refused;
  if (tunnel->program->pace)
    return;
  reverst_client_close(client, NULL, NULL);
  dial(tunnel);
}

static void on_signal(evutil_socket_t number, short what, void *user_data) {
  struct program *program = user_data;

  (void)number;
  (void)what;
  program->closing = true;
  event_del(program->interrupt);
  event_del(program->terminate);
  if (program->pace)
    event_del(program->pace);
  for (size_t i = 0; i < program->started; ++i)
    reverst_client_close(program->tunnels[i].client, NULL, NULL);
}

static bool read_arguments(struct program *program, char **argv) {
  program->options.address = argv[1];
  program->options.group = argv[2];
  program->options.credentials = reverst_basic(argv[3], argv[4]);
  program->count = strtoul(argv[5], NULL, 10);
  return program->count > 0 && program->count <= MAX_TUNNELS;
}

static void start(struct program *program, unsigned long at_once) {
  const struct timeval interval = { 0, 2000 };

  clock_gettime(CLOCK_MONOTONIC, &program->start);
  for (size_t i = 0; i < program->count; ++i)
    program->tunnels[i].program = program;
  if (program->rate > 0) {
    program->pace = event_new(program->base, -1, EV_PERSIST, on_pace, program);
    event_add(program->pace, &interval);
  }
  for (unsigned long i = 0; program->rate <= 0 && i < at_once; ++i)
    start_next(program);
}

static void run(struct program *program, const char *pace) {
  char *end;
  unsigned long number = strtoul(pace, &end, 10);

  if (strcmp(end, "/s") == 0)
    program->rate = (double)number;
  program->interrupt = evsignal_new(program->base, SIGINT, on_signal, program);
  program->terminate = evsignal_new(program->base, SIGTERM, on_signal, program);
  event_add(program->interrupt, NULL);
  event_add(program->terminate, NULL);
  start(program, number);
  event_base_dispatch(program->base);
  event_free(program->interrupt);
  event_free(program->terminate);
  if (program->pace)
    event_free(program->pace);
}

int main(int argc, char **argv) {
  struct program program = {
    .options = {
      .server_name = "localhost",
      .insecure = true,
      .registration_timeout = UINT64_C(600000000000), /* see pending.sh */
      .on_request = on_request,
      .on_connected = on_connected,
      .on_disconnected = on_disconnected,
    },
  };

  if (argc != 7 || !read_arguments(&program, argv)) {
    fprintf(stderr,
        "usage: %s ADDRESS GROUP USER PASSWORD COUNT AT-ONCE|PER-SECOND/s\n",
        argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  program.base = event_base_new();
  program.tunnels = calloc(program.count, sizeof(*program.tunnels));
  if (!program.base || !program.tunnels)
    fail("cannot start", REVERST_ERR_NO_MEMORY);
  run(&program, argv[6]);
  event_base_free(program.base);
  free(program.tunnels);
  return EXIT_SUCCESS;
}
