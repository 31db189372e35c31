/* schema.h - the tables, as a list of numbered steps, and how a database is brought to the newest
 * one.
 *
 * Each step is SQL that runs on both databases (with {blob}-like differences in db.h's dialect).
 * Steps only add (tables, columns with defaults, indices), so that a process of the version before
 * goes on working while others are upgraded: an online upgrade. One process upgrades at a time (an
 * advisory lock on PostgreSQL). */
#ifndef KELLET_STORE_SCHEMA_H
#define KELLET_STORE_SCHEMA_H

#include "store/db.h"

/* The newest version that this build knows. */
int schema_newest(void);
/* What the database has; 0: nothing yet. */
int schema_version(struct db *db, int *out, struct err *e);
/* Applies what is missing, each step in its own transaction. `tell` (MAY) is called before each.
 * ERR_UNSUPPORTED when the database is newer than this build and says that older builds cannot use
 * it. */
int schema_upgrade(struct db *db, void (*tell)(void *ctx, int step, const char *title), void *ctx,
                   struct err *e);

#endif
