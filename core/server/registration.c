/* SPDX-License-Identifier: MIT */
/* A registration is a token: whoever was given it decides once, in his own
   time. */
#include "server/registration.h"

#include "server/group.h"
#include <stdlib.h>

struct reverst_registration {
  struct rv_registration_owner *owner; /* NULL: abandoned */
  void *context;
  void (*on_abandoned)(reverst_registration *registration, void *user_data);
  void *user_data;
  bool repeated;
  struct rv_arena arena;
  const char *group_name, *server_name;
  char peer[RV_ADDRESS_TEXT_SIZE];
  char *scheme;                /* NULL: no Authorization */
  size_t authorization_length; /* of it and the credentials behind it */
  const char *credentials;
  struct rv_fields metadata; /* values are NUL terminated */
};

static const char *copy(struct rv_arena *arena, struct rv_span span) {
  return rv_arena_copy(arena, span).data;
}

static int copy_metadata(
    reverst_registration *registration, const struct rv_fields *metadata) {
  for (size_t i = 0; i < metadata->count; i++) {
    struct rv_span name =
        rv_arena_copy(&registration->arena, metadata->items[i].name);
    struct rv_span value =
        rv_arena_copy(&registration->arena, metadata->items[i].value);

    if (name.data == NULL || value.data == NULL ||
        rv_fields_add(&registration->metadata, name, value) < 0)
      return REVERST_ERR_NO_MEMORY;
  }
  return 0;
}

static char *lower(char *text) {
  for (char *c = text; *c != '\0'; c++)
    if (*c >= 'A' && *c <= 'Z')
      *c = (char)(*c + ('a' - 'A'));
  return text;
}

/* "<scheme> <credentials>" (RFC 9110 section 11.4) */
static int split_authorization(reverst_registration *registration) {
  const struct rv_span *value =
      rv_fields_find(&registration->metadata, RV_SPAN("Authorization"));
  struct rv_span text;
  char *space;

  if (value == NULL)
    return 0;
  text = rv_arena_copy(&registration->arena, *value);
  if (text.data == NULL)
    return REVERST_ERR_NO_MEMORY;
  registration->scheme = (char *)(uintptr_t)text.data;
  registration->authorization_length = text.length;
  space = strchr(registration->scheme, ' ');
  registration->credentials = "";
  if (space != NULL) {
    *space = '\0';
    registration->credentials = space + 1 + strspn(space + 1, " ");
  }
  lower(registration->scheme);
  return 0;
}

static int fill(reverst_registration *registration,
    const struct rv_server_tunnel *carrier, struct rv_span group,
    const struct rv_fields *metadata) {
  int r = copy_metadata(registration, metadata);

  if (r == 0)
    r = split_authorization(registration);
  registration->group_name = copy(&registration->arena, group);
  registration->server_name =
      copy(&registration->arena, rv_server_tunnel_server_name(carrier));
  rv_address_print(rv_server_tunnel_peer(carrier), registration->peer);
  if (registration->group_name == NULL || registration->server_name == NULL)
    return REVERST_ERR_NO_MEMORY;
  return r;
}

static void free_registration(reverst_registration *registration) {
  for (size_t i = 0; i < registration->metadata.count; i++) {
    struct rv_span value = registration->metadata.items[i].value;
    explicit_bzero((void *)(uintptr_t)value.data, value.length);
  }
  if (registration->scheme != NULL) /* a secret may stand in its place */
    explicit_bzero(registration->scheme, registration->authorization_length);
  rv_arena_deinit(&registration->arena);
  free(registration);
}

static reverst_registration *new_registration(
    struct rv_registration_owner *owner, void *context) {
  reverst_registration *registration = calloc(1, sizeof(*registration));

  if (registration == NULL)
    return NULL;
  rv_arena_init(&registration->arena);
  rv_fields_init(&registration->metadata, &registration->arena);
  registration->owner = owner;
  registration->context = context;
  return registration;
}

reverst_registration *rv_registration_new(struct rv_registration_owner *owner,
    const struct rv_server_tunnel *tunnel, void *context) {
  const struct rv_message *message = rv_server_tunnel_registration(tunnel);
  reverst_registration *registration = new_registration(owner, context);

  if (registration != NULL &&
      fill(registration, tunnel, message->group, &message->metadata) < 0) {
    free_registration(registration);
    return NULL;
  }
  return registration;
}

static int fill_repeated(
    reverst_registration *registration, const reverst_tunnel *tunnel) {
  struct rv_arena arena;
  struct rv_fields metadata;
  int r;

  registration->repeated = true;
  rv_arena_init(&arena);
  rv_fields_init(&metadata, &arena);
  r = rv_tunnel_copy_metadata(tunnel, &metadata);
  if (r == 0)
    r = fill(registration, tunnel->carrier, rv_span_of(tunnel->group->name),
        &metadata);
  rv_arena_deinit(&arena);
  return r;
}

reverst_registration *rv_registration_new_repeated(
    struct rv_registration_owner *owner, reverst_tunnel *tunnel) {
  reverst_registration *registration = new_registration(owner, tunnel);

  if (registration != NULL && fill_repeated(registration, tunnel) < 0) {
    free_registration(registration);
    return NULL;
  }
  return registration;
}

void rv_registration_abandon(reverst_registration *registration) {
  registration->owner = NULL;
  registration->context = NULL;
  if (registration->on_abandoned != NULL)
    registration->on_abandoned(registration, registration->user_data);
}

void *rv_registration_context(const reverst_registration *registration) {
  return registration->context;
}

/* ---- public ---- */

const char *reverst_registration_group(
    const reverst_registration *registration) {
  return registration->group_name;
}

const char *reverst_registration_peer(
    const reverst_registration *registration) {
  return registration->peer;
}

const char *reverst_registration_server_name(
    const reverst_registration *registration) {
  return registration->server_name;
}

const char *reverst_registration_metadata(
    const reverst_registration *registration, const char *key) {
  const struct rv_span *value =
      rv_fields_find(&registration->metadata, rv_span_of(key));
  return value ? value->data : NULL;
}

bool reverst_registration_metadata_at(const reverst_registration *registration,
    size_t index, const char **key, const char **value) {
  if (index >= registration->metadata.count)
    return false;
  *key = registration->metadata.items[index].name.data;
  *value = registration->metadata.items[index].value.data;
  return true;
}

const char *reverst_registration_scheme(
    const reverst_registration *registration) {
  return registration->scheme;
}

const char *reverst_registration_credentials(
    const reverst_registration *registration) {
  return registration->credentials;
}

bool reverst_registration_is_repeated(
    const reverst_registration *registration) {
  return registration->repeated;
}

void reverst_registration_on_abandoned(reverst_registration *registration,
    void (*on_abandoned)(reverst_registration *registration, void *user_data),
    void *user_data) {
  registration->on_abandoned = on_abandoned;
  registration->user_data = user_data;
}

static void decide(reverst_registration *registration,
    enum rv_decision decision, const char *reason,
    const reverst_tunnel_options *options) {
  if (registration->owner != NULL)
    registration->owner->on_decided(
        registration->owner, registration, decision, reason, options);
  free_registration(registration);
}

void reverst_registration_accept(reverst_registration *registration) {
  decide(registration, RV_DECISION_ACCEPTED, NULL, NULL);
}

void reverst_registration_accept_as(
    reverst_registration *registration, const reverst_tunnel_options *options) {
  decide(registration, RV_DECISION_ACCEPTED, NULL, options);
}

void reverst_registration_reject(
    reverst_registration *registration, const char *reason) {
  decide(registration, RV_DECISION_REJECTED, reason, NULL);
}

void reverst_registration_fail(
    reverst_registration *registration, const char *reason) {
  decide(registration, RV_DECISION_FAILED, reason, NULL);
}
