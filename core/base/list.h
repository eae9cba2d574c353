/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked list: a ring through a head node. */
#ifndef RV_BASE_LIST_H
#define RV_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

/* As a head: initialised by rv_list_init. As a member of an element: zero
   (`next` NULL) or initialised while it is in no list. */
struct rv_list {
  struct rv_list *next, *previous;
};

/* The struct of `type` whose `member` is at `pointer`. */
#define rv_container_of(pointer, type, member)                                 \
  ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void rv_list_init(struct rv_list *head) {
  head->next = head->previous = head;
}

static inline bool rv_list_empty(const struct rv_list *head) {
  return head->next == head;
}

/* Is this element in some list? */
static inline bool rv_list_linked(const struct rv_list *node) {
  return node->next != NULL && node->next != node;
}

static inline void rv_list_push(struct rv_list *head, struct rv_list *node) {
  node->next = head;
  node->previous = head->previous;
  head->previous->next = node;
  head->previous = node;
}

static inline void rv_list_push_first(
    struct rv_list *head, struct rv_list *node) {
  node->next = head->next;
  node->previous = head;
  head->next->previous = node;
  head->next = node;
}

/* Takes the element out of its list; harmless when it is in none. */
static inline void rv_list_remove(struct rv_list *node) {
  if (!rv_list_linked(node))
    return;
  node->previous->next = node->next;
  node->next->previous = node->previous;
  node->next = node->previous = NULL;
}

/* The first element, removed; NULL when the list is empty. */
static inline struct rv_list *rv_list_pop(struct rv_list *head) {
  struct rv_list *node = head->next;
  if (node == head)
    return NULL;
  rv_list_remove(node);
  return node;
}

/* Moves all elements of `from` behind those of `to`; `from` is empty then. */
static inline void rv_list_append(struct rv_list *to, struct rv_list *from) {
  if (rv_list_empty(from))
    return;
  assert(from->next != NULL);
  from->next->previous = to->previous;
  to->previous->next = from->next;
  from->previous->next = to;
  to->previous = from->previous;
  rv_list_init(from);
}

/* Iterates; the body may remove `node` itself, and nothing else. */
#define rv_list_each(node, head)                                               \
  for (struct rv_list *node = (head)->next, *node##_next = node->next;         \
       node != (head); node = node##_next, node##_next = node->next)

#endif
