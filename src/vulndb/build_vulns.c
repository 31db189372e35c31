/* build_vulns.c - writes the vulnerabilities of a source, and their long texts apart. */
#include "vulndb/vuln_row.h"

#include "base/auto.h"

#include <zstd.h>

enum { BLOCK = 64 * 1024, LEVEL = 12 };

static void put_date(struct buf *out, int64_t date)
{
    buf_add_varint(out, (uint64_t)date << 1 ^ (uint64_t)(date >> 63));
}

/* What a vuln has beyond its row; 0 when nothing. */
static uint32_t put_more(const struct vulndb_builder *b, struct shard_writer *w,
                         const struct built_vuln *v)
{
    struct buf *out = &w->section[SEC_DATA];
    const int64_t dates[] = {v->v.published, v->v.modified, v->v.withdrawn, v->v.kev_added,
                             v->v.kev_due};
    const uint32_t strings[] = {v->cvss_vector, v->summary, v->url};
    str aliases = intern_get(&b->aliases, v->aliases);
    unsigned has = 0;
    for (unsigned i = 0; i < VULN_DATES; i++)
        has |= dates[i] ? 1u << i : 0;
    for (unsigned i = 0; i < VULN_STRINGS; i++)
        has |= strings[i] ? 1u << (VULN_DATES + i) : 0;
    has |= aliases.n ? VULN_HAS_ALIASES : 0;
    if (!has)
        return 0;
    uint32_t place = (uint32_t)out->n;
    buf_add_varint(out, has);
    for (unsigned i = 0; i < VULN_DATES; i++)
        if (dates[i])
            put_date(out, dates[i]);
    for (unsigned i = 0; i < VULN_STRINGS; i++)
        if (strings[i])
            buf_add_varint(out, shard_writer_str(w, strings[i]));
    if (aliases.n)
        buf_add_varint(out, aliases.n / 8);
    for (size_t i = 0; i < aliases.n / 8; i++) {
        const uint32_t *pair = (const uint32_t *)aliases.p + 2 * i;
        buf_add_char(out, (char)pair[1]);
        buf_add_varint(out, shard_writer_str(w, pair[0]));
    }
    return place;
}

int build_vulns(struct vulndb_builder *b, struct shard_writer *w, struct err *e)
{
    struct buf *rows = &w->section[SEC_ROWS];
    buf_add_char(&w->section[SEC_DATA], 0);
    for (size_t i = 0; i < b->vulns.n; i++) {
        const struct built_vuln *v = &b->vulns.p[i];
        buf_add_u32(rows, 0);
        buf_add_u32(rows, shard_writer_str(w, v->id));
        buf_add_u32(rows, (uint32_t)v->v.status | (uint32_t)v->v.severity << 2 |
                              (v->v.kev_listed ? VULN_KEV : 0) |
                              (v->v.kev_ransomware ? VULN_RANSOMWARE : 0) |
                              (v->implied ? VULN_IMPLIED : 0));
        buf_add_u32(rows, (uint32_t)(int32_t)v->v.cvss_score10);
        buf_add_u32(rows, (uint32_t)v->v.epss_score);
        buf_add_u32(rows, (uint32_t)v->v.epss_percentile);
        buf_add_u32(rows, put_more(b, w, v));
    }
    shard_writer_hash(w, (uint32_t)b->vulns.n, VULN_ROW);
    return shard_writer_finish(w, e);
}

/* ---- texts -------------------------------------------------------------------------------------
 */

struct packer {
    ZSTD_CCtx *zstd;
    struct buf block, packed;
    struct shard_writer *w;
};

static int flush(struct packer *p, struct err *e)
{
    if (p->block.n == 0)
        return 0;
    size_t bound = ZSTD_compressBound(p->block.n);
    char *to = buf_reserve(&p->packed, bound);
    if (!to)
        return err_no_memory(e);
    size_t n = ZSTD_compressCCtx(p->zstd, to, bound, p->block.p, p->block.n, LEVEL);
    if (ZSTD_isError(n))
        return err_set(e, ERR_NO_MEMORY, "cannot compress texts: %s", ZSTD_getErrorName(n));
    struct buf *table = &p->w->section[SEC_CLAIMS];
    buf_add_u64(table, p->packed.n);
    buf_add_u32(table, (uint32_t)n);
    buf_add_u32(table, (uint32_t)p->block.n);
    p->packed.n += n;
    buf_clear(&p->block);
    return 0;
}

static int pack(struct vulndb_builder *b, struct packer *p, struct err *e)
{
    struct buf *rows = &p->w->section[SEC_ROWS];
    for (size_t i = 0; i < b->vulns.n; i++) {
        str text = b->vulns.p[i].details;
        if (p->block.n && p->block.n + text.n > BLOCK) {
            int r = flush(p, e);
            if (r < 0)
                return r;
        }
        buf_add_u32(rows, (uint32_t)(p->w->section[SEC_CLAIMS].n / TEXT_BLOCK));
        buf_add_u32(rows, (uint32_t)p->block.n);
        buf_add_u32(rows, (uint32_t)text.n);
        buf_add_str(&p->block, text);
    }
    return flush(p, e);
}

int build_texts(struct vulndb_builder *b, struct shard_writer *w, struct err *e)
{
    struct packer p = {.zstd = ZSTD_createCCtx(), .w = w};
    buf_init(&p.block, SIZE_MAX / 2);
    buf_init(&p.packed, (size_t)UINT32_MAX);
    int r = p.zstd ? pack(b, &p, e) : err_no_memory(e);
    buf_add_str(&w->section[SEC_DATA], buf_view(&p.packed));
    if (r == 0)
        r = buf_check(&p.packed, "compressed texts", e);
    ZSTD_freeCCtx(p.zstd);
    buf_done(&p.block);
    buf_done(&p.packed);
    return r < 0 ? r : shard_writer_finish(w, e);
}
