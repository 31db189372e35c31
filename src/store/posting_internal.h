/* posting_internal.h - shared by posting*.c only. */
#ifndef KELLET_STORE_POSTING_INTERNAL_H
#define KELLET_STORE_POSTING_INTERNAL_H

#include "base/cursor.h"
#include "store/posting.h"

/* Calls fn for each package of a stored list, ascending. A negative value of fn: memory is out. */
int posting_unpack(str bytes, int (*fn)(void *ctx, int64_t package), void *ctx, struct err *e);

enum { POSTING_MANY = 128 };
/* A query that ends with "IN" gets its list of values; *used of the n numbers stand in it, so that
 * few texts have to be prepared. */
int posting_query(struct db_tx *tx, const char *head, const char *tail, const int64_t *list,
                  size_t n, size_t *used, struct db_rows **out, struct err *e);

#endif
