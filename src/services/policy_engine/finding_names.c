#include "services/policy_engine/finding_names.h"

#include "base/auto.h"
#include "base/map.h"
#include "match/lore.h"
#include "store/db_many.h"

enum { NAMES_ARENA = 1 << 30, WRITES = 1000, NAMES_MOST = 1000, ASKED = 256 };

static bool is_cve(str id)
{
    return str_starts(id, STR("CVE-"));
}

/* ---- reading -----------------------------------------------------------------------------------
 */

struct gathering {
    struct arena *a;
    VEC(str) list;
    bool no_cves;
};

static int gather(struct gathering *g, str name, struct err *e)
{
    if (g->no_cves && is_cve(name))
        return 0;
    for (size_t i = 0; i < g->list.n; i++)
        if (str_eq(g->list.p[i], name))
            return 0;
    if (g->list.n == NAMES_MOST)
        return err_set(e, ERR_LIMIT, "a vulnerability has more than %d names", NAMES_MOST);
    str kept = arena_dup(g->a, name), *slot = vec_push(&g->list);
    if (slot)
        *slot = kept;
    return slot && kept.p ? 0 : err_no_memory(e);
}

/* The ids that it is reported under, and the names of each. */
static int gather_lore(struct lore_book *book, const struct vuln *v, struct gathering *g,
                       struct err *e)
{
    struct lore_keys keys;
    int rc = lore_keys(book, v, &keys, e);
    for (size_t i = 0; rc >= 0 && i < keys.n; i++) {
        const struct lore *l;
        rc = lore_find(book, keys.ids[i], &l, e);
        if (rc >= 0)
            rc = gather(g, l->id, e);
        for (size_t k = 0; rc >= 0 && k < l->n_aliases; k++)
            rc = gather(g, l->aliases[k], e);
    }
    return rc;
}

static int gathered(struct gathering *g, int rc, str **out, size_t *n, struct err *e)
{
    str *list = rc < 0 ? NULL : arena_calloc(g->a, g->list.n + 1, sizeof *list);
    if (rc >= 0 && !list)
        rc = err_no_memory(e);
    if (rc >= 0 && g->list.n)
        memcpy(list, g->list.p, g->list.n * sizeof *list);
    if (rc >= 0) {
        *out = list;
        *n = g->list.n;
    }
    vec_done(&g->list);
    return rc < 0 ? rc : 0;
}

int finding_names_now(const struct vulndb *db, struct arena *a, str id, str **out, size_t *n,
                      struct err *e)
{
    struct gathering g = {.a = a};
    struct lore_book book;
    struct db_vuln *records = NULL;
    size_t found = 0;
    lore_init(&book, db);
    int rc = gather(&g, id, e);
    if (rc >= 0 && db)
        rc = vulndb_vuln(db, id, &book.arena, &records, &found, e);
    for (size_t i = 0; rc >= 0 && i < found; i++)
        rc = gather_lore(&book, &records[i].vuln, &g, e);
    if (rc >= 0 && db && !found) /* only others know it */
        rc = gather_lore(&book, &(struct vuln){.id = id}, &g, e);
    lore_done(&book);
    return gathered(&g, rc, out, n, e);
}

static int gather_all(struct db_tx *tx, const char *sql, str of, struct gathering *g, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, sql, DB(DBS(of)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1)
        rc = gather(g, db_text(r, 0), e);
    return rc;
}

/* From the name that is asked for, the first, to ids; from these to all their names. The other
 * names lead nowhere (an alias may be two CVEs' own), and a CVE leads to no other. */
int finding_names_ever(struct db_tx *tx, struct arena *a, str **names, size_t *n, struct err *e)
{
    struct gathering g = {.a = a};
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < *n; i++)
        rc = gather(&g, (*names)[i], e);
    size_t given = g.list.n;
    g.no_cves = given && is_cve(g.list.p[0]);
    if (rc >= 0 && given && !g.no_cves)
        rc = gather_all(tx, "SELECT vulnerability FROM finding_name WHERE name = $1", g.list.p[0],
                        &g, e);
    size_t ids = g.list.n;
    for (size_t i = 0; rc >= 0 && i < ids; i++)
        if (i == 0 || i >= given || is_cve(g.list.p[i]))
            rc = gather_all(tx, "SELECT name FROM finding_name WHERE vulnerability = $1",
                            g.list.p[i], &g, e);
    return gathered(&g, rc, names, n, e);
}

/* ---- keeping -----------------------------------------------------------------------------------
 */

struct pair {
    str name, id;
};
struct naming {
    const struct reindex_options *o;
    struct arena a;
    struct lore_book book;
    struct map ids, known; /* ids; "name id" of what is stored */
    VEC(str) list;         /* ids */
    VEC(struct pair) fresh;
    size_t at; /* of fresh: what the transaction at hand begins with */
    const posting_ids *packages;
    char generation[72]; /* whose names are kept */
    int64_t day, today;  /* since 1970: when all were gone through */
};

static void naming_init(struct naming *m, const struct reindex_options *o)
{
    *m = (struct naming){.o = o};
    arena_init(&m->a, NAMES_ARENA);
    map_init(&m->ids);
    map_init(&m->known);
    lore_init(&m->book, o->data);
}

static void naming_done(struct naming *m)
{
    lore_done(&m->book);
    map_done(&m->ids);
    map_done(&m->known);
    vec_done(&m->list);
    vec_done(&m->fresh);
    arena_done(&m->a);
}

static int take_id(struct naming *m, str id, struct err *e)
{
    if (map_get(&m->ids, id))
        return 0;
    str kept = arena_dup(&m->a, id), *slot = vec_push(&m->list);
    if (!kept.p || !slot || !map_put(&m->ids, kept, m))
        return err_no_memory(e);
    *slot = kept;
    return 0;
}

static int look_up(struct naming *m, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && m->o->data && i < m->list.n; i++) {
        const struct lore *l;
        rc = lore_find(&m->book, m->list.p[i], &l, e);
        for (size_t k = 0; rc >= 0 && k < l->n_aliases; k++) {
            str key = arena_printf(&m->a, "%.*s %.*s", STR_ARG(l->aliases[k]), STR_ARG(l->id));
            if (key.p && map_get(&m->known, key))
                continue;
            struct pair *p = vec_push(&m->fresh);
            if (!key.p || !p)
                return err_no_memory(e);
            *p = (struct pair){l->aliases[k], l->id};
        }
    }
    return rc < 0 ? rc : 0;
}

static int write_some(struct db_tx *tx, void *ctx, struct err *e)
{
    struct naming *m = ctx;
    int64_t n = reindex_fence(tx, m->o, e);
    for (size_t i = m->at; n >= 0 && i < m->fresh.n && i < m->at + WRITES; i++)
        n = db_exec(tx,
                    "INSERT INTO finding_name (name, vulnerability) VALUES ($1, $2)"
                    " ON CONFLICT (name, vulnerability) DO NOTHING",
                    DB(DBS(m->fresh.p[i].name), DBS(m->fresh.p[i].id)), e);
    return n < 0 ? (int)n : 0;
}

static int write_fresh(struct naming *m, struct err *e)
{
    int rc = 0;
    for (m->at = 0; rc >= 0 && m->at < m->fresh.n; m->at += WRITES)
        rc = db_run(m->o->db, DB_WRITE, write_some, m, e);
    return rc < 0 ? rc : 0;
}

int finding_names_add(const struct reindex_options *o, const struct candidate *c, size_t n,
                      struct err *e)
{
    struct naming m;
    int rc = 0;
    naming_init(&m, o);
    for (size_t i = 0; rc >= 0 && i < n; i++)
        for (size_t k = 0; rc >= 0 && k < c[i].n_now; k++)
            rc = take_id(&m, c[i].now[k].id, e);
    if (rc >= 0)
        rc = look_up(&m, e);
    if (rc >= 0)
        rc = write_fresh(&m, e);
    naming_done(&m);
    return rc;
}

static int read_kept(struct db_tx *tx, void *ctx, struct err *e)
{
    struct naming *m = ctx;
    auto_rows *r = NULL;
    int rc = db_query_int(tx, "SELECT now_us() / 86400000000", DB0, &m->today, e);
    if (rc >= 0)
        rc = db_query(tx, "SELECT generation, rules FROM finding_state WHERE name = 'names'", DB0,
                      &r, e);
    if (rc >= 0 && (rc = db_next(r, e)) == 1) {
        snprintf(m->generation, sizeof m->generation, "%.*s", STR_ARG(db_text(r, 0)));
        m->day = db_int(r, 1);
    }
    return rc;
}

static int take_known(struct naming *m, const struct db_rows *names, struct err *e)
{
    str key =
        arena_printf(&m->a, "%.*s %.*s", STR_ARG(db_text(names, 0)), STR_ARG(db_text(names, 1)));
    return key.p && map_put(&m->known, key, m) ? 0 : err_no_memory(e);
}

/* "... IN ($1, $2 ...)" of n values that begin here. */
static int query_in(struct db_tx *tx, const char *sql, const struct db_value *v, size_t n,
                    struct db_rows **out, struct err *e)
{
    auto_buf text;
    buf_init(&text, 64 << 10);
    buf_add_str(&text, str_z(sql));
    db_places(&text, 1, n);
    const char *z = buf_z(&text);
    return z ? db_query(tx, z, v, n, out, e) : err_no_memory(e);
}

static int read_findings(struct db_tx *tx, struct naming *m, struct err *e)
{
    struct db_value v[ASKED];
    int rc = 0;
    for (size_t i = 0, n; rc >= 0 && i < m->packages->n; i += n) {
        auto_rows *ids = NULL;
        n = db_batch(m->packages->n - i, ASKED);
        for (size_t k = 0; k < n; k++)
            v[k] = DBI(m->packages->p[i + k]);
        rc = query_in(tx, "SELECT DISTINCT vulnerability FROM finding_span WHERE package IN ", v, n,
                      &ids, e);
        while (rc >= 0 && (rc = db_next(ids, e)) == 1)
            rc = take_id(m, db_text(ids, 0), e);
    }
    return rc;
}

static int read_some(struct db_tx *tx, void *ctx, struct err *e)
{
    struct naming *m = ctx;
    struct db_value v[ASKED];
    int rc = read_findings(tx, m, e);
    for (size_t i = 0, n; rc >= 0 && i < m->list.n; i += n) {
        auto_rows *names = NULL;
        n = db_batch(m->list.n - i, ASKED);
        for (size_t k = 0; k < n; k++)
            v[k] = DBS(m->list.p[i + k]);
        rc = query_in(tx, "SELECT name, vulnerability FROM finding_name WHERE vulnerability IN ", v,
                      n, &names, e);
        while (rc >= 0 && (rc = db_next(names, e)) == 1)
            rc = take_known(m, names, e);
    }
    return rc < 0 ? rc : 0;
}

static int read_all(struct db_tx *tx, void *ctx, struct err *e)
{
    struct naming *m = ctx;
    auto_rows *ids = NULL, *names = NULL;
    int rc = db_query(tx, "SELECT DISTINCT vulnerability FROM finding_span", DB0, &ids, e);
    while (rc >= 0 && (rc = db_next(ids, e)) == 1)
        rc = take_id(m, db_text(ids, 0), e);
    if (rc >= 0)
        rc = db_query(tx, "SELECT name, vulnerability FROM finding_name", DB0, &names, e);
    while (rc >= 0 && (rc = db_next(names, e)) == 1)
        rc = take_known(m, names, e);
    return rc < 0 ? rc : 0;
}

static int write_kept(struct db_tx *tx, void *ctx, struct err *e)
{
    struct naming *m = ctx;
    int64_t n = reindex_fence(tx, m->o, e);
    if (n >= 0)
        n = db_exec(tx,
                    "INSERT INTO finding_state (name, generation, rules, holder) VALUES"
                    " ('names', $1, $2, '') ON CONFLICT (name) DO UPDATE SET"
                    " generation = excluded.generation, rules = excluded.rules",
                    DB(DBZ(m->o->generation), DBI(m->day)), e);
    return n < 0 ? (int)n : 0;
}

int finding_names_keep(const struct reindex_options *o, const posting_ids *packages,
                       const char *before, struct err *e)
{
    struct naming m;
    naming_init(&m, o);
    m.packages = packages;
    int rc = db_run(o->db, DB_READ, read_kept, &m, e);
    bool kept = strcmp(m.generation, o->generation) == 0;
    bool all = !packages || !*before || strcmp(m.generation, before) != 0 || m.day != m.today;
    if (rc >= 0 && !kept) {
        m.day = m.today;
        rc = db_run(o->db, DB_READ, all ? read_all : read_some, &m, e);
        if (rc >= 0)
            rc = look_up(&m, e);
        if (rc >= 0)
            rc = write_fresh(&m, e);
        if (rc >= 0)
            rc = db_run(o->db, DB_WRITE, write_kept, &m, e);
    }
    naming_done(&m);
    return rc < 0 ? rc : 0;
}
