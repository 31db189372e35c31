/* tar_sparse.c - the content of tar entries: plain, and sparse with its holes shown as zeros. */
#include "codec/tar_internal.h"

enum { BLOCK = 512, MAX_RUNS = 1 << 20 };

static const uint8_t zeros[64 * 1024];

/* ---- plain
 * ------------------------------------------------------------------------------------------ */

struct plain {
    struct stream s;
    struct stream *below;
    uint64_t *left;
};

/* Takes up to `most` stored bytes from below as the view. */
static int stored_view(struct stream *s, struct stream *below, uint64_t *left, uint64_t most,
                       struct err *e)
{
    const uint8_t *p;
    int64_t have = stream_view(below, &p, e);
    if (have < 0)
        return (int)have;
    if (have == 0)
        return err_set(e, ERR_FORMAT, "the archive is truncated: %llu bytes of content are missing",
                       (unsigned long long)*left);
    uint64_t take = (uint64_t)have < most ? (uint64_t)have : most;
    stream_consume(below, (size_t)take);
    *left -= take;
    s->p = p;
    s->end = p + take;
    return 0;
}

static int plain_fill(struct stream *s, struct err *e)
{
    struct plain *f = (struct plain *)s;
    if (*f->left == 0) {
        s->eof = true;
        return 0;
    }
    return stored_view(s, f->below, f->left, *f->left, e);
}

static int64_t plain_skip(struct stream *s, uint64_t n, struct err *e)
{
    struct plain *f = (struct plain *)s;
    int64_t skipped = stream_skip(f->below, n < *f->left ? n : *f->left, e);
    if (skipped > 0)
        *f->left -= (uint64_t)skipped;
    return skipped;
}

static void plain_close(struct stream *s)
{
    free(s);
}

static const struct stream_ops plain_ops = {
    .name = "tar", .fill = plain_fill, .close = plain_close, .skip = plain_skip};

int tar_plain_open(struct stream *below, uint64_t *left, struct stream **out, struct err *e)
{
    struct plain *f = calloc(1, sizeof *f);
    if (!f)
        return err_no_memory(e);
    f->s.ops = &plain_ops;
    f->below = below;
    f->left = left;
    *out = &f->s;
    return 0;
}

/* ---- sparse
 * ----------------------------------------------------------------------------------------- */

struct sparse {
    struct stream s;
    struct stream *below;
    uint64_t *left;
    uint64_t size, at; /* expanded */
    size_t run;
    uint64_t in_run;
    VEC(struct sparse_run) runs;
};

static int sparse_fill(struct stream *s, struct err *e)
{
    struct sparse *f = (struct sparse *)s;
    while (f->run < f->runs.n && f->in_run == f->runs.p[f->run].size) {
        f->run++;
        f->in_run = 0;
    }
    uint64_t next = f->run < f->runs.n ? f->runs.p[f->run].offset + f->in_run : f->size;
    if (f->at < next) {
        uint64_t hole = next - f->at < sizeof zeros ? next - f->at : sizeof zeros;
        s->p = zeros;
        s->end = zeros + hole;
        f->at += hole;
        return 0;
    }
    if (f->run == f->runs.n) {
        s->eof = true;
        return 0;
    }
    uint64_t most = f->runs.p[f->run].size - f->in_run;
    if (*f->left == 0)
        return err_set(e, ERR_FORMAT, "a sparse file has less data than its map says");
    int r = stored_view(s, f->below, f->left, most < *f->left ? most : *f->left, e);
    if (r == 0) {
        f->in_run += (uint64_t)(s->end - s->p);
        f->at += (uint64_t)(s->end - s->p);
    }
    return r;
}

static void sparse_close(struct stream *s)
{
    struct sparse *f = (struct sparse *)s;
    vec_done(&f->runs);
    free(f);
}

static const struct stream_ops sparse_ops = {
    .name = "sparse", .fill = sparse_fill, .close = sparse_close};

static int sparse_add(struct sparse *f, uint64_t offset, uint64_t size, struct err *e)
{
    const struct sparse_run *last = f->runs.n ? &f->runs.p[f->runs.n - 1] : NULL;
    uint64_t end;
    if (ke_add_overflow(offset, size, &end) || (last && offset < last->offset + last->size))
        return err_set(e, ERR_FORMAT, "the map of a sparse file is out of order");
    if (f->runs.n >= MAX_RUNS)
        return err_set(e, ERR_LIMIT, "a sparse file has more than %d runs", MAX_RUNS);
    struct sparse_run *run = vec_push(&f->runs);
    if (!run)
        return err_no_memory(e);
    *run = (struct sparse_run){offset, size};
    return 0;
}

/* A 12-byte octal or base-256 field of old GNU headers. */
static bool sparse_number(const uint8_t *field, uint64_t *out)
{
    uint64_t v = 0;
    bool binary = field[0] & 0x80;
    for (size_t i = binary ? 4 : 0; i < 12 && (binary || (field[i] && field[i] != ' ')); i++) {
        if (!binary && (field[i] < '0' || field[i] > '7'))
            return false;
        v = binary ? v << 8 | field[i] : v << 3 | (uint64_t)(field[i] - '0');
    }
    *out = v;
    return v <= INT64_MAX;
}

/* One table of 24-byte entries in a header or extension block. */
static int sparse_old_table(struct sparse *f, const uint8_t *table, size_t n, struct err *e)
{
    for (size_t i = 0; i < n && table[24 * i]; i++) {
        uint64_t offset, size;
        if (!sparse_number(table + 24 * i, &offset) || !sparse_number(table + 24 * i + 12, &size))
            return err_set(e, ERR_FORMAT, "the map of a sparse file is malformed");
        int r = sparse_add(f, offset, size, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Old GNU format: four runs in the header, more in extension blocks before the data. */
static int sparse_old(struct sparse *f, const struct sparse_source *src, struct err *e)
{
    if (!sparse_number(src->header + 483, &f->size))
        return err_set(e, ERR_FORMAT, "a sparse file has an impossible size");
    int r = sparse_old_table(f, src->header + 386, 4, e);
    uint8_t more = src->header[482];
    while (r == 0 && more) {
        uint8_t block[BLOCK];
        r = stream_read_exact(src->below, block, BLOCK, e);
        if (r == 0)
            r = sparse_old_table(f, block, 21, e);
        more = block[504];
    }
    return r;
}

/* A decimal line of a 1.0 map, read from the stored content. */
static int sparse_line(struct stream *below, uint64_t *left, uint64_t *out, struct err *e)
{
    char text[24];
    size_t n = 0;
    for (;;) {
        char c;
        if (*left == 0 || n == sizeof text)
            return err_set(e, ERR_FORMAT, "the map of a sparse file is malformed");
        int r = stream_read_exact(below, &c, 1, e);
        if (r < 0)
            return r;
        --*left;
        if (c == '\n')
            break;
        text[n++] = c;
    }
    if (!str_to_u64((str){text, n}, out) || *out > INT64_MAX)
        return err_set(e, ERR_FORMAT, "the map of a sparse file is malformed");
    return 0;
}

/* pax 1.0: the map stands in front of the data, padded to a block. */
static int sparse_in_data(struct sparse *f, const struct sparse_source *src, struct err *e)
{
    uint64_t start = src->below->consumed, runs = 0;
    int r = sparse_line(src->below, src->left, &runs, e);
    for (uint64_t i = 0; r == 0 && i < runs; i++) {
        uint64_t offset = 0, size = 0;
        r = sparse_line(src->below, src->left, &offset, e);
        if (r == 0)
            r = sparse_line(src->below, src->left, &size, e);
        if (r == 0)
            r = sparse_add(f, offset, size, e);
    }
    if (r < 0)
        return r;
    uint64_t pad = (BLOCK - (src->below->consumed - start) % BLOCK) % BLOCK;
    if (pad > *src->left)
        return err_set(e, ERR_FORMAT, "the map of a sparse file is malformed");
    int64_t skipped = stream_skip(src->below, pad, e);
    if (skipped < 0)
        return (int)skipped;
    *src->left -= (uint64_t)skipped;
    return 0;
}

static int sparse_map(struct sparse *f, const struct sparse_source *src, struct err *e)
{
    if (src->header[156] == 'S')
        return sparse_old(f, src, e);
    f->size = src->pax->sparse_size;
    if (src->pax->sparse_map_in_data)
        return sparse_in_data(f, src, e);
    for (size_t i = 0; i < src->pax->runs.n; i++) {
        int r = sparse_add(f, src->pax->runs.p[i].offset, src->pax->runs.p[i].size, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int tar_sparse_open(const struct sparse_source *src, struct stream **out, uint64_t *size,
                    struct err *e)
{
    struct sparse *f = calloc(1, sizeof *f);
    if (!f)
        return err_no_memory(e);
    f->s.ops = &sparse_ops;
    f->below = src->below;
    f->left = src->left;
    int r = sparse_map(f, src, e);
    const struct sparse_run *last = r == 0 && f->runs.n ? &f->runs.p[f->runs.n - 1] : NULL;
    if (last && last->offset + last->size > f->size)
        r = err_set(e, ERR_FORMAT, "the map of a sparse file goes past its size");
    if (r < 0) {
        sparse_close(&f->s);
        return r;
    }
    *src->content_at = src->below->consumed;
    *size = f->size;
    *out = &f->s;
    return 0;
}
