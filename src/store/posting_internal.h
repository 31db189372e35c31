/* posting_internal.h - shared by posting*.c only. */
#ifndef KELLET_STORE_POSTING_INTERNAL_H
#define KELLET_STORE_POSTING_INTERNAL_H

#include "base/cursor.h"
#include "store/posting.h"

/* Calls fn for each package of a stored list, ascending. A negative value of fn: memory is out. */
int posting_unpack(str bytes, int (*fn)(void *ctx, int64_t package), void *ctx, struct err *e);

#endif
