/* auth_parts.h - the two parts that auth.c stands on: passwords and tokens. */
#ifndef KELLET_SERVICES_AUTH_PARTS_H
#define KELLET_SERVICES_AUTH_PARTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "services/config.h"

/* ---- passwords: argon2id, a memory of good ones, a brake for bad ones
 * --------------------------*/
struct passwords;

int passwords_open(struct passwords **out, struct err *e);
void passwords_close(struct passwords *p);
int passwords_hash(struct passwords *p, struct arena *a, str password, str *out, struct err *e);
/* Was this password verified against this hash before? An empty hash: against any. Takes
 * microseconds. */
bool passwords_remembered(struct passwords *p, str username, str hash, str password);
/* 1: right; 0: wrong, or not looked at because `peer` failed too often for this name. An empty
 * hash (no such user, no credential) takes as long as a wrong password. ERR_LIMIT: too many are
 * waiting. */
int passwords_check(struct passwords *p, str username, str hash, str password, str peer,
                    struct err *e);

/* ---- tokens: JWT (RFC 7519) with one pinned algorithm -----------------------------------------
 */
struct tokens;

/* Nothing is opened (*out NULL) when the configuration does not ask for tokens. Without a
 * configuration file tokens are signed with `fallback`. */
int tokens_open(const struct config *c, const unsigned char fallback[32], struct tokens **out,
                struct err *e);
void tokens_close(struct tokens *t);
/* Appends a token for `subject` that is valid for `seconds`. */
int tokens_make(struct tokens *t, str subject, int64_t seconds, struct buf *out, struct err *e);
/* 1: good, *subject is in the arena; 0: not. */
int tokens_check(struct tokens *t, str token, struct arena *a, str *subject, struct err *e);

#endif
