/* vulndb_lookup.c - what a look-up of one package costs, beside a floor of the same run: finding
 * the same name in a plain hash table.
 *
 *     bench-vulndb-lookup DATA [ROUNDS]
 *
 * DATA holds vulndb/ (`kellet feeds load --data DATA ...`). Every package of the database is looked
 * up, in shuffled order, with a version in the middle of what its claims name and with none. */
#include "base/map.h"
#include "base/vec.h"
#include "vulndb/vulndb.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct query {
    str platform, ecosystem, package, version;
    str key; /* of the plain table */
};
struct queries {
    VEC(struct query) list;
    struct arena arena;
    uint64_t claims;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* ours alone: the machine may be busy */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int collect(void *ctx, const struct db_claim *c, struct err *e)
{
    struct queries *q = ctx;
    struct query *last = q->list.n ? &q->list.p[q->list.n - 1] : NULL;
    q->claims++;
    if (last && str_eq(last->package, c->claim.package) &&
        str_eq(last->platform, c->claim.platform)) {
        if (c->claim.fixed.n) /* the newest fix: some claims cover it, some do not */
            last->version = arena_dup(&q->arena, c->claim.fixed);
        return 0;
    }
    struct query *new = vec_push(&q->list);
    if (!new)
        return err_no_memory(e);
    new->platform = arena_dup(&q->arena, c->claim.platform);
    new->ecosystem = arena_dup(&q->arena, c->claim.ecosystem);
    new->package = arena_dup(&q->arena, c->claim.package);
    new->version = arena_dup(&q->arena, c->claim.fixed.n ? c->claim.fixed : STR("1.0"));
    new->key = arena_printf(&q->arena, "%.*s%.*s/%.*s", STR_ARG(new->platform),
                            STR_ARG(new->ecosystem), STR_ARG(new->package));
    return 0;
}

static void shuffle(struct queries *q)
{
    uint64_t x = 88172645463325252ull;
    for (size_t i = q->list.n; i > 1; i--) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        struct query swap = q->list.p[i - 1];
        q->list.p[i - 1] = q->list.p[x % i];
        q->list.p[x % i] = swap;
    }
}

static double floor_ns(const struct queries *q, unsigned rounds)
{
    struct map m;
    size_t found = 0;
    map_init(&m);
    for (size_t i = 0; i < q->list.n; i++)
        map_put(&m, q->list.p[i].key, &q->list.p[i]);
    uint64_t start = now_ns();
    for (unsigned r = 0; r < rounds; r++)
        for (size_t i = 0; i < q->list.n; i++)
            found += map_get(&m, q->list.p[i].key) != NULL;
    uint64_t took = now_ns() - start;
    map_done(&m);
    return (double)took / (double)(found ? found : 1);
}

static double lookup_ns(const struct vulndb *db, const struct queries *q, unsigned rounds,
                        int versions, uint64_t *hits)
{
    struct arena a;
    struct err e;
    *hits = 0;
    arena_init(&a, 256 << 20);
    uint64_t start = now_ns();
    for (unsigned r = 0; r < rounds; r++)
        for (size_t i = 0; i < q->list.n; i++) {
            const struct query *at = &q->list.p[i];
            struct db_claim *list;
            size_t n;
            str version = versions == 0 ? STR("") : versions == 1 ? at->version : STR("999999:0");
            if (a.used > 1 << 20)
                arena_done(&a);
            if (vulndb_lookup(db, at->platform, at->ecosystem, at->package, version, &a, &list, &n,
                              &e) < 0) {
                fprintf(stderr, "%s\n", e.text);
                exit(1);
            }
            *hits += n;
        }
    uint64_t took = now_ns() - start;
    arena_done(&a);
    return (double)took / ((double)rounds * (double)q->list.n);
}

static void report(const char *what, double ns, double least, uint64_t hits, double lookups)
{
    printf("%-34s %8.0f ns a package, %6.1f x the floor, %5.2f claims each\n", what, ns, ns / least,
           (double)hits / lookups);
}

int main(int argc, char **argv)
{
    struct err e;
    struct vulndb *db;
    struct queries q = {0};
    uint64_t value;
    if (argc < 2) {
        fputs("usage: bench-vulndb-lookup DATA [ROUNDS]\n", stderr);
        return 2;
    }
    unsigned rounds = argc > 2 && str_to_u64(str_z(argv[2]), &value) ? (unsigned)value : 20;
    uint64_t start = now_ns();
    if (vulndb_open(argv[1], &db, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    double open_us = (double)(now_ns() - start) / 1000;
    arena_init(&q.arena, (size_t)2 << 30);
    if (vulndb_each(db, STR(""), collect, &q, &e) < 0 || q.list.n == 0) {
        fputs("no claims\n", stderr);
        return 1;
    }
    shuffle(&q);
    double least = floor_ns(&q, rounds), n = (double)rounds * (double)q.list.n;
    uint64_t hits;
    printf("open: %.0f us; %zu packages, %llu claims, %u rounds\n", open_us, q.list.n,
           (unsigned long long)q.claims, rounds);
    printf("%-34s %8.0f ns a package\n", "plain hash table", least);
    double ns = lookup_ns(db, &q, rounds, 2, &hits);
    report("a version that nothing covers", ns, least, hits, n);
    ns = lookup_ns(db, &q, rounds, 1, &hits);
    report("a version that some claims cover", ns, least, hits, n);
    ns = lookup_ns(db, &q, rounds, 0, &hits);
    report("every claim of the package", ns, least, hits, n);
    vec_done(&q.list);
    arena_done(&q.arena);
    vulndb_close(db);
    return 0;
}
