/* subscription.h - which tags and repositories an account wants to hear about, and of what. */
#ifndef KELLET_SERVICES_SUBSCRIPTION_H
#define KELLET_SERVICES_SUBSCRIPTION_H

#include "store/db.h"

/* "policy_eval", "tag_update", "vuln_update", "analysis_update", "repo_update" */
bool subscription_type_known(str type);
/* md5 hex of "account+key+type": 33 bytes with NUL. */
void subscription_id(str account, str key, str type, char out[33]);

struct subscription {
    str id, account, key, type;
    str value; /* p NULL: null */
    bool active;
    int64_t created, updated; /* microseconds */
};
/* ERR_EXISTS when there is one. Only account, key, type, value and active are read. */
int subscription_add(struct db_tx *tx, const struct subscription *s, struct err *e);
/* The four of a tag, where they do not exist yet: analysis_update active, tag_update when
 * `autosubscribe`, the others not. Those that exist stay as they are, but analysis_update (which a
 * deletion ends) is active again. */
int subscription_add_tag(struct db_tx *tx, str account, str fulltag, bool autosubscribe,
                         struct err *e);
/* 1, 0: there is none. */
int subscription_get(struct db_tx *tx, struct arena *a, str account, str id,
                     struct subscription *out, struct err *e);
/* Writes value and active. */
int subscription_update(struct db_tx *tx, const struct subscription *s, struct err *e);
int subscription_delete(struct db_tx *tx, str account, str id, struct err *e);
/* Is there an active one of this type? 1, 0. type empty: of any of the kinds that protect a tag's
 * image from deletion (all but analysis_update). */
int subscription_active(struct db_tx *tx, str account, str key, str type, struct err *e);
/* Those of one type ("" all) and key ("" all); account "" all accounts: in the arena. */
int subscription_list(struct db_tx *tx, struct arena *a, str account, str key, str type,
                      bool active_only, struct subscription **out, size_t *n, struct err *e);

#endif
