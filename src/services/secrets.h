/* secrets.h - encrypts what must be stored and read again (registry passwords).
 *
 * XSalsa20-Poly1305 (libsodium secretbox). The key is derived from keys.secret of the
 * configuration, or, without one, from a random secret in the table of settings: then the stored
 * values are only as safe as the database. Both keys are tried for reading, so that a
 * configuration may gain keys.secret later. */
#ifndef KELLET_SERVICES_SECRETS_H
#define KELLET_SERVICES_SECRETS_H

#include "services/engine.h"

/* Opens en->secrets. */
int secrets_open(struct engine *en, struct err *e);
void secrets_close(struct secrets *s); /* NULL is fine */
/* "v1:" and base64; safe to store as TEXT. `purpose` binds a value to its place ("registry"). */
int secrets_seal(struct secrets *s, str purpose, str plain, struct buf *out, struct err *e);
/* ERR_AUTH: sealed with a key that is not known here, or tampered with. Text that was never sealed
 * is ERR_FORMAT. */
int secrets_open_text(struct secrets *s, str purpose, str sealed, struct buf *out, struct err *e);

#endif
