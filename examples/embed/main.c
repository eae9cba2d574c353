/* SPDX-License-Identifier: MIT */
/* A server, a client and a visitor of theirs in one program, on one event base:
   all of libreverst's way from a request to its answer, then a clean end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <reverst/reverst.h>

#include "visit.h"

#define HOST "app.example.com"

struct program {
  struct event_base *base;
  reverst_server *server;
  reverst_client *client;
  struct visit visit;
  char folder[64], certificate[96], private_key[96];
  bool answered;
};

/* Once both are closed nothing is left that keeps the loop going. */
static void stop(struct program *program) {
  visit_end(&program->visit);
  if (program->client)
    reverst_client_close(program->client, NULL, NULL);
  if (program->server)
    reverst_server_close(program->server, NULL, NULL);
  program->client = NULL;
  program->server = NULL;
}

/* ---- the application behind the tunnel ---- */

static void on_request(reverst_request *request, void *user_data) {
  static const reverst_field headers[] = {
    { "content-type", "text/plain" },
    { NULL, NULL },
  };
  char body[256];
  int n;

  (void)user_data;
  n = snprintf(body, sizeof(body), "%.64s was asked for %.64s\n",
      reverst_request_host(request), reverst_request_path(request));
  if (reverst_respond(request,
          &(reverst_response){
              .headers = headers, .body = body, .body_length = (size_t)n }) < 0)
    reverst_response_abort(request);
}

/* ---- events ---- */

static void on_visited(bool complete, void *user_data) {
  struct program *program = user_data;

  program->answered = complete;
  if (complete)
    fwrite(program->visit.answer, 1, program->visit.length, stdout);
  else
    fprintf(stderr, "the server broke off\n");
  stop(program);
}

static void on_connected(reverst_client *client, void *user_data) {
  struct program *program = user_data;
  const char *address = reverst_server_http_address(program->server);

  (void)client;
  program->visit.on_done = on_visited;
  program->visit.user_data = program;
  if (visit_start(&program->visit, program->base, address, HOST))
    return;
  fprintf(stderr, "cannot visit %s: %s\n", address, strerror(errno));
  stop(program);
}

static void on_disconnected(reverst_client *client,
    const reverst_disconnect *disconnect, void *user_data) {
  (void)client;
  fprintf(stderr, "no tunnel: %s\n", reverst_disconnect_text(disconnect));
  stop(user_data);
}

/* ---- start ---- */

/* A certificate for this run only. negative: an error of the library */
static int make_certificate(struct program *program) {
  const char *parent = getenv("TMPDIR");

  if (!parent || strlen(parent) > 32)
    parent = "/tmp";
  snprintf(program->folder, sizeof(program->folder), "%s/reverst-embed-XXXXXX",
      parent);
  if (!mkdtemp(program->folder)) {
    program->folder[0] = '\0';
    return REVERST_ERR_SYSTEM;
  }
  snprintf(program->certificate, sizeof(program->certificate), "%s/server.crt",
      program->folder);
  snprintf(program->private_key, sizeof(program->private_key), "%s/server.key",
      program->folder);
  return reverst_make_certificate(
      "localhost", program->certificate, program->private_key);
}

static int start_server(struct program *program) {
  int r = reverst_server_new(&program->server, program->base,
      &(reverst_server_options){
          .tunnel = { .address = "127.0.0.1:0",
              .server_name = "localhost",
              .certificate_path = program->certificate,
              .private_key_path = program->private_key },
          .http = { .address = "127.0.0.1:0" },
      });

  if (r < 0)
    return r;
  return reverst_server_add_group(program->server,
      &(reverst_group_options){
          .name = "app",
          .hosts = (const char *const[]){ HOST, NULL },
          /* anybody may join; give .authenticate on a public address */
          .insecure = true,
      });
}

static int start_client(struct program *program) {
  return reverst_client_new(&program->client, program->base,
      &(reverst_client_options){
          .address = reverst_server_tunnel_address(program->server),
          .server_name = "localhost",
          .group = "app",
          .ca_path = program->certificate,
          .on_request = on_request,
          .on_connected = on_connected,
          .on_disconnected = on_disconnected,
          .user_data = program,
      });
}

static int start(struct program *program) {
  int r;

  program->base = event_base_new();
  if (!program->base)
    return REVERST_ERR_NO_MEMORY;
  r = make_certificate(program);
  if (r < 0)
    return r;
  r = start_server(program);
  if (r < 0)
    return r;
  return start_client(program);
}

static void clean_up(struct program *program) {
  if (program->base)
    event_base_free(program->base);
  if (!program->folder[0])
    return;
  unlink(program->certificate);
  unlink(program->private_key);
  rmdir(program->folder);
}

int main(void) {
  struct program program = { .visit = { .socket = -1 } };
  int r;

  signal(SIGPIPE, SIG_IGN);
  r = start(&program);
  if (r < 0) {
    fprintf(stderr, "cannot start: %s\n", reverst_strerror(r));
    stop(&program);
  }
  if (program.base)
    event_base_dispatch(program.base);
  clean_up(&program);
  return program.answered ? EXIT_SUCCESS : EXIT_FAILURE;
}
