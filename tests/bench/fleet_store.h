/* fleet_store.h - what the benches that keep a fleet of images share: clocks, seeds, the store,
 * packages and images put into it as the engine does. Every error ends the program. */
#ifndef KELLET_TESTS_BENCH_FLEET_STORE_H
#define KELLET_TESTS_BENCH_FLEET_STORE_H

#include "packages/inventory.h"
#include "services/policy_engine/reindex.h"
#include "store/documents.h"
#include "store/posting.h"

enum { FLEET_ACCOUNTS = 200 };

/* Ends the program with e's text when r is negative. */
void must(int64_t r, const struct err *e);

double wall_seconds(void);
double cpu_seconds(void); /* user + system of this process */
/* VmHWM, which counts from the last call with true: what the question itself takes. */
double peak_mib(bool from_here);
/* On standard error, now and then. */
void progress(const char *what, uint64_t at, uint64_t all);

/* splitmix64: the same fleet on every machine. */
uint64_t draw(uint64_t *seed);

struct fleet_store {
    char url[4200];
    struct db *db;
    struct documents *documents;
};
/* SQLite in DIR, or $FLEET_DB; with the newest schema. */
void fleet_open(struct fleet_store *s, const char *dir);
void fleet_close(struct fleet_store *s);
double fleet_gb(struct fleet_store *s); /* that it takes on disk */

/* The number of a distinct package, given when it is new. */
int fleet_package(struct db_tx *tx, const struct inventory *inv, const struct inv_package *p,
                  int64_t *id, struct err *e);
/* Image number i: account i mod FLEET_ACCOUNTS; its digest ends with the number. */
struct fleet_name {
    char account[24], digest[80];
};
struct fleet_name fleet_name(uint64_t image);
uint64_t fleet_number(str digest); /* the way back */

/* Summaries of the images that have none, a block at a time, where the engine does some thousand:
 * the same, written less often. Merges the index. */
void fleet_sum_up(const struct fleet_store *s, const struct reindex_options *o);

#endif
