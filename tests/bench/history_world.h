/* history_world.h - the fleet of `script/bench history`: images of real names and versions that
 * appear over the time of the steps that tests/bench/history.py wrote, and what each step's own
 * data say of them (truth), matched without the engine's memory. Errors end the program. */
#ifndef KELLET_TESTS_BENCH_HISTORY_WORLD_H
#define KELLET_TESTS_BENCH_HISTORY_WORLD_H

#include "base/map.h"
#include "fleet_store.h"
#include "vulndb/vulndb.h"

struct version_run { /* of one name */
    size_t first, n;
};
struct world {
    const char *dir;
    uint64_t images, each;
    struct arena arena;
    VEC(struct package) packages;  /* by type, name, version */
    VEC(struct version_run) names; /* shuffled: the first ones are in most images */
    VEC(int64_t) steps;            /* when they came: microseconds, ascending */
};
void world_open(struct world *w, const char *dir, uint64_t images, uint64_t each);
void world_close(struct world *w);
/* Numbers of the `each` packages of an image; some come twice. */
void world_packages(const struct world *w, uint64_t image, uint32_t *out);
int64_t world_since(const struct world *w, uint64_t image); /* when it came */
/* The last step that is not later; -1: before the first. */
int64_t world_step(const struct world *w, int64_t at);
void world_data(const struct world *w, size_t step, struct vulndb **out);

/* ---- truth */

struct truth_pair {
    uint32_t id, package;
};
struct truth_name {
    uint32_t name, id;
};
struct truth_step {
    VEC(struct truth_pair) pairs; /* findings, by id and package */
    VEC(struct truth_name) names; /* a finding's other names */
    uint64_t *prints;             /* of each package: all that a change is told of */
    uint32_t *counts;             /* of each package: findings */
};
struct truth {
    struct truth_step *steps;
    struct truth_step ever; /* names only, of all steps */
    struct map numbers;     /* text -> number + 1 */
    struct arena arena;
    VEC(str) texts;
};
/* Every package against every step's data, by two threads. */
void truth_make(const struct world *w, struct truth *out);
/* The ids of findings that a vulnerability has or had, ascending, no two the same: those of `step`
 * only, or all that any step gives it (-1). */
void truth_ids(const struct truth *t, str name, int64_t step, posting_ids *out);
/* Has the package one of these findings? */
bool truth_has(const struct truth *t, size_t step, uint32_t package, const posting_ids *ids);

#endif
