/* auth_memory.h - who somebody is, remembered for a moment: spares a round trip to the database for
 * each request.
 *
 * What is remembered is a user's row as it was read at most IDENTITY_MS ago, and no longer than
 * until identities_forget(): that is called by whoever changed accounts, users or credentials in
 * this process, before the change is answered, and for each notice that another process did
 * (IDENTITY_CHANNEL). So a change counts at once in the process that makes it, milliseconds later
 * in others, and after IDENTITY_MS where the notice is lost. Thread-safe. */
#ifndef KELLET_SERVICES_AUTH_MEMORY_H
#define KELLET_SERVICES_AUTH_MEMORY_H

#include "services/call.h"

enum { IDENTITY_MS = 1000 };

struct identities;

int identities_open(struct identities **out, struct err *e);
void identities_close(struct identities *m); /* NULL is fine */
/* True: *who and *credential (the stored text) are in the arena. `key` is a user's name or, with
 * by_uuid, uuid; now_ms is any steady clock's. */
bool identities_get(struct identities *m, bool by_uuid, str key, int64_t now_ms, struct arena *a,
                    struct identity *who, str *credential);
/* To be asked for before the row is read, and given with what was read. */
uint64_t identities_turn(struct identities *m);
/* Remembers, unless something was forgotten since `turn`. */
void identities_put(struct identities *m, bool by_uuid, str key, int64_t now_ms, uint64_t turn,
                    const struct identity *who, str credential);
void identities_forget(struct identities *m); /* everything */

#endif
