/* SPDX-License-Identifier: MIT */
/* Visits: requests of visitors on their way through a server, as policies and
   hooks see them. */
#ifndef REVERST_VISIT_H
#define REVERST_VISIT_H

#include <reverst/http.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Valid from the callback that it is first handed to until its response head
   has been passed on, or on_cancelled of the one who has yet to decide. */
typedef struct reverst_visit reverst_visit;

/* Bytes, not NUL terminated; data NULL: absent. Valid until the next call that
   changes the visit. */
typedef struct reverst_text {
  const char *data;
  size_t length;
} reverst_text;

reverst_text reverst_visit_method(const reverst_visit *visit);
reverst_text reverst_visit_scheme(const reverst_visit *visit);
/* As groups are looked up by: lower case, without port. */
reverst_text reverst_visit_host(const reverst_visit *visit);
/* With its query. */
reverst_text reverst_visit_path(const reverst_visit *visit);
/* "203.0.113.9:40112"; NUL terminated, as are the next two. */
const char *reverst_visit_peer(const reverst_visit *visit);
/* X-Request-Id of the forwarded request. */
const char *reverst_visit_id(const reverst_visit *visit);
/* The name of the group; NULL: not decided yet. */
const char *reverst_visit_group(const reverst_visit *visit);

/* The application's, NULL at first. */
void *reverst_visit_user_data(const reverst_visit *visit);
void reverst_visit_set_user_data(reverst_visit *visit, void *user_data);

/* The field at `index`, name in lower case; false behind the last one. */
bool reverst_visit_header_at(const reverst_visit *visit, size_t index,
    reverst_text *name, reverst_text *value);
/* The first of that name, which must be in lower case. */
reverst_text reverst_visit_header(const reverst_visit *visit, const char *name);

/* Changing what will be forwarded, while a route or request callback has yet to
   decide. REVERST_ERR_INVALID: a bad name or value, or a field that only the
   proxy sets (Host, framing, hop-by-hop, X-Forwarded-For, -Host and -Proto,
   X-Request-Id, Via); REVERST_ERR_LIMIT: too long, or too many;
   REVERST_ERR_NO_MEMORY; REVERST_ERR_CLOSED: too late. */
/* Removes all of that name, then adds it; value NULL: only removes. */
int reverst_visit_set_header(
    reverst_visit *visit, const char *name, const char *value);
int reverst_visit_set_path(reverst_visit *visit, const char *path);

/* A field of the response to come, whatever answers, a failure too; also from
   policies: what one adds goes when another tunnel is tried. At most 20 fields
   of 8 KiB in all; errors as above. */
int reverst_visit_add_response_header(
    reverst_visit *visit, const char *name, const char *value);

/* ---- the decision of a route or request callback ---- */
/* Exactly one of these for each call of on_route, on_request or on_response, in
   it or later. After on_cancelled none may be called any more. */

/* Goes on: to the group by its host, to a tunnel, to the visitor. */
void reverst_visit_continue(reverst_visit *visit);

/* on_route only: goes on with this group. false: there is none of this name,
   and the visit goes on as if nobody served its host. */
bool reverst_visit_continue_to(reverst_visit *visit, const char *group);

/* on_route and on_request: this is the answer. On errors it is still to be
   decided: REVERST_ERR_INVALID (a bad status or field), REVERST_ERR_NO_MEMORY,
   REVERST_ERR_CLOSED. */
int reverst_visit_respond(
    reverst_visit *visit, const reverst_response *response);

/* The hook failed: the visitor gets 500. */
void reverst_visit_fail(reverst_visit *visit);

/* ---- in on_response, until the decision ---- */

int reverst_visit_status(const reverst_visit *visit);
bool reverst_visit_response_header_at(const reverst_visit *visit, size_t index,
    reverst_text *name, reverst_text *value);
reverst_text reverst_visit_response_header(
    const reverst_visit *visit, const char *name);
/* 200 to 599; REVERST_ERR_INVALID also where it would change whether there is a
   body (204, 304). */
int reverst_visit_set_status(reverst_visit *visit, int status);
/* As reverst_visit_set_header; Content-Length stays as it is. */
int reverst_visit_set_response_header(
    reverst_visit *visit, const char *name, const char *value);

#ifdef __cplusplus
}
#endif
#endif
