/* account.h - the rows of accounts, users and credentials; the bundles of a new account. */
#ifndef KELLET_SERVICES_ACCOUNT_H
#define KELLET_SERVICES_ACCOUNT_H

#include "services/engine.h"

/* Told (db_notify) by each change of rows that say who somebody is and whether they may come in.
 * Whoever commits one calls auth_forget(). */
#define IDENTITY_CHANNEL "identity"

struct account {
    str name, type, state, email; /* email p NULL: none */
    int64_t created, updated;
};
struct user {
    str username, account, type, source, uuid; /* source p NULL: none */
    int64_t created, updated;
};
struct credential {
    str hash;      /* argon2id; empty: none */
    size_t length; /* of the password, in bytes: the API shows as many stars */
    int64_t created;
};

/* 1: found; 0: not. Texts are in the arena. */
int account_get(struct db_tx *tx, struct arena *a, str name, struct account *out, struct err *e);
/* All but those of type service, oldest first; state "" all. */
int account_list(struct db_tx *tx, struct arena *a, str state, struct account **out, size_t *n,
                 struct err *e);
/* ERR_EXISTS when there is one. */
int account_add(struct db_tx *tx, const struct account *x, struct err *e);
int account_set_state(struct db_tx *tx, str name, str state, struct err *e);

int user_get(struct db_tx *tx, struct arena *a, str username, struct user *out, struct err *e);
int user_list(struct db_tx *tx, struct arena *a, str account, struct user **out, size_t *n,
              struct err *e);
/* With a new uuid. ERR_EXISTS when there is one, in any account. */
int user_add(struct db_tx *tx, str username, str account, str type, struct err *e);
int user_delete(struct db_tx *tx, str username, struct err *e); /* with its credential */

int credential_get(struct db_tx *tx, struct arena *a, str username, struct credential *out,
                   struct err *e);
/* Replaces. */
int credential_put(struct db_tx *tx, str username, str hash, size_t length, struct err *e);
int credential_delete(struct db_tx *tx, str username, struct err *e);
/* What credential_put wrote as one text: "LENGTH:HASH". */
void credential_parse(str stored, struct credential *out);

/* The policy bundles of a new account: the built-in default one, and the *.json of
 * policy_bundles_dir; the first one is active. */
int account_add_bundles(struct engine *en, struct db_tx *tx, str account, struct err *e);

#endif
