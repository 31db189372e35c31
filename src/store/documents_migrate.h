/* documents_migrate.h - moves documents to another driver: from the database to S3, from S3 to
 * files, any to any.
 *
 * A document at a time, each in a transaction of its own, so that it may be stopped at any moment
 * and begun again: what is there already is passed over. Services may run meanwhile if they can
 * read both drivers. */
#ifndef KELLET_STORE_DOCUMENTS_MIGRATE_H
#define KELLET_STORE_DOCUMENTS_MIGRATE_H

#include "store/documents.h"

struct documents_migration {
    uint64_t contents; /* looked at: each is kept once, whatever the number of documents */
    uint64_t moved, bytes;
    bool keep; /* leave files and objects of the driver before where they are */
    /* MAY be NULL: called after each one that was moved. A negative code stops. */
    int (*progress)(void *ctx, const struct documents_migration *m, struct err *e);
    void *ctx;
};

/* Moves all that is not with d's driver to it; d must be able to read where it is now (directory,
 * bucket). Whole ones of up to 16 KiB stay in the database with every driver. What the moved ones
 * leave behind is marked: documents_sweep() removes it. */
int documents_migrate(struct documents *d, struct documents_migration *m, struct err *e);
/* How many are not with d's driver. */
int64_t documents_elsewhere(struct documents *d, struct err *e);

#endif
