/* db_many.h - statements about many rows at once: one round trip where a statement for each row
 * would cost one each. */
#ifndef KELLET_STORE_DB_MANY_H
#define KELLET_STORE_DB_MANY_H

#include "base/buf.h"

/* Appends "($1, $2), ($3, $4) ...": `groups` groups of `each` parameters. */
void db_places(struct buf *sql, size_t groups, size_t each);
/* How many of those that are left go into the next statement: max, or a quarter of it, a sixteenth
 * ... so that few texts have to be prepared. */
size_t db_batch(size_t left, size_t max);

#endif
