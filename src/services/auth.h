/* auth.h - who asks, and whether they may.
 *
 * A request carries Basic credentials or a bearer token (scheme "bearer" or "jwt"). Passwords are
 * kept as argon2id hashes; a password that was verified is remembered in memory by a keyed hash
 * bound to the stored one, so that a changed password, a removed user or a disabled account takes
 * effect at once: every request reads the user's row (on PostgreSQL it is remembered for a moment
 * and forgotten when it changes: auth_memory.h). Wrong passwords cost the guesser time: a user
 * name with many failures is answered 401 without looking for a while from the peers that failed,
 * and at most two verifications run at once in the process.
 *
 * Services of one engine show each other a token signed with a secret in the table of settings:
 * identity internal, type service, in the account that the request names. */
#ifndef KELLET_SERVICES_AUTH_H
#define KELLET_SERVICES_AUTH_H

#include "services/call.h"

struct auth;

/* Opens en->auth. Makes what a new database lacks: the accounts anchore-system and admin with one
 * user each, the policy bundles of the account admin, the secrets of tokens. ERR_USAGE when tokens
 * are asked for and the configured keys cannot be read. */
int auth_open(struct engine *en, struct err *e);
void auth_close(struct auth *a); /* NULL is fine */
/* To be called when rows of accounts, users or credentials were changed, before the answer. */
void auth_forget(struct engine *en);
/* The password that this start made up for the user admin; NULL: none was made. To be printed
 * once. */
const char *auth_new_password(const struct auth *a);

/* Fills c->who and c->account (x-anchore-account, or the caller's own). 0; 1: it has answered
 * (401, or 403 for an account that is not enabled); negative: an error. May take some 50 ms. */
int auth_identify(struct call *c);
/* Whether auth_identify(c) will, as far as is known without asking the database, have to verify a
 * password that it does not remember: do not do that on an event thread. */
bool auth_will_wait(struct call *c);
/* May c->who do `action` (x-anchore-authz-action; NULL: any known caller may) with c's parameters?
 * 0; 1: it has answered 403. Accounts of type admin and service may do all; others what concerns
 * their own account. Parameters must be there. */
int auth_authorize(struct call *c, const char *action);
/* 401 in the form that clients know. Returns 0. */
int auth_answer_401(struct call *c);

/* The value of the header Authorization for requests to other services of this engine, valid for
 * some minutes: ask for each request. */
int auth_internal(struct engine *en, struct buf *out, struct err *e);

/* ---- for the API's accounts, users and tokens
 * --------------------------------------------------*/
/* Hash for storage (about 30 ms). `password` is 1..1024 bytes. */
int auth_hash(struct auth *a, struct arena *arena, str password, str *out, struct err *e);
/* A signed token of a user. ERR_UNSUPPORTED: tokens are not configured. */
int auth_token(struct auth *a, str user_uuid, struct buf *out, struct err *e);
/* Checks a user's name and password as Basic credentials are checked; 1: good, *uuid in c's arena;
 * 0: not. */
int auth_check_password(struct call *c, str username, str password, str *uuid, struct err *e);

#endif
