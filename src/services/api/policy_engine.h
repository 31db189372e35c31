/* policy_engine.h - the external API's operations that the policy engine answers: vulnerabilities
 * of images, questions, feeds; and how it is asked. */
#ifndef KELLET_SERVICES_API_POLICY_ENGINE_H
#define KELLET_SERVICES_API_POLICY_ENGINE_H

#include "services/call.h"

extern const struct operation vulnerability_operations[]; /* vulnerabilities.c */
extern const struct operation query_operations[];         /* query.c */
extern const struct operation feed_operations[];          /* feeds.c */

/* Asks the policy engine in the caller's namespace. *body is initialised here; the caller ends it,
 * whatever is returned. */
int policy_engine_ask(struct call *c, const char *method, const char *path, int *status,
                      struct buf *body);
/* Asks and answers with what came. */
int policy_engine_pass(struct call *c, const char *method, const char *path);
/* POSTs a body (JSON) and answers with what came. */
int policy_engine_send(struct call *c, const char *path, str body);
/* Appends one component of a path, or a value of a query, percent-encoded. */
void policy_engine_escape(struct buf *out, str s);
/* Appends "&name=value" when the caller gave the parameter. */
void policy_engine_param(struct call *c, struct buf *out, const char *name);

#endif
