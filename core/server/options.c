/* SPDX-License-Identifier: MIT */
/* Options of a server: checked, and made into what its parts want. */
#include "server/options.h"

#include "base/explanation.h"
#include "base/log.h"
#include "http/filter.h"
#include "tls/context.h"
#include "tls/secret.h"
#include <reverst/error.h>

static int fault(struct rv_engine *engine, int error, const char *option,
    const char *value) {
  rv_log(engine, REVERST_LOG_ERROR, "option_refused",
      rv_log_text("option", option), rv_log_text("value", value),
      rv_log_text("error", reverst_strerror(error)));
  return error;
}

int rv_server_options_check(
    struct rv_engine *engine, const reverst_server_options *options) {
  if (options->tunnel.certificate_path == NULL)
    return fault(
        engine, REVERST_ERR_INVALID, "tunnel.certificate_path", "(missing)");
  if (options->tunnel.private_key_path == NULL)
    return fault(
        engine, REVERST_ERR_INVALID, "tunnel.private_key_path", "(missing)");
  if (options->http.default_host != NULL &&
      !rv_is_authority(rv_span_of(options->http.default_host)))
    return fault(engine, REVERST_ERR_INVALID, "http.default_host",
        options->http.default_host);
  return 0;
}

static int parse(struct rv_engine *engine, const char *option,
    const char *value, struct rv_address *address) {
  int r = rv_address_parse(address, rv_span_of(value));

  return r < 0 ? fault(engine, r, option, value) : 0;
}

int rv_server_options_tunnel_address(struct rv_engine *engine,
    const reverst_server_options *options, struct rv_address *address) {
  const char *given = options->tunnel.address;

  return parse(
      engine, "tunnel.address", given ? given : "127.0.0.1:7171", address);
}

int rv_server_options_http_addresses(struct rv_engine *engine,
    const char *address, const char *const *list,
    struct rv_http_addresses *addresses) {
  const char *const single[] = { address ? address : "127.0.0.1:8181", NULL };
  int r = 0;

  addresses->count = 0;
  for (const char *const *given = list && list[0] ? list : single;
       *given != NULL && r == 0; given++) {
    if (addresses->count == RV_SERVER_MAX_ADDRESSES)
      return fault(engine, REVERST_ERR_LIMIT, "http.address", *given);
    r = parse(
        engine, "http.address", *given, &addresses->items[addresses->count++]);
  }
  return r;
}

/* Not an error: clients may be told another name, or not to check. */
static void check_names(
    struct rv_engine *engine, const reverst_server_options *options) {
  char names[512];

  if (options->tunnel.server_name != NULL &&
      !rv_tls_certificate_names(options->tunnel.certificate_path,
          options->tunnel.server_name, names, sizeof(names)))
    rv_log(engine, REVERST_LOG_WARN, "server_name_missing",
        rv_log_text("path", options->tunnel.certificate_path),
        rv_log_text("server_name", options->tunnel.server_name),
        rv_log_text("names", names[0] ? names : "(none)"),
        rv_log_text("error", "the certificate is for other names: clients that "
                             "check it will not connect"));
}

int rv_server_options_tls(struct rv_engine *engine,
    const reverst_server_options *options, struct rv_tls_context **context) {
  int r = rv_tls_server_context_new(context, engine,
      &(struct rv_tls_server_options){
          .certificate_path = options->tunnel.certificate_path,
          .private_key_path = options->tunnel.private_key_path,
      });

  if (r == 0)
    check_names(engine, options);
  return r;
}

static int read_root(struct rv_engine *engine,
    const reverst_server_options *options, struct rv_secret_root *root) {
  return options->secret_path
             ? rv_secret_root_read(root, engine, options->secret_path)
             : rv_secret_root_read_private_key(
                   root, engine, options->tunnel.private_key_path);
}

int rv_server_options_secrets(struct rv_engine *engine,
    const reverst_server_options *options, struct rv_quic_secrets *secrets,
    struct rv_secret_root *application) {
  struct rv_secret_root root;
  int r = read_root(engine, options, &root);

  if (r == 0)
    r = rv_secret_derive(&root, "stateless reset", secrets->reset);
  if (r == 0)
    r = rv_secret_derive(&root, "retry token", secrets->retry);
  if (r == 0)
    r = rv_secret_derive(&root, "application", application->bytes);
  explicit_bzero(&root, sizeof(root));
  return r;
}

/* ---- all of it, for nothing but the answer ---- */

static int check_all(
    struct rv_engine *engine, const reverst_server_options *options) {
  struct rv_address address;
  struct rv_http_addresses addresses;
  struct rv_quic_secrets secrets;
  struct rv_secret_root application;
  struct rv_tls_context *tls = NULL;
  int r = rv_server_options_check(engine, options);

  if (r == 0)
    r = rv_server_options_tunnel_address(engine, options, &address);
  if (r == 0)
    r = rv_server_options_http_addresses(
        engine, options->http.address, options->http.addresses, &addresses);
  if (r == 0)
    r = rv_server_options_tls(engine, options, &tls);
  rv_tls_context_unref(tls);
  if (r == 0)
    r = rv_server_options_secrets(engine, options, &secrets, &application);
  explicit_bzero(&secrets, sizeof(secrets));
  explicit_bzero(&application, sizeof(application));
  return r;
}

int reverst_server_check(const reverst_server_options *options) {
  struct rv_explanation explanation;
  struct rv_engine engine;
  int r;

  rv_engine_init(&engine, &(struct rv_engine_options){
                              .log_level = options->log_level,
                              .log = options->log,
                              .log_user_data = options->log_user_data,
                          });
  rv_explanation_begin(
      &explanation, &engine, options->explanation, options->explanation_size);
  r = rv_explanation_end(&explanation, &engine, check_all(&engine, options));
  rv_engine_deinit(&engine);
  return r;
}
