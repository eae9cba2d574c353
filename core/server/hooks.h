/* SPDX-License-Identifier: MIT */
/* Asking the application about a visit: on_route, on_request, on_response, and
   its decisions (the public functions of visit.h). */
#ifndef RV_SERVER_HOOKS_H
#define RV_SERVER_HOOKS_H

#include "server/visit.h"

/* Does anybody want to be asked at this stage? */
bool rv_hook_is_set(const reverst_visit *visit, enum rv_visit_stage stage);

/* Asks, in the turn's phase for scripts. The decision adds visit->job, unless
   the visit is over first: then whoever has been called is told by
   on_cancelled. A group that was replaced meanwhile is asked as it is by then;
   where nobody is left to be asked the decision is to continue. */
void rv_hook_ask(reverst_visit *visit, enum rv_visit_stage stage);

/* The visit is over: frees it, after on_cancelled where a decision is awaited.
 */
void rv_hook_end(reverst_visit *visit);

#endif
