/* SPDX-License-Identifier: MIT */
/* What a parsed head means: targets, hosts, framing, persistence. */
#ifndef RV_H1_MESSAGE_H
#define RV_H1_MESSAGE_H

#include "h1/parser.h"

/* Reads a request's target into `head` (authority of the absolute form, path)
   and puts the Host field, which goes, in the place of the authority: RFC 9112
   section 3.2. `default_host` is for HTTP/1.0 without Host. The fields have
   been checked by the filter. Spans point into the target and the fields.
   RV_FAILURE_METHOD for CONNECT and TRACE. */
enum rv_failure rv_h1_read_target(struct rv_head *head, struct rv_span target,
    unsigned minor, struct rv_span default_host);

/* RFC 9112 section 6.3, with everything ambiguous refused. Sets
   head->no_body. */
enum rv_failure rv_h1_request_framing(
    struct rv_head *head, unsigned minor, enum rv_h1_framing *framing);

/* The same for a response to `method`; every failure is the origin's. */
enum rv_failure rv_h1_response_framing(struct rv_head *head,
    struct rv_span method, unsigned minor, enum rv_h1_framing *framing);

/* Does Connection have this option (lower case)? */
bool rv_h1_has_connection_option(
    const struct rv_fields *fields, struct rv_span option);

/* Does the sender of this head keep the connection (RFC 9112 section 9.3)?
   HTTP/1.0 only when it says so. */
bool rv_h1_keeps(const struct rv_fields *fields, unsigned minor);

#endif
