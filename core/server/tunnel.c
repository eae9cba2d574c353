/* SPDX-License-Identifier: MIT */
/* What is known of a tunnel. */
#include "server/tunnel.h"

#include "base/log.h"
#include "server/group.h"
#include <reverst/error.h>
#include <stdlib.h>

enum { MAX_NAME = 63, MAX_WEIGHT = 65535 };

#define LABEL_PREFIX RV_SPAN("Reverst-Label-")
#define AUTHORIZATION RV_SPAN("Authorization")

/* ---- what is said ---- */

/* All of it before it is brought into one piece; spans into what was given. */
struct draft {
  const struct rv_fields *metadata;
  const reverst_field *labels; /* of the options; may be NULL */
  struct rv_span name;
  unsigned weight;
  struct rv_tunnel_facts *facts;
  size_t item_count, bytes; /* filled so far, or counted */
  char *text;               /* NULL: it is being counted */
};

static struct rv_span text_of(
    const struct rv_fields *metadata, struct rv_span key) {
  const struct rv_span *value = rv_fields_find(metadata, key);

  return value ? *value : RV_SPAN("");
}

/* At most MAX_NAME bytes, of whole characters. */
static struct rv_span cut_name(struct rv_span name) {
  if (name.length <= MAX_NAME)
    return name;
  name.length = MAX_NAME;
  while (name.length > 0 && ((uint8_t)name.data[name.length] & 0xc0) == 0x80)
    name.length--;
  return name;
}

static bool is_replaced(const struct draft *draft, struct rv_span label) {
  for (const reverst_field *own = draft->labels; own && own->name; own++)
    if (rv_span_equal(rv_span_of(own->name), label))
      return true;
  return false;
}

static bool starts_with(struct rv_span text, struct rv_span prefix) {
  return text.length > prefix.length &&
         memcmp(text.data, prefix.data, prefix.length) == 0;
}

static const char *put_text(struct draft *draft, struct rv_span text) {
  char *place = draft->text;

  draft->bytes += text.length + 1;
  if (place == NULL)
    return NULL;
  memcpy(place, text.data, text.length);
  place[text.length] = '\0';
  draft->text += text.length + 1;
  return place;
}

static void put_item(
    struct draft *draft, struct rv_span name, struct rv_span value) {
  const char *name_text = put_text(draft, name);
  const char *value_text = put_text(draft, value);

  if (draft->facts != NULL)
    draft->facts->items[draft->item_count] =
        (reverst_field){ name_text, value_text };
  draft->item_count++;
}

static size_t put_labels(struct draft *draft) {
  size_t before = draft->item_count;

  for (const reverst_field *own = draft->labels; own && own->name; own++)
    put_item(
        draft, rv_span_of(own->name), rv_span_of(own->value ? own->value : ""));
  for (size_t i = 0; i < draft->metadata->count; i++) {
    const struct rv_field *field = &draft->metadata->items[i];
    struct rv_span label;

    if (!starts_with(field->name, LABEL_PREFIX))
      continue;
    label = (struct rv_span){ field->name.data + LABEL_PREFIX.length,
      field->name.length - LABEL_PREFIX.length };
    if (!is_replaced(draft, label))
      put_item(draft, label, field->value);
  }
  return draft->item_count - before;
}

static size_t put_metadata(struct draft *draft) {
  size_t before = draft->item_count;

  for (size_t i = 0; i < draft->metadata->count; i++) {
    const struct rv_field *field = &draft->metadata->items[i];

    if (!rv_span_equal_nocase(field->name, AUTHORIZATION))
      put_item(draft, field->name, field->value);
  }
  return draft->item_count - before;
}

/* Counts first, then fills what was allocated accordingly. */
static struct rv_tunnel_facts *make_facts(struct draft *draft) {
  struct rv_tunnel_facts *facts;
  size_t size;

  put_text(draft, draft->name);
  put_labels(draft);
  put_metadata(draft);
  size = sizeof(*facts) + draft->item_count * sizeof(facts->items[0]);
  facts = calloc(1, size + draft->bytes);
  if (facts == NULL)
    return NULL;
  facts->size = size + draft->bytes;
  facts->weight = draft->weight;
  draft->facts = facts;
  draft->text = (char *)facts + size;
  draft->item_count = 0;
  facts->name = put_text(draft, draft->name);
  facts->label_count = put_labels(draft);
  facts->metadata_count = put_metadata(draft);
  return facts;
}

/* ---- the same as before? ---- */

static bool are_equal(
    const struct rv_tunnel_facts *a, const struct rv_tunnel_facts *b) {
  size_t count = a->label_count + a->metadata_count;

  if (a->size != b->size || a->weight != b->weight ||
      a->label_count != b->label_count ||
      a->metadata_count != b->metadata_count)
    return false;
  /* with the same sizes of tables the texts begin at the same place */
  return memcmp(&a->items[count], &b->items[count],
             a->size - sizeof(*a) - count * sizeof(a->items[0])) == 0;
}

static void free_facts(struct rv_tunnel_facts *facts) {
  if (facts == NULL)
    return;
  explicit_bzero(facts, facts->size);
  free(facts);
}

/* ---- describing ---- */

/* What the client asks for, if it makes sense; else 1. */
static unsigned weight_of(const reverst_tunnel *tunnel,
    struct rv_engine *engine, const struct rv_fields *metadata) {
  const struct rv_span *text =
      rv_fields_find(metadata, RV_SPAN("Reverst-Weight"));
  uint64_t weight;

  if (text == NULL)
    return 1;
  if (rv_span_to_uint(*text, &weight) && weight > 0 && weight <= MAX_WEIGHT)
    return (unsigned)weight;
  rv_log(engine, REVERST_LOG_WARN, "weight_ignored",
      rv_log_text("peer", tunnel->peer), rv_log_span("weight", *text),
      rv_log_text("error", "a weight is 1 to 65535"));
  return 1;
}

static unsigned bounded_weight(unsigned weight) {
  return weight < MAX_WEIGHT ? weight : MAX_WEIGHT;
}

int rv_tunnel_describe(reverst_tunnel *tunnel, struct rv_engine *engine,
    const struct rv_fields *metadata, const reverst_tunnel_options *options,
    bool *changed) {
  static const reverst_tunnel_options nothing;
  const reverst_tunnel_options *said = options ? options : &nothing;
  struct draft draft = {
    .metadata = metadata,
    .labels = said->labels,
    .name = cut_name(said->name ? rv_span_of(said->name)
                                : text_of(metadata, RV_SPAN("Reverst-Name"))),
    .weight = said->weight ? bounded_weight(said->weight)
                           : weight_of(tunnel, engine, metadata),
  };
  struct rv_tunnel_facts *facts = make_facts(&draft);

  if (facts == NULL)
    return REVERST_ERR_NO_MEMORY;
  *changed = tunnel->facts == NULL || !are_equal(tunnel->facts, facts);
  free_facts(*changed ? tunnel->facts : facts);
  if (*changed)
    tunnel->facts = facts;
  return 0;
}

/* ---- credentials ---- */

int rv_tunnel_keep_credentials(
    reverst_tunnel *tunnel, const struct rv_fields *metadata) {
  const struct rv_span *value = rv_fields_find(metadata, AUTHORIZATION);

  tunnel->kept = true;
  if (value == NULL)
    return 0;
  tunnel->authorization = calloc(1, value->length + 1);
  if (tunnel->authorization == NULL)
    return REVERST_ERR_NO_MEMORY;
  memcpy(tunnel->authorization, value->data, value->length);
  return 0;
}

void rv_tunnel_forget_credentials(reverst_tunnel *tunnel) {
  tunnel->kept = false;
  if (tunnel->authorization == NULL)
    return;
  explicit_bzero(tunnel->authorization, strlen(tunnel->authorization));
  free(tunnel->authorization);
  tunnel->authorization = NULL;
}

int rv_tunnel_copy_metadata(
    const reverst_tunnel *tunnel, struct rv_fields *metadata) {
  const char *name, *value;
  int r = 0;

  for (size_t i = 0;
       r == 0 && reverst_tunnel_metadata_at(tunnel, i, &name, &value); i++)
    r = rv_fields_add(metadata, rv_span_of(name), rv_span_of(value));
  if (r == 0 && tunnel->authorization != NULL)
    r = rv_fields_add(
        metadata, AUTHORIZATION, rv_span_of(tunnel->authorization));
  return r;
}

void rv_tunnel_forget(reverst_tunnel *tunnel) {
  rv_tunnel_forget_credentials(tunnel);
  free_facts(tunnel->facts);
  tunnel->facts = NULL;
}

void rv_tunnel_close(reverst_tunnel *tunnel, enum rv_refusal why) {
  tunnel->goodbye = rv_refusal_reason(why).data;
  rv_server_tunnel_close(
      tunnel->carrier, rv_refusal_code(why), rv_refusal_reason(why));
}

bool rv_tunnel_is_open(const reverst_tunnel *tunnel) {
  return !tunnel->retired && tunnel->carrier != NULL &&
         rv_server_tunnel_is_live(tunnel->carrier) &&
         !rv_server_tunnel_is_draining(tunnel->carrier);
}

bool rv_tunnel_is_failing(const reverst_tunnel *tunnel) {
  return tunnel->failing_until != 0 &&
         tunnel->group->engine->now < tunnel->failing_until;
}

/* ---- public ---- */

uint64_t reverst_tunnel_id(const reverst_tunnel *tunnel) {
  return tunnel->id;
}

const char *reverst_tunnel_name(const reverst_tunnel *tunnel) {
  return tunnel->facts->name;
}

const char *reverst_tunnel_peer(const reverst_tunnel *tunnel) {
  return tunnel->peer;
}

unsigned reverst_tunnel_weight(const reverst_tunnel *tunnel) {
  return tunnel->facts->weight;
}

bool reverst_tunnel_label_at(const reverst_tunnel *tunnel, size_t index,
    const char **name, const char **value) {
  const struct rv_tunnel_facts *facts = tunnel->facts;

  if (index >= facts->label_count)
    return false;
  *name = facts->items[index].name;
  *value = facts->items[index].value;
  return true;
}

bool reverst_tunnel_metadata_at(const reverst_tunnel *tunnel, size_t index,
    const char **name, const char **value) {
  const struct rv_tunnel_facts *facts = tunnel->facts;

  if (index >= facts->metadata_count)
    return false;
  *name = facts->items[facts->label_count + index].name;
  *value = facts->items[facts->label_count + index].value;
  return true;
}

size_t reverst_tunnel_active(const reverst_tunnel *tunnel) {
  return tunnel->carrier ? rv_server_tunnel_active(tunnel->carrier) : 0;
}

uint64_t reverst_tunnel_requests(const reverst_tunnel *tunnel) {
  return tunnel->requests;
}

uint64_t reverst_tunnel_latency(const reverst_tunnel *tunnel) {
  return tunnel->latency;
}

uint64_t reverst_tunnel_registered_at(const reverst_tunnel *tunnel) {
  return tunnel->registered_at;
}

bool reverst_tunnel_is_eligible(const reverst_tunnel *tunnel) {
  return tunnel->group != NULL && rv_tunnel_fitness(tunnel) == RV_FIT;
}

void *reverst_tunnel_user_data(const reverst_tunnel *tunnel) {
  return tunnel->user_data;
}

void reverst_tunnel_set_user_data(reverst_tunnel *tunnel, void *user_data) {
  tunnel->user_data = user_data;
}
