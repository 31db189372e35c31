#include "vulndb/alias.h"

#include "base/auto.h"
#include "vulndb/shard_writer.h"

enum { ROW_ARENA = 16 << 20 };
#define IDS_MAX ((size_t)2 << 30)

struct joiner {
    struct arena arena, row;
    struct intern ids;
    VEC(uint32_t) parent; /* by number of the id */
};

static uint32_t root_of(struct joiner *j, uint32_t id)
{
    while (j->parent.p[id] != id) {
        j->parent.p[id] = j->parent.p[j->parent.p[id]];
        id = j->parent.p[id];
    }
    return id;
}

static bool number(struct joiner *j, str id, uint32_t *out)
{
    *out = intern_add(&j->ids, id);
    while (*out != INTERN_FAILED && j->parent.n < j->ids.n) {
        uint32_t *p = vec_push(&j->parent);
        if (!p)
            return false;
        *p = (uint32_t)(j->parent.n - 1);
    }
    return *out != INTERN_FAILED;
}

static bool joins(const struct vuln *v, size_t i, size_t n_upstream)
{
    if (v->status == VULN_WITHDRAWN || v->status == VULN_REJECTED)
        return false;
    return v->aliases[i].kind == ALIAS_SAME ||
           (v->aliases[i].kind == ALIAS_UPSTREAM && n_upstream == 1);
}

static int join_vuln(struct joiner *j, const struct vuln *v, struct err *e)
{
    size_t n_upstream = 0;
    for (size_t i = 0; i < v->n_aliases; i++)
        n_upstream += v->aliases[i].kind == ALIAS_UPSTREAM;
    for (size_t i = 0; i < v->n_aliases; i++) {
        uint32_t a, b;
        if (!joins(v, i, n_upstream))
            continue;
        if (!number(j, v->id, &a) || !number(j, v->aliases[i].id, &b))
            return err_no_memory(e);
        a = root_of(j, a);
        b = root_of(j, b);
        j->parent.p[a > b ? a : b] = a > b ? b : a;
    }
    return 0;
}

static int join_shard(struct joiner *j, const struct shard *s, struct err *e)
{
    uint32_t n = shard_rows(s, SEC_ROWS, VULN_ROW);
    for (uint32_t i = 0; i < n; i++) {
        struct vuln v;
        if (j->row.used > ROW_ARENA / 2)
            arena_done(&j->row);
        if (!shard_vuln(s, i, &j->row, &v))
            return err_set(e, ERR_FORMAT, "the vulnerabilities of %.*s are damaged: load it again",
                           STR_ARG(s->source));
        int r = v.n_aliases ? join_vuln(j, &v, e) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

struct member {
    uint32_t group, rank; /* group: the smallest rank in it */
};

static int member_cmp(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void put_groups(struct shard_writer *w, const struct member *m, uint32_t n,
                       const uint32_t *by_rank, uint32_t *place)
{
    struct buf *data = &w->section[SEC_DATA];
    for (uint32_t i = 0, k; i < n; i = k) {
        uint32_t at = (uint32_t)data->n;
        for (k = i; k < n && m[k].group == m[i].group; k++)
            place[m[k].rank] = at;
        buf_add_varint(data, k - i);
        for (uint32_t x = i; x < k; x++)
            buf_add_varint(data, shard_writer_str(w, by_rank[m[x].rank]));
    }
}

static int put_aliases(struct joiner *j, struct shard_writer *w, const uint32_t *rank,
                       const uint32_t *by_rank, struct err *e)
{
    uint32_t n = j->ids.n, rows = 0;
    struct member *members autofree = calloc(n, sizeof *members);
    uint32_t *least autofree = malloc(n * sizeof *least);
    uint32_t *place autofree = calloc(n, sizeof *place);
    if (!members || !least || !place)
        return err_no_memory(e);
    memset(least, 0xff, n * sizeof *least);
    for (uint32_t id = 1; id < n; id++) {
        uint32_t root = root_of(j, id);
        least[root] = rank[id] < least[root] ? rank[id] : least[root];
    }
    for (uint32_t id = 1; id < n; id++)
        members[id - 1] = (struct member){least[root_of(j, id)], rank[id]};
    qsort(members, n - 1, sizeof *members, member_cmp);
    put_groups(w, members, n - 1, by_rank, place);
    for (uint32_t r = 0; r < n; r++) {
        if (by_rank[r] == 0)
            continue;
        buf_add_u32(&w->section[SEC_ROWS], 0);
        buf_add_u32(&w->section[SEC_ROWS], shard_writer_str(w, by_rank[r]));
        buf_add_u32(&w->section[SEC_ROWS], place[r]);
        rows++;
    }
    shard_writer_hash(w, rows, ALIAS_ROW);
    return shard_writer_finish(w, e);
}

static int write_aliases(struct joiner *j, struct buf *out, struct err *e)
{
    uint32_t *rank autofree = NULL, *by_rank autofree = NULL;
    uint32_t *refs autofree = calloc(j->ids.n, sizeof *refs);
    uint32_t zero;
    if (!refs || !number(j, STR(""), &zero) || !intern_rank(&j->ids, &rank, &by_rank))
        return err_no_memory(e);
    struct shard_writer w;
    shard_writer_init(&w, SHARD_ALIASES, STR(""), &j->ids, refs);
    int r = put_aliases(j, &w, rank, by_rank, e);
    if (r == 0) {
        buf_add_str(out, buf_view(&w.file));
        r = buf_check(out, "the alias index", e);
    }
    shard_writer_done(&w);
    return r;
}

int alias_build(const struct shard *const *vulns, size_t n, struct buf *out, struct err *e)
{
    struct joiner j = {0};
    arena_init(&j.arena, IDS_MAX);
    arena_init(&j.row, ROW_ARENA * 4);
    int r = intern_init(&j.ids, &j.arena) ? 0 : err_no_memory(e);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = join_shard(&j, vulns[i], e);
    if (r == 0)
        r = write_aliases(&j, out, e);
    intern_done(&j.ids);
    vec_done(&j.parent);
    arena_done(&j.arena);
    arena_done(&j.row);
    return r;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

int alias_group(const struct shard *s, str id, struct arena *a, str **out, size_t *n, struct err *e)
{
    bool bad = false;
    int64_t row = s ? shard_find(s, ALIAS_ROW, id, shard_hash(id), &bad) : -1;
    if (row < 0) {
        *out = arena_new(a, str);
        if (!*out)
            return err_no_memory(e);
        **out = id;
        *n = 1;
        return bad ? err_set(e, ERR_FORMAT, "the alias index is damaged") : 0;
    }
    str data = s->section[SEC_DATA];
    uint32_t at = shard_u32(s->section[SEC_ROWS].p + (size_t)row * ALIAS_ROW + 8);
    struct cursor c = cursor_over(data.p, data.n);
    cursor_skip(&c, at);
    uint64_t count = cursor_varint(&c);
    if (!cursor_ok(&c) || count == 0 || count > cursor_left(&c))
        return err_set(e, ERR_FORMAT, "the alias index is damaged");
    str *list = arena_calloc(a, count, sizeof *list);
    if (!list)
        return err_no_memory(e);
    for (uint64_t i = 0; i < count; i++)
        list[i] = shard_str(s, (uint32_t)cursor_varint(&c), &bad);
    if (bad || !cursor_ok(&c))
        return err_set(e, ERR_FORMAT, "the alias index is damaged");
    *out = list;
    *n = count;
    return 0;
}
