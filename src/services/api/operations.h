/* operations.h - the tables of the external API's operations of this folder, and what they share.
 */
#ifndef KELLET_SERVICES_API_OPERATIONS_H
#define KELLET_SERVICES_API_OPERATIONS_H

#include "services/account.h"
#include "services/call.h"

extern const struct operation account_operations[];
extern const struct operation user_operations[];
extern const struct operation oauth_operations[];
extern const struct operation event_operations[];
extern const struct operation subscription_operations[];
extern const struct operation policy_operations[];
extern const struct operation policy_trial_operations[];
extern const struct operation check_operations[];
extern const struct operation misc_operations[];
extern const struct operation notification_operations[];
extern const struct operation content_operations[];
extern const struct operation import_operations[];
extern const struct operation history_operations[];
extern const struct operation vex_operations[];
extern const struct operation import_archive_operations[];

/* A list of {"severity", "problem_type", "details"}. */
struct policy_problems;
yyjson_mut_val *policy_problems_json(yyjson_mut_doc *d, const struct policy_problems *p);
/* Is the bundle valid? 1; 0: no, and c is answered with what is wrong (400). */
int policy_accept(struct call *c, yyjson_val *bundle);

/* Runs fn in a transaction; fn answers. It may run again: it must not keep anything but answers. */
static inline int api_run(struct call *c, enum db_mode mode,
                          int (*fn)(struct db_tx *tx, void *ctx, struct err *e), void *ctx)
{
    int rc = db_run(c->engine->db, mode, fn, ctx, c->err);
    return rc < 0 ? rc : 0;
}

/* NUL-terminated copy in the call's arena, "" when there is no memory. */
static inline const char *api_z(struct call *c, str s)
{
    str z = arena_dup(&c->arena, s);
    return z.p ? z.p : "";
}

#endif
