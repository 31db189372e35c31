/* policy_record.h - policy bundles: a row, and the bundle as a document in bucket
 * policy_bundles. */
#ifndef KELLET_SERVICES_POLICY_RECORD_H
#define KELLET_SERVICES_POLICY_RECORD_H

#include "services/engine.h"

#define POLICY_BUCKET     "policy_bundles"
#define POLICY_DEFAULT_ID "2c53a13c-1765-11e8-82ef-23527761d060"

struct policy_record {
    str account, id, source; /* source: "local" */
    str name, description;   /* p NULL: none */
    bool active;
    int64_t created, updated;
};

/* 1, 0: there is none. */
int policy_get(struct db_tx *tx, struct arena *a, str account, str id, struct policy_record *out,
               struct err *e);
/* The account's active one: 1, 0. */
int policy_get_active(struct db_tx *tx, struct arena *a, str account, struct policy_record *out,
                      struct err *e);
/* Oldest first. */
int policy_list(struct db_tx *tx, struct arena *a, str account, struct policy_record **out,
                size_t *n, struct err *e);
/* Appends the bundle's JSON. */
int policy_bundle(struct engine *en, struct db_tx *tx, str account, str id, struct buf *out,
                  struct err *e);
/* Adds or replaces row and document; `active` only counts for a new one. */
int policy_put(struct engine *en, struct db_tx *tx, const struct policy_record *p, str bundle,
               struct err *e);
/* Makes it the account's only active one; tells of it (event user.policy.active.updated). */
int policy_activate(struct engine *en, struct db_tx *tx, str account, str id, str request_id,
                    struct err *e);
int policy_delete(struct engine *en, struct db_tx *tx, str account, str id, struct err *e);

/* The bundle that new accounts have. */
extern const char policy_default_bundle[];

#endif
