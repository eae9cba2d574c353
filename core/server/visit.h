/* SPDX-License-Identifier: MIT */
/* A visit: the third party of a visitor's exchange, from the request's head
   until the head of the response was passed on. */
#ifndef RV_SERVER_VISIT_H
#define RV_SERVER_VISIT_H

#include "http/exchange.h"
#include "server/group.h"

enum { RV_VISIT_MAX_TRIES = 16 };

enum rv_visit_stage {
  RV_VISIT_ROUTING, /* which group? on_route */
  RV_VISIT_REQUEST, /* on_request */
  RV_VISIT_SENDING, /* a tunnel has it, or it waits for one */
  RV_VISIT_RESPONSE /* the response head is held: on_response */
};

/* How far the decision of the stage's hook is. */
enum rv_visit_decision {
  RV_VISIT_UNASKED,
  RV_VISIT_TO_ASK, /* the hook will be called in the phase for scripts */
  RV_VISIT_AWAITS,
  RV_VISIT_DECIDED /* visit->job goes on */
};

struct reverst_visit {
  struct rv_waker waker;
  struct rv_job job, hook_job;
  struct rv_timer timer;
  struct rv_list node; /* of group->waiting; unlinked while a tunnel has it */
  struct rv_router *router;
  struct rv_exchange *exchange;
  struct rv_group *group; /* held; NULL while it is routed */
  struct rv_span host;    /* as groups are looked up by */

  enum rv_visit_stage stage;
  enum rv_visit_decision decision;
  struct { /* whoever was called, in case there is no need any more */
    void (*on_cancelled)(reverst_visit *visit, void *user_data);
    void *user_data;
  } asked;

  struct rv_list tunnel_node; /* of tunnel->visits; linked while that lives */
  reverst_tunnel *tunnel;     /* of the current try */
  uint64_t try_ns;            /* when it began */
  uint64_t response_deadline; /* RV_NEVER while the request is being sent */
  uint64_t sent;              /* bytes of it, at the last look */
  uint64_t tried[RV_VISIT_MAX_TRIES];
  size_t tried_count;
  /* Of exchange->answer_fields: those that do not come from a try's policy. */
  size_t lasting_fields;
  const char *peer; /* made at the first question */
  void *user_data;
};

/* Becomes the router of the exchange, without a group. NULL: no memory. */
reverst_visit *rv_visit_new(
    struct rv_router *router, struct rv_exchange *exchange);
/* Detaches, and frees it at once. */
void rv_visit_free(reverst_visit *visit);

/* A tunnel has it, or none will ever: once for each, before its first try is
   counted. */
void rv_visit_note_sent(reverst_visit *visit);

void rv_visit_set_group(reverst_visit *visit, struct rv_group *group);

/* The group may have been taken away while a decision was awaited: then it goes
   on with the one of its name by now. false: there is none. */
bool rv_visit_find_group(reverst_visit *visit);

/* The tunnels that have had it. */
static inline struct rv_tried rv_visit_tried(const reverst_visit *visit) {
  return (struct rv_tried){ visit->tried, visit->tried_count };
}

/* Takes it out of the group's queue; harmless when it is in none. */
void rv_visit_leave_queue(reverst_visit *visit);

/* Is there nobody, or nothing, left to be passed on to? */
bool rv_visit_is_over(const reverst_visit *visit);

#endif
