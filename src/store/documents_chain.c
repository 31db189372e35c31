#include "store/documents_chain.h"

#include <zstd.h>

#include "base/auto.h"
#include "base/cursor.h"

static int damaged(struct err *e)
{
    return err_set(e, ERR_MISMATCH, "a stored document is damaged (parts)");
}

struct sha256 content_parts_digest(str raw, str chunks, str delta, const struct sha256 *base)
{
    struct sha256 all[4] = {sha256_of(raw.p ? raw.p : "", raw.n),
                            sha256_of(chunks.p ? chunks.p : "", chunks.n)};
    if (!base)
        return sha256_of(all, 2 * sizeof *all);
    all[2] = sha256_of(delta.p ? delta.p : "", delta.n);
    all[3] = *base;
    return sha256_of(all, sizeof all);
}

/* Appends exactly `size` bytes. */
static int expand(str packed, str dictionary, uint64_t size, struct buf *out, struct err *e)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    char *to = buf_reserve(out, size + 1);
    if (!z || !to) {
        ZSTD_freeDCtx(z);
        return err_no_memory(e);
    }
    size_t rc = ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, 27);
    if (!ZSTD_isError(rc) && dictionary.n)
        rc = ZSTD_DCtx_refPrefix(z, dictionary.p, dictionary.n);
    if (!ZSTD_isError(rc))
        rc = ZSTD_decompressDCtx(z, to, size, packed.p, packed.n);
    ZSTD_freeDCtx(z);
    if (ZSTD_isError(rc) || rc != size)
        return damaged(e);
    out->n += size;
    return 0;
}

/* ---- tables */

/* A count and so many pairs of varints. */
static str skip_pairs(struct cursor *in)
{
    uint64_t n = cursor_varint(in);
    const char *from = (const char *)in->p;
    for (uint64_t i = 0; i < n && cursor_ok(in); i++) {
        cursor_varint(in);
        cursor_varint(in);
    }
    return cursor_ok(in) ? (str){from, (size_t)((const char *)in->p - from)} : (str){0};
}

static int read_table(struct content_level *l, struct err *e)
{
    bool differs = l->row->base != 0;
    struct cursor in = cursor_over(l->raw.p, l->raw.n);
    struct cursor delta = cursor_over(l->row->delta.p, l->row->delta.n);
    uint64_t n = cursor_varint(&in), first = 0;
    if (n > CHAIN_PARTS_MAX)
        return damaged(e);
    for (uint64_t i = 0; i < n; i++) {
        struct content_entry *x = vec_push(&l->entries);
        if (!x)
            return err_no_memory(e);
        x->name = cursor_bytes(&in, cursor_varint(&in));
        x->size = cursor_varint(&in);
        x->first = first;
        x->chunks = cursor_varint(&in);
        x->tail.n = cursor_varint(&in);
        if (differs) {
            x->packed = cursor_bytes(&delta, cursor_varint(&in));
            x->pieces = skip_pairs(&in);
            x->leaps = skip_pairs(&in);
        }
        if (!cursor_ok(&in) || x->chunks > x->size) /* each has a byte at least */
            return damaged(e);
        first += x->chunks;
    }
    for (size_t i = 0; i < l->entries.n; i++)
        l->entries.p[i].tail = cursor_bytes(&in, l->entries.p[i].tail.n);
    l->runs = (str){(const char *)in.p, cursor_left(&in)};
    return cursor_ok(&in) && cursor_ok(&delta) ? 0 : damaged(e);
}

/* above: the base's level; NULL: there is none. */
static int open_level(struct content_level *l, const struct content_level *above, struct err *e)
{
    const struct content_row *c = l->row;
    struct cursor in = cursor_over(c->parts.p, c->parts.n);
    uint64_t size = cursor_varint(&in);
    str packed = cursor_bytes(&in, cursor_left(&in));
    if (!cursor_ok(&in) || size >= CHAIN_TABLE_MAX)
        return damaged(e);
    int rc = expand(packed, above ? buf_view(&above->raw) : (str){0}, size, &l->raw, e);
    if (rc < 0)
        return rc;
    struct sha256 is =
        content_parts_digest(buf_view(&l->raw), buf_view(&c->chunks), buf_view(&c->delta),
                             above ? &above->row->digest : NULL);
    if (!sha256_eq(&is, &c->digest))
        return damaged(e);
    if (!above)
        buf_add_str(&l->raw, buf_view(&c->chunks));
    rc = buf_check(&l->raw, "parts of a document", e);
    return rc < 0 ? rc : read_table(l, e);
}

/* ---- chains */

static int read_rows(struct db_tx *tx, struct content_chain *ch, int64_t base, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "WITH RECURSIVE up (id, depth) AS (SELECT CAST($1 AS BIGINT), 1 UNION ALL"
                      " SELECT k.base, up.depth + 1 FROM up JOIN content k ON k.id = up.id"
                      " WHERE k.base IS NOT NULL AND up.depth < $2)"
                      " SELECT " CONTENT_COLUMNS ", '' FROM up JOIN content c ON c.id = up.id"
                      " ORDER BY up.depth",
                      DB(DBI(base), DBI(CHAIN_MAX)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        if (ch->n == CHAIN_MAX || base == 0)
            return damaged(e);
        struct content_row *c = &ch->rows[ch->n];
        content_row_init(c);
        ch->levels[ch->n++].row = c;
        rc = content_row_copy(r, STR(""), c, e);
        if (rc == 0 && (c->id != base || !c->has_parts))
            rc = damaged(e);
        base = c->base;
    }
    return rc < 0 ? rc : base ? damaged(e) : 0;
}

int content_chain_open(struct db_tx *tx, const struct content_row *c, struct content_chain *ch,
                       struct err *e)
{
    *ch = (struct content_chain){.n = 1, .levels[0].row = c};
    for (size_t i = 0; i < CHAIN_MAX; i++)
        buf_init(&ch->levels[i].raw, CHAIN_TABLE_MAX + RECIPE_MAX);
    int rc = c->base ? read_rows(tx, ch, c->base, e) : 0;
    for (size_t i = ch->n; i-- && rc == 0;)
        rc = open_level(&ch->levels[i], i + 1 < ch->n ? &ch->levels[i + 1] : NULL, e);
    return rc;
}

void content_chain_close(struct content_chain *ch)
{
    for (size_t i = 0; i < ch->n; i++) {
        buf_done(&ch->levels[i].raw);
        vec_done(&ch->levels[i].entries);
        if (i)
            content_row_done(&ch->rows[i]);
    }
}

const struct content_entry *content_chain_find(const struct content_chain *ch, size_t level,
                                               str name)
{
    const struct content_level *l = level < ch->n ? &ch->levels[level] : NULL;
    for (size_t i = 0; l && i < l->entries.n; i++)
        if (str_eq(l->entries.p[i].name, name))
            return &l->entries.p[i];
    return NULL;
}

struct picking {
    uint64_t seen, first, chunks;
    content_ids *out;
};

static int pick(void *ctx, int64_t id)
{
    struct picking *p = ctx;
    uint64_t at = p->seen++;
    if (at < p->first || at - p->first >= p->chunks)
        return 0;
    int64_t *slot = vec_push(p->out);
    if (!slot)
        return ERR_NO_MEMORY;
    *slot = id;
    return 0;
}

int content_chain_ids(const struct content_chain *ch, size_t level, const struct content_entry *x,
                      content_ids *out, struct err *e)
{
    struct picking p = {0, x ? x->first : 0, x ? x->chunks : UINT64_MAX, out};
    size_t before = out->n;
    int rc = chunk_runs_read(ch->levels[level].runs, pick, &p, e);
    if (rc == ERR_NO_MEMORY)
        return err_no_memory(e);
    return rc < 0 ? rc : !x || out->n - before == x->chunks ? 0 : damaged(e);
}

/* ---- own bytes */

static uint64_t own_size(const struct content_entry *x, uint64_t *known)
{
    struct cursor in = cursor_over(x->pieces.p, x->pieces.n);
    uint64_t own = 0;
    *known = 0;
    while (cursor_left(&in)) {
        uint64_t a = cursor_varint(&in), b = cursor_varint(&in);
        if (ke_add_overflow(*known, a, known) || ke_add_overflow(own, b, &own))
            return UINT64_MAX;
    }
    return own;
}

static int own_bytes(struct documents *d, struct db_tx *tx, const struct content_chain *ch,
                     size_t level, const struct content_entry *x, struct buf *out, struct err *e)
{
    uint64_t known, size = own_size(x, &known);
    if (!x->packed.n)
        return 0;
    if (size > CHAIN_OWN_MAX || level + 1 >= ch->n)
        return damaged(e);
    auto_buf dictionary;
    buf_init(&dictionary, 2 * CHAIN_OWN_MAX + 1);
    int rc = content_chain_dictionary(d, tx, ch, level + 1, x, &dictionary, e);
    return rc < 0 ? rc : expand(x->packed, buf_view(&dictionary), size, out, e);
}

int content_chain_dictionary(struct documents *d, struct db_tx *tx, const struct content_chain *ch,
                             size_t level, const struct content_entry *x, struct buf *out,
                             struct err *e)
{
    const struct content_entry *y = content_chain_find(ch, level, x->name);
    struct cursor in = cursor_over(x->leaps.p, x->leaps.n);
    content_ids ids = {0};
    size_t at = 0, kept = 0;
    int rc = y ? content_chain_ids(ch, level, y, &ids, e) : 0;
    while (rc == 0 && cursor_left(&in)) {
        uint64_t skip = cursor_varint(&in), take = cursor_varint(&in);
        if (skip > ids.n - at || take > ids.n - at - skip) {
            rc = damaged(e);
            break;
        }
        if (take)
            memmove(ids.p + kept, ids.p + at + skip, take * sizeof *ids.p);
        kept += take;
        at += skip + take;
    }
    if (rc == 0 && kept)
        rc = chunks_get(d, tx, ids.p, kept, out, e);
    vec_done(&ids);
    return rc == 0 && y ? own_bytes(d, tx, ch, level, y, out, e) : rc;
}

/* ---- a part */

typedef VEC(uint64_t) lengths;

/* Puts own bytes between the known ones, which stand at the end of *out, from the last on. */
static int weave(const struct content_entry *x, uint64_t known, str own, struct buf *out,
                 struct err *e)
{
    struct cursor in = cursor_over(x->pieces.p, x->pieces.n);
    lengths all = {0};
    int rc = buf_reserve(out, own.n + 1) ? 0 : err_no_memory(e);
    while (rc == 0 && cursor_left(&in)) {
        uint64_t *slot = vec_push(&all);
        if (slot)
            *slot = cursor_varint(&in);
        else
            rc = err_no_memory(e);
    }
    if (rc == 0) {
        char *from = out->p + out->n, *to = from + own.n;
        out->n += own.n;
        for (size_t i = all.n; i >= 2; i -= 2) {
            to -= all.p[i - 1];
            own.n -= all.p[i - 1];
            if (all.p[i - 1])
                memcpy(to, own.p + own.n, all.p[i - 1]);
            to -= all.p[i - 2];
            from -= all.p[i - 2];
            memmove(to, from, all.p[i - 2]);
        }
    }
    vec_done(&all);
    return rc;
}

int content_chain_read(struct documents *d, struct db_tx *tx, const struct content_chain *ch,
                       const struct content_entry *x, struct buf *out, struct err *e)
{
    size_t before = out->n;
    content_ids ids = {0};
    auto_buf own;
    buf_init(&own, CHAIN_OWN_MAX + 1);
    int rc = content_fits(x->size, out, e);
    if (rc == 0 && !buf_reserve(out, x->size + 1))
        rc = err_no_memory(e);
    if (rc == 0)
        rc = content_chain_ids(ch, 0, x, &ids, e);
    if (rc == 0)
        rc = chunks_get(d, tx, ids.p, ids.n, out, e);
    vec_done(&ids);
    if (rc == 0 && x->packed.n) {
        uint64_t known, size = own_size(x, &known);
        rc = own_bytes(d, tx, ch, 0, x, &own, e);
        if (rc == 0 && (out->n - before != known || size != own.n))
            rc = damaged(e);
        if (rc == 0)
            rc = weave(x, known, buf_view(&own), out, e);
    }
    buf_add_str(out, x->tail);
    if (rc == 0 && out->n - before != x->size)
        rc = damaged(e);
    return rc < 0 ? rc : buf_check(out, "document", e);
}

int content_part_get(struct documents *d, struct db_tx *tx, const struct content_row *c,
                     struct buf *out, struct err *e)
{
    autofree struct content_chain *ch = malloc(sizeof *ch);
    if (!ch)
        return err_no_memory(e);
    int rc = content_chain_open(tx, c, ch, e);
    const struct content_entry *x = rc == 0 ? content_chain_find(ch, 0, c->part) : NULL;
    if (x)
        rc = content_chain_read(d, tx, ch, x, out, e);
    content_chain_close(ch);
    return rc < 0 ? rc : x != NULL;
}
