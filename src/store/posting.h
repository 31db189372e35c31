/* posting.h - the inverted index: package identity -> images of the store that contain it.
 *
 * A distinct package is a row (its identity is the caller's bytes), an image a dense number. An
 * image that comes is one row with the numbers of its packages (gaps as varints): that is cheap and
 * in the transaction of whatever brought it. Some thousand such rows at a time are later merged
 * into the posting lists (package, block of 65,536 images -> posting_set.h), and likewise what went
 * is taken out of them. A reader adds what is not merged yet and forgets what is gone, so an answer
 * is exact at any moment. Any number of processes may use it.
 *
 * It finds the images of ten thousand packages in a blink and costs a byte or two for each package
 * of an image. */
#ifndef KELLET_STORE_POSTING_H
#define KELLET_STORE_POSTING_H

#include "base/vec.h"
#include "store/db.h"
#include "store/posting_set.h"

struct posting_package {
    str identity;          /* two packages are the same when these bytes are */
    const uint64_t *names; /* under which posting_by_name() finds it */
    size_t n_names;
    str name; /* for posting_named(); empty: none */
};
typedef VEC(int64_t) posting_ids;
/* For qsort() and bsearch() of numbers. */
static inline int posting_id_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The packages' numbers, given in this order to those that are new. fresh (MAY be NULL): which are;
 * of several that are the same, the first. A hundred or more are asked about in one statement. */
int posting_package_ids(struct db_tx *tx, const struct posting_package *p, size_t n, int64_t *ids,
                        bool *fresh, struct err *e);
/* Appends the numbers of all packages that have one of the names; some come twice. */
int posting_by_names(struct db_tx *tx, const int64_t *names, size_t n, posting_ids *out,
                     struct err *e);

struct posting_row { /* of a package */
    int64_t id;
    bool matched;
    str identity, counts; /* counts: the caller's bytes; empty: none */
};
typedef int posting_row_fn(void *ctx, const struct posting_row *row, struct err *e);
/* Calls fn for each of these packages that is there, by number when the list is; a hundred in one
 * question. The row lives during the call. A negative value of fn ends it. */
int posting_rows(struct db_tx *tx, const int64_t *packages, size_t n, posting_row_fn *fn, void *ctx,
                 struct err *e);
/* The same for each package of exactly this name, and for some others: the caller looks at the
 * identity. An empty name: for all packages. */
int posting_named(struct db_tx *tx, str name, posting_row_fn *fn, void *ctx, struct err *e);

/* Makes the image's packages exactly these (any order, repetitions are fine; at most a million).
 * `since`: when it came, microseconds; 0: now. An image that is known keeps the time it has; with
 * other packages than before it gets a new number. */
int posting_put(struct db_tx *tx, str account, str digest, int64_t since, const int64_t *packages,
                size_t n, struct err *e);
/* 1 when the image was known, else 0. */
int posting_delete(struct db_tx *tx, str account, str digest, struct err *e);
/* Merges at most `limit` images that came and `limit` that went, in one transaction; returns how
 * many. To be called by one process at a time (others wait). `summed`: only images that have a
 * summary of their findings: those without are looked for among what waits. */
int64_t posting_merge(struct db *db, size_t limit, bool summed, struct err *e);
/* How many wait to be merged: came and went. */
int posting_waiting(struct db_tx *tx, int64_t *out, struct err *e);

/* ---- reading: everything in one transaction ---------------------------------------------------
 */
struct posting_reader;
/* ERR_LIMIT when more than 65,536 images wait to be merged. */
int posting_open(struct db_tx *tx, struct posting_reader **out, struct err *e);
/* For questions about these packages only (ascending; borrowed by the reader), however many wait.
 */
int posting_open_for(struct db_tx *tx, const int64_t *packages, size_t n,
                     struct posting_reader **out, struct err *e);
void posting_close(struct posting_reader *r); /* NULL is fine */
static inline void posting_close_(struct posting_reader **r)
{
    posting_close(*r);
}
#define auto_posting struct posting_reader KE_CLEANUP(posting_close_)

/* Adds the images that have one of the packages. */
int posting_read(struct posting_reader *r, int64_t package, struct posting_set *out, struct err *e);
int posting_read_all(struct posting_reader *r, const int64_t *packages, size_t n,
                     struct posting_set *out, struct err *e);

struct posting_image {
    int64_t id, since; /* since: microseconds */
    str account, digest;
};
/* Calls fn for each image of the set that is (still) in the store, by number; of one account, or
 * all when it is empty. The record lives during the call. A negative value of fn ends it. */
int posting_images(struct db_tx *tx, const struct posting_set *set, str account,
                   int (*fn)(void *ctx, const struct posting_image *i, struct err *e), void *ctx,
                   struct err *e);
/* One image: its number, when it came (MAY be NULL) and its packages (appended, ascending). 1, or 0
 * when it is not known. */
int posting_image_packages(struct db_tx *tx, str account, str digest, int64_t *image,
                           int64_t *since, posting_ids *out, struct err *e);
/* The same by number; 0 when it is gone. */
int posting_list(struct db_tx *tx, int64_t image, posting_ids *out, struct err *e);

#endif
