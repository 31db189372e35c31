/* history.h - what history.c and history_check.c share. */
#ifndef KELLET_TESTS_BENCH_HISTORY_H
#define KELLET_TESTS_BENCH_HISTORY_H

#include "history_world.h"

enum { EACH_MOST = 300, QUESTIONS = 128 };
static const int64_t day = (int64_t)86400 * 1000000;

struct bench {
    struct world w;
    struct fleet_store s;
    int64_t *ids;       /* of packages; 0: not stored yet */
    int64_t *came;      /* of images: step; -1: before the first */
    int64_t real, step; /* clock of the store when it began; step at hand */
    uint64_t wrong;     /* differences from brute force */
};

struct question {
    struct arena arena;
    str name;
    int64_t at;
    bool now;
    /* the answer */
    uint8_t *images; /* by number */
    uint64_t n;
};
/* Number 0 ... 2 * QUESTIONS - 1: odd ones by what is known now. */
void make_question(struct bench *b, uint64_t number, struct question *q);
void drop_question(struct question *q);
/* data: the newest. *took: seconds. */
void ask(struct bench *b, const struct vulndb *data, struct question *q, double *took);

/* Prints what it looked at; b->wrong counts. */
void history_verify(struct bench *b);

#endif
