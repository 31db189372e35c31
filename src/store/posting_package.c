/* posting_package.c - numbers of packages: found, or given when they are new. */
#include "store/posting.h"

#include "base/auto.h"
#include "codec/digest.h"
#include "store/db_many.h"

#include <stdlib.h>

enum {
    NAME_MAX_BYTES = 127,
    DIGEST_BYTES = 16,
    GROUP = 1024,
    FIND_MAX = 128,
    INSERT_MAX = 256,
    INSERT_VALUES = 3,
    NAMES_MAX = 256, /* rows of one statement */
};

struct numbered { /* a package of the group */
    const struct posting_package *p;
    uint8_t digest[DIGEST_BYTES];
    size_t place;
    int64_t id; /* 0: none yet */
    bool fresh;
};

struct numbering {
    struct db_tx *tx;
    struct numbered *all;   /* of the group, by place */
    struct numbered **open; /* without a number: by digest, each once */
    size_t n;
};

static int by_digest(const void *a, const void *b)
{
    const struct numbered *x = *(struct numbered *const *)a, *y = *(struct numbered *const *)b;
    int c = memcmp(x->digest, y->digest, DIGEST_BYTES);
    return c ? c : (x->place > y->place) - (x->place < y->place);
}

static int by_place(const void *a, const void *b)
{
    const struct numbered *x = *(struct numbered *const *)a, *y = *(struct numbered *const *)b;
    return (x->place > y->place) - (x->place < y->place);
}

static int only_digest(const void *key, const void *item)
{
    return memcmp(key, (*(struct numbered *const *)item)->digest, DIGEST_BYTES);
}

static str digest_of(const struct numbered *x)
{
    return (str){(const char *)x->digest, DIGEST_BYTES};
}

/* Rows (id, digest): their packages have numbers from now on. */
static int take_numbers(struct numbering *g, struct db_rows *r, bool fresh, struct err *e)
{
    int rc;
    while ((rc = db_next(r, e)) == 1) {
        str digest = db_blob(r, 1);
        struct numbered **at =
            digest.n == DIGEST_BYTES
                ? bsearch(digest.p, g->open, g->n, sizeof(struct numbered *), only_digest)
                : NULL;
        if (!at)
            continue;
        (*at)->id = db_int(r, 0);
        (*at)->fresh = fresh;
    }
    return rc;
}

static void drop_numbered(struct numbering *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->n; i++)
        if (!g->open[i]->id)
            g->open[kept++] = g->open[i];
    g->n = kept;
}

static int find(struct numbering *g, struct err *e)
{
    int rc = 0;
    for (size_t i = 0, some; i < g->n && rc >= 0; i += some) {
        struct db_value v[FIND_MAX];
        size_t width = g->n - i == 1 ? 1 : FIND_MAX;
        auto_buf sql;
        auto_rows *r = NULL;
        some = g->n - i < width ? g->n - i : width;
        for (size_t k = 0; k < width; k++)
            v[k] = DBB(digest_of(g->open[i + (k < some ? k : some - 1)]));
        buf_init(&sql, 4000);
        buf_add_str(&sql, STR("SELECT id, digest FROM posting_package WHERE digest IN "));
        db_places(&sql, 1, width);
        rc = buf_check(&sql, "a question about packages", e);
        if (rc == 0)
            rc = db_query(g->tx, buf_z(&sql), v, width, &r, e);
        if (rc >= 0)
            rc = take_numbers(g, r, false, e);
    }
    drop_numbered(g);
    return rc;
}

static bool named(const struct numbered *x)
{
    return x->p->name.n && x->p->name.n <= NAME_MAX_BYTES;
}

/* Statements depend on their values' types: one without a name goes alone. */
static size_t insert_batch(struct numbered *const *list, size_t n)
{
    size_t same = 0;
    while (same < n && same < INSERT_MAX && named(list[same]))
        same++;
    return db_batch(same, INSERT_MAX);
}

static int insert_some(struct numbering *g, struct numbered *const *list, size_t n, struct err *e)
{
    struct db_value v[INSERT_MAX * INSERT_VALUES];
    auto_buf sql;
    auto_rows *r = NULL;
    for (size_t i = 0; i < n; i++) {
        v[3 * i] = DBB(digest_of(list[i]));
        v[3 * i + 1] = DBB(list[i]->p->identity);
        v[3 * i + 2] = named(list[i]) ? DBB(list[i]->p->name) : DBNULL;
    }
    buf_init(&sql, 64 << 10);
    buf_add_str(&sql, STR("INSERT INTO posting_package (digest, identity, name) VALUES "));
    db_places(&sql, n, INSERT_VALUES);
    buf_add_str(&sql, STR(" ON CONFLICT DO NOTHING RETURNING id, digest"));
    int rc = buf_check(&sql, "new packages", e);
    if (rc == 0)
        rc = db_query(g->tx, buf_z(&sql), v, n * INSERT_VALUES, &r, e);
    return rc < 0 ? rc : take_numbers(g, r, true, e);
}

/* In the caller's order, so that an image's numbers stand close together. */
static int insert(struct numbering *g, struct err *e)
{
    autofree struct numbered **placed = malloc((g->n + 1) * sizeof *placed);
    if (!placed)
        return err_no_memory(e);
    memcpy(placed, g->open, g->n * sizeof *placed);
    qsort(placed, g->n, sizeof *placed, by_place);
    int rc = 0;
    for (size_t i = 0, some; i < g->n && rc >= 0; i += some) {
        some = insert_batch(placed + i, g->n - i);
        rc = insert_some(g, placed + i, some, e);
    }
    drop_numbered(g);
    return rc;
}

/* ---- names */

static int add_some_names(struct db_tx *tx, const struct db_value *v, size_t n, struct err *e)
{
    auto_buf sql;
    buf_init(&sql, 16 << 10);
    buf_add_str(&sql, STR("INSERT INTO posting_name (name, package) VALUES "));
    db_places(&sql, n, 2);
    buf_add_str(&sql, STR(" ON CONFLICT DO NOTHING"));
    int rc = buf_check(&sql, "names of packages", e);
    int64_t changed = rc < 0 ? rc : db_exec(tx, buf_z(&sql), v, 2 * n, e);
    return changed < 0 ? (int)changed : 0;
}

static int add_names(struct numbering *g, size_t n, struct err *e)
{
    VEC(struct db_value) v = {0};
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; rc == 0 && g->all[i].fresh && k < g->all[i].p->n_names; k++) {
            struct db_value *name = vec_push(&v), *package = name ? vec_push(&v) : NULL;
            if (!package) {
                rc = err_no_memory(e);
                break;
            }
            v.p[v.n - 2] = DBI((int64_t)g->all[i].p->names[k]);
            *package = DBI(g->all[i].id);
        }
    for (size_t i = 0, some; rc == 0 && i < v.n; i += 2 * some) {
        some = db_batch((v.n - i) / 2, NAMES_MAX);
        rc = add_some_names(g->tx, v.p + i, some, e);
    }
    vec_done(&v);
    return rc;
}

/* ---- a group */

/* sorted: room for n. */
static int number_group(struct numbering *g, const struct posting_package *p, size_t n,
                        struct numbered **sorted, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct sha256 d = sha256_of(p[i].identity.p, p[i].identity.n);
        g->all[i] = (struct numbered){.p = &p[i], .place = i};
        memcpy(g->all[i].digest, d.b, DIGEST_BYTES);
        sorted[i] = &g->all[i];
    }
    qsort(sorted, n, sizeof *sorted, by_digest);
    g->n = 0;
    for (size_t i = 0; i < n; i++)
        if (!i || memcmp(sorted[i]->digest, sorted[i - 1]->digest, DIGEST_BYTES) != 0)
            g->open[g->n++] = sorted[i];
    int rc = find(g, e);
    for (int attempt = 0; rc >= 0 && g->n && attempt < 3; attempt++) {
        rc = insert(g, e);
        if (rc >= 0 && g->n) /* others were first */
            rc = find(g, e);
    }
    if (rc >= 0 && g->n)
        return err_set(e, ERR_CONFLICT, "a package comes and goes");
    for (size_t i = 1; i < n; i++)
        if (memcmp(sorted[i]->digest, sorted[i - 1]->digest, DIGEST_BYTES) == 0)
            sorted[i]->id = sorted[i - 1]->id;
    return rc < 0 ? rc : add_names(g, n, e);
}

int posting_package_ids(struct db_tx *tx, const struct posting_package *p, size_t n, int64_t *ids,
                        bool *fresh, struct err *e)
{
    size_t most = n < GROUP ? n : GROUP;
    autofree struct numbered *all = calloc(most + 1, sizeof *all);
    autofree struct numbered **lists = calloc(2 * (most + 1), sizeof *lists);
    if (!all || !lists)
        return err_no_memory(e);
    struct numbering g = {.tx = tx, .all = all, .open = lists};
    for (size_t i = 0, some; i < n; i += some) {
        some = n - i < GROUP ? n - i : GROUP;
        int rc = number_group(&g, p + i, some, lists + most + 1, e);
        if (rc < 0)
            return rc;
        for (size_t k = 0; k < some; k++) {
            ids[i + k] = all[k].id;
            if (fresh)
                fresh[i + k] = all[k].fresh;
        }
    }
    return 0;
}
