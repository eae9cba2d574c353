/* SPDX-License-Identifier: MIT */
/* Which tunnel gets a request: the group's own policy, or each in turn. */
#ifndef RV_SERVER_POLICY_H
#define RV_SERVER_POLICY_H

#include "server/visit.h"

/* The tunnel for the next try; it was eligible just now. NULL: none; then
   `*may_wait` says whether one has merely no free stream, and `*failure` is set
   if the policy is why. */
reverst_tunnel *rv_policy_choose(
    reverst_visit *visit, bool *may_wait, enum rv_failure *failure);

#endif
