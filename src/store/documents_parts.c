#include "store/documents.h"

#include <zstd.h>

#include "base/auto.h"
#include "store/documents_chain.h"

/* Parts up to INLINE_MAX bytes are kept whole in the row, of larger ones the last TAIL bytes: that
 * is where the answers of the API name their image. */
enum {
    INLINE_MAX = 1 << 10,
    OWN_MAX = 64 << 10,
    TAIL = 160,
    TABLE_MAX = CHAIN_TABLE_MAX,
    FAMILY_BYTES = 16,
    LEVEL = 9
};

/* ---- writing */

struct packing {
    struct chunk_vec chunks;
    struct buf table, tails, packed, runs;
    uint64_t size;
};

static void packing_init(struct packing *p)
{
    *p = (struct packing){0};
    buf_init(&p->table, TABLE_MAX);
    buf_init(&p->tails, TABLE_MAX);
    buf_init(&p->packed, TABLE_MAX);
    buf_init(&p->runs, TABLE_MAX);
}

static void packing_done(struct packing *p)
{
    vec_done(&p->chunks);
    buf_done(&p->table);
    buf_done(&p->tails);
    buf_done(&p->packed);
    buf_done(&p->runs);
}

size_t content_part_tail(const struct documents *d, const struct document_part *part)
{
    size_t most = content_inline_max(d, part->own ? OWN_MAX : INLINE_MAX);
    return part->bytes.n > most ? TAIL : part->bytes.n;
}

static int add_part(struct documents *d, struct packing *p, const struct document_part *part,
                    struct err *e)
{
    size_t before = p->chunks.n, head = part->bytes.n - content_part_tail(d, part);
    int rc = chunk_vec_cut(d, str_sub(part->bytes, 0, head), &p->chunks, e);
    buf_add_varint(&p->table, part->name.n);
    buf_add_str(&p->table, part->name);
    buf_add_varint(&p->table, part->bytes.n);
    buf_add_varint(&p->table, p->chunks.n - before);
    buf_add_varint(&p->table, part->bytes.n - head);
    buf_add_str(&p->tails, str_from(part->bytes, head));
    p->size += part->bytes.n;
    return rc;
}

static int pack(struct documents *d, struct db_tx *tx, struct packing *p,
                const struct document_part *parts, size_t n, const struct content_move *move,
                struct err *e)
{
    int rc = 0;
    buf_add_varint(&p->table, n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_part(d, p, &parts[i], e);
    buf_add_str(&p->table, buf_view(&p->tails));
    if (rc == 0)
        rc = move ? content_chunks_here(d, tx, p->chunks.p, p->chunks.n, move, e)
                  : chunks_put(d, tx, p->chunks.p, p->chunks.n, e);
    if (rc < 0)
        return rc;
    chunk_runs_write(&p->runs, p->chunks.p, p->chunks.n);
    buf_add_varint(&p->packed, p->table.n);
    size_t bound = ZSTD_compressBound(p->table.n);
    char *to = buf_reserve(&p->packed, bound);
    if (!to || !buf_ok(&p->table) || !buf_ok(&p->tails) || !buf_ok(&p->runs))
        return err_set(e, ERR_LIMIT, "a document of parts has a table larger than %d bytes",
                       TABLE_MAX);
    size_t packed = ZSTD_compress(to, bound, p->table.p, p->table.n, LEVEL);
    if (ZSTD_isError(packed))
        return err_set(e, ERR_NO_MEMORY, "zstd: %s", ZSTD_getErrorName(packed));
    p->packed.n += packed;
    return 0;
}

static int insert_content(struct db_tx *tx, const struct packing *p, int64_t *id, struct err *e)
{
    struct sha256 sum =
        content_parts_digest(buf_view(&p->table), buf_view(&p->runs), (str){0}, NULL);
    str digest = {(const char *)sum.b, sizeof sum.b};
    for (int attempt = 0; attempt < 3; attempt++) {
        int rc = content_find(tx, digest, id, e);
        if (rc == ERR_NOT_FOUND)
            rc = db_query_int(
                tx,
                "INSERT INTO content (digest, size, chunks, parts, area)"
                " VALUES ($1, $2, $3, $4, 1) ON CONFLICT (digest) DO NOTHING"
                " RETURNING id",
                DB(DBB(digest), DBI(p->size), DBB(buf_view(&p->runs)), DBB(buf_view(&p->packed))),
                id, e);
        else
            return rc;
        if (rc == 0)
            return content_chunks_named(tx, *id, buf_view(&p->runs), true, e);
        if (rc != ERR_NOT_FOUND)
            return rc;
    }
    return err_set(e, ERR_CONFLICT, "the content of a document comes and goes");
}

static int put_whole(struct documents *d, struct db_tx *tx, const struct document_part *parts,
                     size_t n, int64_t *id, struct err *e)
{
    struct packing p;
    packing_init(&p);
    int rc = pack(d, tx, &p, parts, n, NULL, e);
    if (rc == 0)
        rc = insert_content(tx, &p, id, e);
    packing_done(&p);
    return rc;
}

/* ---- families */

/* The number k of a family differs from the one before, every eighth from the eighth before, and
 * each GENERATION-th is whole: no more than 14 steps lead to a whole one, and most are small: what
 * one version changes stands in two rows. The eighth is in column fourth: builds before made every
 * fourth differ from the fourth before, every sixteenth from the sixteenth; whichever build comes
 * next finds a base that is near enough. */
enum { GENERATION = 64, EIGHTH = 8, SIXTEENTH = 16 };

struct family {
    struct sha256 key;
    int64_t number, last, eighth, sixteenth;
    bool known;
};

static int family_read(struct db_tx *tx, struct family *f, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT number, last, fourth, sixteenth FROM document_family"
                      " WHERE family = $1",
                      DB(DBB(((str){(const char *)f->key.b, FAMILY_BYTES}))), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    f->known = rc == 1;
    if (rc == 1) {
        f->number = db_int(r, 0);
        f->last = db_int(r, 1);
        f->eighth = db_int(r, 2);
        f->sixteenth = db_int(r, 3);
    }
    return rc < 0 ? rc : 0;
}

static int family_write(struct db_tx *tx, const struct family *f, struct err *e)
{
    int64_t n = db_exec(tx,
                        "INSERT INTO document_family (family, number, last, fourth, sixteenth)"
                        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (family) DO UPDATE SET"
                        " number = excluded.number, last = excluded.last,"
                        " fourth = excluded.fourth, sixteenth = excluded.sixteenth",
                        DB(DBB(((str){(const char *)f->key.b, FAMILY_BYTES})), DBI(f->number),
                           DBI(f->last), DBI(f->eighth), DBI(f->sixteenth)),
                        e);
    return n < 0 ? (int)n : 0;
}

static int put_in_family(struct documents *d, struct db_tx *tx, str family,
                         const struct document_part *parts, size_t n, int64_t *id, struct err *e)
{
    struct family f = {.key = sha256_of(family.p, family.n)};
    int rc = family_read(tx, &f, e);
    int64_t k = f.number + 1;
    bool whole = !f.known || k >= GENERATION;
    if (rc == 0 && !whole)
        rc = content_delta_insert(d, tx, k % EIGHTH ? f.last : f.eighth, parts, n, id, e);
    if (rc < 0)
        return rc;
    whole = rc == 0;
    if (whole && (rc = put_whole(d, tx, parts, n, id, e)) < 0)
        return rc;
    f.number = whole ? 0 : k;
    f.last = *id;
    f.eighth = f.number % EIGHTH ? f.eighth : *id;
    f.sixteenth = f.number % SIXTEENTH ? f.sixteenth : *id;
    return family_write(tx, &f, e);
}

int document_put_parts(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                       str family, const struct document_part *parts, size_t n, struct err *e)
{
    auto_buf prefix;
    int64_t content = 0, gone = 0;
    buf_init(&prefix, 64 << 10);
    buf_add_str(&prefix, key);
    buf_add_char(&prefix, '/');
    int rc = n > CHAIN_PARTS_MAX ? err_set(e, ERR_LIMIT, "a document of %zu parts", n)
                                 : buf_check(&prefix, "key", e);
    if (rc == 0)
        rc = family.n && d->driver == CHUNK_DB ? put_in_family(d, tx, family, parts, n, &content, e)
                                               : put_whole(d, tx, parts, n, &content, e);
    if (rc == 0)
        rc = document_name_content(tx, account, bucket, key, content, e);
    if (rc == 0) /* what stood there one by one */
        gone = document_delete_prefix(d, tx, account, bucket, buf_view(&prefix), e);
    rc = rc < 0 ? rc : gone < 0 ? (int)gone : 0;
    return rc < 0 ? err_wrap(e, "document %.*s/%.*s", STR_ARG(bucket), STR_ARG(key)) : 0;
}

/* ---- writing all of them once more */

/* bytes of the parts point into *bytes, which holds all of them. */
static int read_all(struct documents *d, struct db_tx *tx, const struct content_chain *ch,
                    struct document_part *parts, struct buf *bytes, struct err *e)
{
    const struct content_level *l = &ch->levels[0];
    int rc = buf_reserve(bytes, l->row->size + 1) ? 0 : err_no_memory(e);
    for (size_t i = 0; i < l->entries.n && rc == 0; i++) {
        const struct content_entry *x = &l->entries.p[i];
        size_t from = bytes->n;
        rc = content_chain_read(d, tx, ch, x, bytes, e);
        parts[i] = (struct document_part){
            x->name, {bytes->p + from, x->size}, x->size && x->tail.n == x->size};
    }
    return rc;
}

/* Documents that named one content name another one. When there are none, nobody names either. */
static int rename_content(struct db_tx *tx, int64_t from, int64_t to, struct err *e)
{
    int64_t n = db_exec(tx, "UPDATE document SET content_id = $2 WHERE content_id = $1",
                        DB(DBI(from), DBI(to)), e);
    if (n >= 0)
        n = db_exec(tx, "UPDATE content SET unnamed_since = now_us() WHERE id IN ($1, $2)",
                    DB(DBI(from), DBI(n ? from : to)), e);
    return n < 0 ? (int)n : 0;
}

/* A row that others differ from must stay what it is, and one that differs cannot become whole
 * while they are read: both get a successor. Another content may be that already. */
static int replace_row(struct db_tx *tx, const struct content_row *c, const struct packing *p,
                       struct err *e)
{
    struct sha256 sum =
        content_parts_digest(buf_view(&p->table), buf_view(&p->runs), (str){0}, NULL);
    str digest = {(const char *)sum.b, sizeof sum.b};
    int64_t other = 0, dependents = 0;
    int rc = content_find(tx, digest, &other, e);
    if (rc == ERR_NOT_FOUND)
        rc = db_query_int(tx, "SELECT COUNT(*) FROM content WHERE base = $1", DB(DBI(c->id)),
                          &dependents, e);
    if (rc < 0)
        return rc;
    if (!other && (dependents || c->base))
        rc = insert_content(tx, p, &other, e);
    if (rc < 0 || (other && other != c->id))
        return rc < 0 ? rc : rename_content(tx, c->id, other, e);
    int64_t n =
        db_exec(tx, "UPDATE content SET digest = $2, chunks = $3, parts = $4 WHERE id = $1",
                DB(DBI(c->id), DBB(digest), DBB(buf_view(&p->runs)), DBB(buf_view(&p->packed))), e);
    if (n >= 0)
        n = content_chunks_left(tx, c->id, buf_view(&c->chunks), true, e);
    if (n >= 0)
        n = content_chunks_named(tx, c->id, buf_view(&p->runs), true, e);
    return n < 0 ? (int)n : 0;
}

int content_parts_rewrite(struct documents *d, struct db_tx *tx, const struct content_row *c,
                          const struct content_move *m, struct err *e)
{
    struct packing p;
    auto_buf bytes;
    buf_init(&bytes, c->size + 2);
    autofree struct content_chain *ch = calloc(1, sizeof *ch);
    autofree struct document_part *parts = calloc(CHAIN_PARTS_MAX, sizeof *parts);
    if (!ch || !parts)
        return err_no_memory(e);
    packing_init(&p);
    int rc = content_chain_open(tx, c, ch, e);
    if (rc == 0)
        rc = read_all(d, tx, ch, parts, &bytes, e);
    if (rc == 0)
        rc = pack(d, tx, &p, parts, ch->levels[0].entries.n, m, e);
    if (rc == 0)
        rc = replace_row(tx, c, &p, e);
    packing_done(&p);
    content_chain_close(ch);
    return rc;
}
