/* SPDX-License-Identifier: MIT */
/* Field sections as Lua tables: { { name, value }, ... }. */
#ifndef SPEC_FIELDS_H
#define SPEC_FIELDS_H

#include "engine.h"
#include "http/head.h"

/* Adds copies, with names as they are. */
void spec_read_fields(lua_State *L, int index, struct rv_fields *fields);
void spec_push_fields(lua_State *L, const struct rv_fields *fields);

/* Fills an initialised head from a table: method, scheme, authority, path,
   protocol, status, no_body, fields. */
void spec_read_head(lua_State *L, int index, struct rv_head *head);
void spec_push_head(lua_State *L, const struct rv_head *head);

#endif
