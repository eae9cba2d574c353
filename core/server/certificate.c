/* SPDX-License-Identifier: MIT */
/* A server's certificate, exchanged while it runs; and the public door to
   making development certificates. */
#include "server/server.h"

#include "base/log.h"
#include "tls/context.h"
#include <reverst/error.h>
#include <stdlib.h>

static int use(reverst_server *server, const char *certificate_path,
    const char *private_key_path) {
  struct rv_tls_server_options options = {
    .certificate_path = certificate_path,
    .private_key_path = private_key_path,
  };
  struct rv_tls_context *context;
  int r;

  if (server->endpoint == NULL || server->state != RV_SERVER_RUNNING)
    return REVERST_ERR_CLOSED;
  r = rv_tls_server_context_new(&context, server->engine, &options);
  if (r < 0) {
    rv_log(server->engine, REVERST_LOG_ERROR, "certificates_kept",
        rv_log_text("error", reverst_strerror(r)));
    return r;
  }
  rv_quic_endpoint_set_server_tls(server->endpoint, context);
  rv_tls_context_unref(context);
  rv_log(server->engine, REVERST_LOG_INFO, "certificates_reloaded",
      rv_log_text("path", certificate_path));
  return 0;
}

int reverst_server_reload_certificates(reverst_server *server) {
  return use(server, server->certificate_path, server->private_key_path);
}

int reverst_server_set_certificate(reverst_server *server,
    const char *certificate_path, const char *private_key_path) {
  char *certificate = strdup(certificate_path);
  char *private_key = strdup(private_key_path);
  int r = REVERST_ERR_NO_MEMORY;

  if (certificate != NULL && private_key != NULL)
    r = use(server, certificate, private_key);
  if (r < 0) {
    free(certificate);
    free(private_key);
    return r;
  }
  free(server->certificate_path);
  free(server->private_key_path);
  server->certificate_path = certificate;
  server->private_key_path = private_key;
  return 0;
}

int reverst_make_certificate(const char *name, const char *certificate_path,
    const char *private_key_path) {
  return rv_tls_make_certificate(name, certificate_path, private_key_path);
}
