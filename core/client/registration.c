/* SPDX-License-Identifier: MIT */
/* Credentials and metadata. */
#include "client/registration.h"

#include "base/base64.h"
#include "client/secret_file.h"
#include "tunnel/features.h"
#include <reverst/error.h>

#define INSTANCE_KEY RV_SPAN("Reverst-Instance")
enum { INSTANCE_BYTES = 16 };

/* ---- keeping ---- */

static const char *copy(struct rv_arena *arena, const char *text, int *r) {
  struct rv_span span;

  if (text == NULL)
    return NULL;
  span = rv_arena_copy(arena, rv_span_of(text));
  if (span.data == NULL)
    *r = REVERST_ERR_NO_MEMORY;
  return span.data;
}

static int copy_credentials(struct rv_arena *arena,
    const reverst_credentials *from, reverst_credentials *to) {
  int r = 0;

  to->username = copy(arena, from->username, &r);
  to->password = copy(arena, from->password, &r);
  to->password_path = copy(arena, from->password_path, &r);
  to->token = copy(arena, from->token, &r);
  to->token_path = copy(arena, from->token_path, &r);
  to->scheme = copy(arena, from->scheme, &r);
  to->payload = copy(arena, from->payload, &r);
  return r;
}

/* Unlike rv_fields_add_copy it leaves the case alone. */
static int add(
    struct rv_fields *fields, struct rv_span key, struct rv_span value) {
  key = rv_arena_copy(fields->arena, key);
  value = rv_arena_copy(fields->arena, value);
  if (key.data == NULL || value.data == NULL)
    return REVERST_ERR_NO_MEMORY;
  return rv_fields_add(fields, key, value);
}

/* 128 random bits in hex */
static int add_instance(struct rv_fields *fields, struct rv_engine *engine) {
  static const char digits[] = "0123456789abcdef";
  uint8_t bytes[INSTANCE_BYTES];
  char text[2 * INSTANCE_BYTES];

  if (rv_fields_find(fields, INSTANCE_KEY) != NULL)
    return 0;
  rv_random(engine, bytes, sizeof(bytes));
  for (size_t i = 0; i < sizeof(bytes); i++) {
    text[2 * i] = digits[bytes[i] >> 4];
    text[2 * i + 1] = digits[bytes[i] & 15];
  }
  return add(fields, INSTANCE_KEY, (struct rv_span){ text, sizeof(text) });
}

int rv_client_registration_init(struct rv_client_registration *registration,
    struct rv_engine *engine, const reverst_client_options *options,
    const char *server_name) {
  struct rv_arena *arena = &registration->arena;
  struct rv_fields *metadata = &registration->metadata;
  const char *group = options->group ? options->group : server_name;
  int r;

  *registration = (struct rv_client_registration){ 0 };
  rv_arena_init(arena);
  rv_fields_init(metadata, arena);
  r = copy_credentials(
      arena, &options->credentials, &registration->credentials);
  registration->group = rv_span_of(copy(arena, group, &r));
  if (r == 0)
    r = add(metadata, RV_FEATURES_KEY, RV_FEATURES_OURS);
  for (const reverst_field *field = options->metadata;
       r == 0 && field != NULL && field->name != NULL; field++)
    r = add(metadata, rv_span_of(field->name), rv_span_of(field->value));
  return r == 0 ? add_instance(metadata, engine) : r;
}

static void wipe(const char *secret) {
  if (secret != NULL)
    explicit_bzero((void *)(uintptr_t)secret, strlen(secret));
}

void rv_client_registration_deinit(
    struct rv_client_registration *registration) {
  wipe(registration->credentials.password);
  wipe(registration->credentials.token);
  wipe(registration->credentials.payload);
  rv_arena_deinit(&registration->arena);
}

/* ---- composing ---- */

/* A secret as it was given, or what its file holds now. */
static int append_secret(struct rv_buffer *out, const char *secret,
    const char *option, const char *path, struct rv_registration_fault *fault) {
  int r;

  if (path == NULL) {
    rv_buffer_append_span(out, rv_span_of(secret));
    return 0;
  }
  r = rv_secret_file_read(path, out, &fault->why);
  if (r < 0) {
    fault->option = option;
    fault->value = path;
  }
  return r;
}

static void wipe_buffer(struct rv_buffer *buffer) {
  if (buffer->data != NULL)
    explicit_bzero(buffer->data, buffer->capacity);
  rv_buffer_deinit(buffer);
}

static int append_basic(struct rv_buffer *out,
    const reverst_credentials *credentials,
    struct rv_registration_fault *fault) {
  struct rv_buffer pair;
  int r;

  rv_buffer_init(&pair, RV_MESSAGE_MAX_BYTES);
  rv_buffer_append_span(&pair, rv_span_of(credentials->username));
  rv_buffer_append_byte(&pair, ':');
  r = append_secret(&pair, credentials->password, "password_path",
      credentials->password_path, fault);
  rv_base64_encode(
      (struct rv_span){ (const char *)pair.data, pair.length }, out);
  out->failed |= pair.failed;
  wipe_buffer(&pair);
  return r;
}

/* "<scheme> <payload>"; nothing when there are no credentials. */
static int append_authorization(struct rv_buffer *out,
    const reverst_credentials *credentials,
    struct rv_registration_fault *fault) {
  bool basic = credentials->username != NULL;
  bool token = credentials->token != NULL || credentials->token_path != NULL;
  const char *scheme = credentials->scheme;

  if (!basic && !token && (scheme == NULL || credentials->payload == NULL))
    return 0;
  if (scheme == NULL)
    scheme = basic ? "Basic" : "Bearer";
  rv_buffer_append_span(out, rv_span_of(scheme));
  rv_buffer_append_byte(out, ' ');
  if (basic)
    return append_basic(out, credentials, fault);
  if (token)
    return append_secret(
        out, credentials->token, "token_path", credentials->token_path, fault);
  rv_buffer_append_span(out, rv_span_of(credentials->payload));
  return 0;
}

static int add_authorization(struct rv_message *message,
    const reverst_credentials *credentials,
    struct rv_registration_fault *fault) {
  struct rv_buffer value;
  int r;

  rv_buffer_init(&value, RV_MESSAGE_MAX_BYTES);
  r = append_authorization(&value, credentials, fault);
  if (r == 0 && value.failed)
    r = REVERST_ERR_INVALID;
  else if (r == 0 && value.length > 0)
    r = add(&message->metadata, RV_SPAN("Authorization"),
        (struct rv_span){ (const char *)value.data, value.length });
  wipe_buffer(&value);
  return r;
}

static int fill(const struct rv_client_registration *registration,
    struct rv_message *message, struct rv_registration_fault *fault) {
  const struct rv_fields *metadata = &registration->metadata;
  int r;

  message->group = rv_arena_copy(&message->arena, registration->group);
  if (message->group.data == NULL)
    return REVERST_ERR_NO_MEMORY;
  message->has_metadata = true;
  r = add_authorization(message, &registration->credentials, fault);
  for (size_t i = 0; r == 0 && i < metadata->count; i++)
    r = add(
        &message->metadata, metadata->items[i].name, metadata->items[i].value);
  return r;
}

int rv_client_registration_compose(
    const struct rv_client_registration *registration,
    struct rv_message *message, struct rv_registration_fault *fault) {
  const char *what = "the credentials are too long";
  int r;

  *fault = (struct rv_registration_fault){ "", "", "" };
  r = fill(registration, message, fault);
  if (r == 0)
    r = rv_message_check_request(message, &what);
  if (r == REVERST_ERR_INVALID)
    *fault = (struct rv_registration_fault){ "group or metadata", what, what };
  return r;
}
