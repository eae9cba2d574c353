/* SPDX-License-Identifier: MIT */
/* The life of a visit, and what may be read and changed of it. */
#include "server/visit.h"

#include "http/filter.h"
#include "server/router.h"
#include <reverst/error.h>
#include <stdlib.h>

/* Of what is added to responses. */
enum { MAX_ANSWER_FIELDS = 20, MAX_ANSWER_BYTES = 8 * 1024 };

/* ---- life ---- */

reverst_visit *rv_visit_new(
    struct rv_router *router, struct rv_exchange *exchange) {
  reverst_visit *visit = calloc(1, sizeof(*visit));

  if (visit == NULL)
    return NULL;
  visit->router = router;
  visit->exchange = exchange;
  visit->response_deadline = RV_NEVER;
  router->engine->live.visits++;
  router->unsent++;
  return visit;
}

void rv_visit_note_sent(reverst_visit *visit) {
  struct rv_router *router = visit->router;

  if (visit->exchange->record.tries == 0 && --router->unsent == 0 &&
      router->on_all_sent != NULL)
    router->on_all_sent(router);
}

void rv_visit_set_group(reverst_visit *visit, struct rv_group *group) {
  rv_group_hold(group);
  if (visit->group != NULL)
    rv_group_release(visit->group);
  visit->group = group;
}

bool rv_visit_find_group(reverst_visit *visit) {
  struct rv_group *group = visit->group;

  if (!group->removed)
    return true;
  group = rv_groups_find(visit->router->groups, rv_span_of(group->name));
  if (group == NULL)
    return false;
  rv_visit_set_group(visit, group);
  return true;
}

void rv_visit_leave_queue(reverst_visit *visit) {
  if (!rv_list_linked(&visit->node))
    return;
  rv_list_remove(&visit->node);
  visit->group->waiting_count--;
}

void rv_visit_free(reverst_visit *visit) {
  struct rv_router *router = visit->router;
  struct rv_exchange *exchange = visit->exchange;

  rv_visit_note_sent(visit);
  rv_visit_leave_queue(visit);
  rv_list_remove(&visit->tunnel_node);
  rv_timer_stop(&router->engine->timers, &visit->timer);
  rv_turn_remove(&visit->job);
  rv_turn_remove(&visit->hook_job);
  rv_exchange_detach_router(exchange);
  router->failures += exchange->concluded;
  if (visit->group != NULL)
    rv_group_release(visit->group);
  free(visit);
  if (--router->engine->live.visits == 0 && router->on_idle != NULL)
    router->on_idle(router);
}

bool rv_visit_is_over(const reverst_visit *visit) {
  const struct rv_exchange *exchange = visit->exchange;

  return exchange->cancelled || exchange->has_response || exchange->concluded;
}

/* ---- reading ---- */

static reverst_text text_of(struct rv_span span) {
  return (reverst_text){ span.data, span.length };
}

reverst_text reverst_visit_method(const reverst_visit *visit) {
  return text_of(visit->exchange->request.method);
}

reverst_text reverst_visit_scheme(const reverst_visit *visit) {
  return text_of(visit->exchange->request.scheme);
}

reverst_text reverst_visit_host(const reverst_visit *visit) {
  return text_of(visit->host);
}

reverst_text reverst_visit_path(const reverst_visit *visit) {
  return text_of(visit->exchange->request.path);
}

const char *reverst_visit_peer(const reverst_visit *visit) {
  struct rv_exchange *exchange = visit->exchange;
  char text[RV_ADDRESS_TEXT_SIZE];

  if (visit->peer == NULL && exchange->peer.length > 0)
    ((reverst_visit *)(uintptr_t)visit)->peer =
        rv_arena_copy(&exchange->request.arena,
            rv_span_of(rv_address_print(&exchange->peer, text)))
            .data;
  return visit->peer ? visit->peer : "";
}

const char *reverst_visit_id(const reverst_visit *visit) {
  return visit->exchange->record.request_id;
}

const char *reverst_visit_group(const reverst_visit *visit) {
  return visit->group ? visit->group->name : NULL;
}

void *reverst_visit_user_data(const reverst_visit *visit) {
  return visit->user_data;
}

void reverst_visit_set_user_data(reverst_visit *visit, void *user_data) {
  visit->user_data = user_data;
}

static bool field_at(const struct rv_fields *fields, size_t index,
    reverst_text *name, reverst_text *value) {
  if (index >= fields->count)
    return false;
  *name = text_of(fields->items[index].name);
  *value = text_of(fields->items[index].value);
  return true;
}

static reverst_text find(const struct rv_fields *fields, const char *name) {
  const struct rv_span *value = rv_fields_find(fields, rv_span_of(name));

  return text_of(value ? *value : (struct rv_span){ 0 });
}

bool reverst_visit_header_at(const reverst_visit *visit, size_t index,
    reverst_text *name, reverst_text *value) {
  return field_at(&visit->exchange->request.fields, index, name, value);
}

reverst_text reverst_visit_header(
    const reverst_visit *visit, const char *name) {
  return find(&visit->exchange->request.fields, name);
}

int reverst_visit_status(const reverst_visit *visit) {
  return visit->exchange->response.status;
}

bool reverst_visit_response_header_at(const reverst_visit *visit, size_t index,
    reverst_text *name, reverst_text *value) {
  return field_at(&visit->exchange->response.fields, index, name, value);
}

reverst_text reverst_visit_response_header(
    const reverst_visit *visit, const char *name) {
  return find(&visit->exchange->response.fields, name);
}

/* ---- changing ---- */

/* Makes `*field` in the arena; a NULL value is left out. */
static int make_field(struct rv_arena *arena, const char *name,
    const char *value, bool in_request, struct rv_field *field) {
  struct rv_fields one;
  int r;

  rv_fields_init(&one, arena);
  r = rv_fields_add_copy(
      &one, rv_span_of(name), rv_span_of(value ? value : ""));
  if (r < 0)
    return r;
  *field = one.items[0];
  if (!rv_is_field_name(field->name) || !rv_is_field_value(field->value) ||
      rv_is_proxy_field(field->name, in_request))
    return REVERST_ERR_INVALID;
  return field->name.length > rv_limits_default.name_bytes ||
                 field->value.length > rv_limits_default.value_bytes
             ? REVERST_ERR_LIMIT
             : 0;
}

static bool has_room(const struct rv_fields *fields,
    const struct rv_field *field, size_t max_count, size_t max_bytes) {
  size_t bytes = field->name.length + field->value.length;

  for (size_t i = 0; i < fields->count; i++)
    bytes += fields->items[i].name.length + fields->items[i].value.length;
  return fields->count < max_count && bytes <= max_bytes;
}

static int set_field(struct rv_fields *fields, const char *name,
    const char *value, bool in_request) {
  struct rv_field field;
  int r = make_field(fields->arena, name, value, in_request, &field);

  if (r < 0)
    return r;
  if (value == NULL) {
    rv_fields_remove(fields, field.name);
    return 0;
  }
  if (!has_room(fields, &field, rv_limits_forwarded.field_count,
          rv_limits_forwarded.head_bytes))
    return REVERST_ERR_LIMIT;
  rv_fields_remove(fields, field.name);
  return rv_fields_add(fields, field.name, field.value);
}

static bool may_change_request(const reverst_visit *visit) {
  return visit->decision == RV_VISIT_AWAITS && !rv_visit_is_over(visit) &&
         (visit->stage == RV_VISIT_ROUTING || visit->stage == RV_VISIT_REQUEST);
}

static bool may_change_response(const reverst_visit *visit) {
  return visit->decision == RV_VISIT_AWAITS && !rv_visit_is_over(visit) &&
         visit->stage == RV_VISIT_RESPONSE;
}

int reverst_visit_set_header(
    reverst_visit *visit, const char *name, const char *value) {
  if (!may_change_request(visit))
    return REVERST_ERR_CLOSED;
  return set_field(&visit->exchange->request.fields, name, value, true);
}

int reverst_visit_set_path(reverst_visit *visit, const char *path) {
  struct rv_head *head = &visit->exchange->request;
  struct rv_span copy;

  if (!may_change_request(visit))
    return REVERST_ERR_CLOSED;
  if (path[0] != '/' || !rv_is_path(rv_span_of(path)))
    return REVERST_ERR_INVALID;
  if (strlen(path) > rv_limits_default.target_bytes)
    return REVERST_ERR_LIMIT;
  copy = rv_arena_copy(&head->arena, rv_span_of(path));
  if (copy.data == NULL)
    return REVERST_ERR_NO_MEMORY;
  head->path = copy;
  return 0;
}

int reverst_visit_set_status(reverst_visit *visit, int status) {
  struct rv_head *head = &visit->exchange->response;
  struct rv_span any = { 0 };

  if (!may_change_response(visit))
    return REVERST_ERR_CLOSED;
  if (status < 200 || status > 599 ||
      rv_is_bodyless(any, status) != rv_is_bodyless(any, head->status))
    return REVERST_ERR_INVALID;
  head->status = status;
  return 0;
}

int reverst_visit_set_response_header(
    reverst_visit *visit, const char *name, const char *value) {
  if (!may_change_response(visit))
    return REVERST_ERR_CLOSED;
  return set_field(&visit->exchange->response.fields, name, value, false);
}

int reverst_visit_add_response_header(
    reverst_visit *visit, const char *name, const char *value) {
  struct rv_fields *fields = &visit->exchange->answer_fields;
  struct rv_field field;
  int r;

  if (rv_visit_is_over(visit))
    return REVERST_ERR_CLOSED;
  r = make_field(fields->arena, name, value, false, &field);
  if (r < 0)
    return r;
  if (!has_room(fields, &field, MAX_ANSWER_FIELDS, MAX_ANSWER_BYTES))
    return REVERST_ERR_LIMIT;
  return rv_fields_add(fields, field.name, field.value);
}
