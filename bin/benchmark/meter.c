/* SPDX-License-Identifier: MIT */
/* How long requests and registrations take, for bin/bench: one after another,
   a registration between so many requests. Says of each the median, the 99th
   percentile and the worst, in milliseconds. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/util.h>
#include <reverst/reverst.h>

enum { REQUESTS = 1000, REGISTRATIONS = 20 };

struct samples {
  double ms[REQUESTS];
  size_t count;
};

struct meter {
  struct event_base *base;
  reverst_client_options options;
  char request[256];
  int fd;
  struct samples requests, registrations;
};

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(EXIT_FAILURE);
}

static double now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void note(struct samples *samples, double start) {
  samples->ms[samples->count++] = now() - start;
}

/* ---- requests ---- */

static int connect_to(const char *text) {
  struct sockaddr_storage address;
  int length = sizeof(address), fd;

  if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&address, &length) <
      0)
    fail(text, "not an address");
  fd = socket(address.ss_family, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, (socklen_t)length) < 0)
    fail(text, strerror(errno));
  return fd;
}

static void measure_request(struct meter *meter) {
  char answer[4096];
  size_t length = strlen(meter->request), received = 0;
  double start = now();

  if (write(meter->fd, meter->request, length) != (ssize_t)length)
    fail("a request", strerror(errno));
  do {
    ssize_t n =
        read(meter->fd, answer + received, sizeof(answer) - 1 - received);
    if (n <= 0)
      fail("an answer", n < 0 ? strerror(errno) : "the connection was closed");
    received += (size_t)n;
    answer[received] = '\0';
  } while (!strstr(answer, "\r\n\r\nPONG"));
  note(&meter->requests, start);
  if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
    fail("an answer", answer);
}

/* ---- registrations ---- */

static void on_request(reverst_request *request, void *user_data) {
  (void)user_data;
  if (reverst_respond(
          request, &(reverst_response){ .body = "PONG", .body_length = 4 }) < 0)
    reverst_response_abort(request);
}

static void on_connected(reverst_client *client, void *user_data) {
  struct meter *meter = user_data;

  (void)client;
  event_base_loopbreak(meter->base);
}

static void on_disconnected(reverst_client *client,
    const reverst_disconnect *disconnect, void *user_data) {
  (void)client;
  (void)user_data;
  fail("a registration", disconnect->reason[0]
                             ? disconnect->reason
                             : reverst_strerror(disconnect->error));
}

static void measure_registration(struct meter *meter) {
  reverst_client *client;
  double start = now();
  int r = reverst_client_new(&client, meter->base, &meter->options);

  if (r < 0)
    fail("a client", reverst_strerror(r));
  event_base_dispatch(meter->base);
  note(&meter->registrations, start);
  reverst_client_close(client, NULL, NULL);
  event_base_dispatch(meter->base); /* until it has gone */
}

/* ---- all ---- */

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static void report(const char *name, struct samples *samples) {
  size_t n = samples->count;

  qsort(samples->ms, n, sizeof(samples->ms[0]), compare);
  printf("%s %.3f %.3f %.3f\n", name, samples->ms[(n - 1) / 2],
      samples->ms[(n * 99 + 99) / 100 - 1], samples->ms[n - 1]);
}

static void measure(struct meter *meter) {
  measure_request(meter); /* the first one connects */
  meter->requests.count = 0;
  for (int i = 0; i < REGISTRATIONS; ++i) {
    for (int j = 0; j < REQUESTS / REGISTRATIONS; ++j)
      measure_request(meter);
    measure_registration(meter);
  }
}

int main(int argc, char **argv) {
  static struct meter meter = {
    .options = {
      .server_name = "localhost",
      .insecure = true,
      .on_request = on_request,
      .on_connected = on_connected,
      .on_disconnected = on_disconnected,
    },
  };

  if (argc != 7) {
    fprintf(stderr, "usage: %s HTTP-ADDRESS HOST ADDRESS GROUP USER PASSWORD\n",
        argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  snprintf(meter.request, sizeof(meter.request),
      "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", argv[2]);
  meter.options.address = argv[3];
  meter.options.group = argv[4];
  meter.options.credentials = reverst_basic(argv[5], argv[6]);
  meter.options.user_data = &meter;
  meter.base = event_base_new();
  if (!meter.base)
    fail("the loop", "out of memory");
  meter.fd = connect_to(argv[1]);
  measure(&meter);
  report("requests", &meter.requests);
  report("registrations", &meter.registrations);
  close(meter.fd);
  event_base_free(meter.base);
  return EXIT_SUCCESS;
}
