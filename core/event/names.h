/* SPDX-License-Identifier: MIT */
/* Questions to evdns, as configured by one reading of its files. */
#ifndef RV_EVENT_NAMES_H
#define RV_EVENT_NAMES_H

#include "event/resolver.h"

struct rv_names;
struct rv_question;

/* Reads both files. evdns does so only once, hence a new one of these whenever
   one of them has changed. REVERST_ERR_NO_MEMORY. */
int rv_names_new(struct rv_names **names, struct rv_loop *loop,
    const char *resolv_conf_path, const char *hosts_path);

/* Nobody asks it any more. It frees itself once evdns has let go of all
   questions; the loop is held until then. NULL is fine. */
void rv_names_retire(struct rv_names *names);

/* Are the files as they were when they were read? */
bool rv_names_are_current(const struct rv_names *names);

/* May be called within rv_names_ask already; it must only note the fact.
   `again` tells that no server gave an answer. The question is gone afterwards.
 */
typedef void (*rv_answered)(int error, bool again,
    const struct rv_address *addresses, size_t count, void *user_data);

/* Both A and AAAA. REVERST_ERR_NO_MEMORY. `*question` is NULL when the answer
   was given already. */
int rv_names_ask(struct rv_names *names, struct rv_question **question,
    const char *name, rv_answered on_answered, void *user_data);
void rv_question_cancel(struct rv_question *question); /* NULL is fine */

/* Puts them in the order in which they are to be tried. */
void rv_addresses_sort(struct rv_address *addresses, size_t count);

#endif
