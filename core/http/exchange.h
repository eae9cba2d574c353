/* SPDX-License-Identifier: MIT */
/* The exchange: one HTTP request with its response, between a downstream (who
   asks) and an upstream (who answers). */
#ifndef RV_HTTP_EXCHANGE_H
#define RV_HTTP_EXCHANGE_H

#include "base/address.h"
#include "base/engine.h"
#include "http/pipe.h"

/* For the access log, metrics and scripts. Times are engine time, 0: not yet.
 */
struct rv_record {
  uint64_t start_ns, head_ns, end_ns;
  uint64_t tunnel_id;  /* of the last try; 0: none; set by the router */
  unsigned tries;      /* set by the router */
  char request_id[33]; /* NUL terminated */
};

/* Parties meet here and nowhere else. Each sets its part and wakes the others;
   each learns by being woken and looking:

     downstream sees   informational, response, response_body, failure
     upstream sees     request, request_body, cancelled, failure
     router sees       response head (held, if gated) or failure, upstream
                       gone, cancelled

   References: each party holds one from attaching to detaching; the memory goes
   at the end of the turn in which the last one went. A party that detaches is
   never woken again. */
struct rv_exchange {
  struct rv_engine *engine;
  unsigned references;
  struct rv_job free_job;

  struct rv_head request; /* filled by the downstream before it submits */
  struct rv_pipe request_body;
  struct rv_head response; /* final head, valid when has_response */
  struct rv_pipe response_body;
  struct rv_list informational; /* struct rv_informational, oldest first */
  unsigned informational_count; /* so far, for the bound */

  bool has_response;
  bool gated; /* set by the router: a response head is held until it says so */
  bool held;  /* a head is in `response`, and not yet has_response; the body
                 waits in its pipe, which bounds it */
  struct rv_fields answer_fields; /* what the router adds to the response head,
                                     and the downstream to what it writes of a
                                     failure; in the request's arena */
  bool cancelled;                 /* the downstream went away */
  enum rv_failure failure; /* the upstream could not; final once concluded.
                              Behind a response head: why its body was broken
                              off. CANCELLED when cancelled */
  bool concluded; /* the failure came before a head: the downstream shows it */

  struct rv_waker *downstream, *upstream, *router;
  struct rv_address peer; /* the visitor, for forwarding fields; may be empty */
  struct rv_record record;
};

struct rv_informational {
  struct rv_list node;
  struct rv_head head; /* 1xx, never 101 */
};

/* Whoever takes new requests: the server's router, the client's origin or
   application. `handle` gets an exchange whose request head is complete and
   owns no reference: to keep it, attach. It is never called within a library's
   callback. If nobody attached, the exchange has failed with
   RV_FAILURE_INTERNAL. */
struct rv_handler {
  void (*handle)(struct rv_handler *handler, struct rv_exchange *exchange);
};

/* A new exchange with one reference for its downstream; NULL: out of memory. */
struct rv_exchange *rv_exchange_new(
    struct rv_engine *engine, struct rv_waker *downstream);

/* ---- downstream ---- */

/* Hands it to `handler`. The request head must be complete. Sets
   record.start_ns, and record.request_id if it is empty. */
void rv_exchange_submit(
    struct rv_exchange *exchange, struct rv_handler *handler);

/* The downstream is gone: the request pipe is aborted, the response pipe
   stopped, the upstream and the router are woken. Harmless once finished. */
void rv_exchange_cancel(struct rv_exchange *exchange);

/* The oldest 1xx head, owned by the caller (rv_informational_free); or NULL. */
struct rv_informational *rv_exchange_take_informational(
    struct rv_exchange *exchange);
void rv_informational_free(struct rv_informational *informational);

/* Gives the downstream's reference back. Cancels first if not finished; a
   request body without an end is aborted. Sees to record.end_ns. */
void rv_exchange_detach_downstream(struct rv_exchange *exchange);

/* ---- upstream ---- */

/* Takes a reference and becomes consumer of the request pipe and producer of
   the response pipe. There must be no other upstream (asserted). */
void rv_exchange_attach_upstream(
    struct rv_exchange *exchange, struct rv_waker *upstream);

/* Gives the reference back. If the response is not whole and no failure was
   told, the exchange fails with INTERNAL; the request body is stopped. */
void rv_exchange_detach_upstream(struct rv_exchange *exchange);

/* Moves a 1xx head in; `head` is left empty in any case. REVERST_ERR_LIMIT: too
   many (then fail with ORIGIN_MALFORMED); REVERST_ERR_NO_MEMORY. Heads after
   the final one or for nobody are dropped. */
int rv_exchange_inform(struct rv_exchange *exchange, struct rv_head *head);

/* Moves the final head in; ends replay. The body follows through response_body;
   with head->no_body the pipe is ended here. `head` is left empty in any case.
   A gated exchange holds it: only the router is told. REVERST_ERR_CLOSED:
   cancelled, failed, or there was a head already; REVERST_ERR_NO_MEMORY: the
   exchange has failed. */
int rv_exchange_respond(struct rv_exchange *exchange, struct rv_head *head);

/* The upstream cannot (go on), or the router gives it up: an upstream that
   finds `failure` set when it is woken lets go as if cancelled, and detaches.
   Before a response head: the failure is noted and the router, if any, decides
   (retry or conclude); without one it is concluded. After the head: the
   response pipe is aborted with this cause; while the head is held as
   rv_exchange_withdraw. The request pipe is stopped. Only the first failure
   counts, and none once the response body was ended. The upstream then
   detaches. */
void rv_exchange_fail(struct rv_exchange *exchange, enum rv_failure failure);

/* ---- router ---- */

/* Takes a reference; until it detaches or a response head comes the request
   body may be replayed. Attach before any upstream. */
void rv_exchange_attach_router(
    struct rv_exchange *exchange, struct rv_waker *router);

/* Gives the reference back. A noted failure is concluded; a held head is
   withdrawn, with INTERNAL; so it fails without an upstream, a response or a
   failure. */
void rv_exchange_detach_router(struct rv_exchange *exchange);

/* May the noted failure be answered by another try, by the failure table, the
   method and the replay window? */
bool rv_exchange_may_retry(const struct rv_exchange *exchange);

/* Only when the upstream has detached. Forgets the noted failure and rewinds
   the request pipe: attach another upstream then. false: it may not be retried.
 */
bool rv_exchange_retry(struct rv_exchange *exchange);

/* Lets the held head pass to the downstream. Harmless when none is held.
   REVERST_ERR_NO_MEMORY: the exchange has failed. */
int rv_exchange_release(struct rv_exchange *exchange);

/* The downstream sees this failure in place of the held head, even if the
   response is whole already; it is not retried. Harmless when none is held. */
void rv_exchange_withdraw(
    struct rv_exchange *exchange, enum rv_failure failure);

/* Lets the downstream see the failure; harmless when there is none. */
void rv_exchange_conclude(struct rv_exchange *exchange);

/* ---- all ---- */

/* Has the upstream given its final head? The downstream may not see it yet. */
static inline bool rv_exchange_has_head(const struct rv_exchange *exchange) {
  return exchange->has_response || exchange->held;
}

/* The response was delivered whole to the response pipe and taken, or it
   failed, or was cancelled. */
bool rv_exchange_finished(const struct rv_exchange *exchange);

#endif
