#include "image/layer_record.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "base/fs.h"
#include "base/hash.h"

#include <endian.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { CHUNK = 65536, FOOTER = 64, RECORD_VERSION = 1 };
static const uint64_t RECORD_MAX = 1ull << 30;

static uint64_t path_hash(str path, enum layer_hides what)
{
    return hash64_seeded(path.p, path.n, what);
}

/* ---- writing
 * ---------------------------------------------------------------------------------------- */

struct layer_writer {
    int fd;
    uint64_t n_hashes, checksum;
    size_t n; /* in chunk */
    uint64_t chunk[CHUNK];
};

int layer_writer_new(int fd, struct layer_writer **out, struct err *e)
{
    struct layer_writer *w = malloc(sizeof *w);
    if (!w)
        return err_no_memory(e);
    w->fd = fd;
    w->n_hashes = w->checksum = 0;
    w->n = 0;
    *out = w;
    return 0;
}

void layer_writer_free(struct layer_writer *w)
{
    free(w);
}

static int hash_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int chunk_flush(struct layer_writer *w, struct err *e)
{
    qsort(w->chunk, w->n, sizeof *w->chunk, hash_cmp);
    for (size_t i = 0; i < w->n; i++)
        w->chunk[i] = htole64(w->chunk[i]);
    w->checksum = hash64_seeded(w->chunk, w->n * sizeof *w->chunk, w->checksum);
    int r = fs_write_all(w->fd, w->chunk, w->n * sizeof *w->chunk, e);
    w->n_hashes += w->n;
    w->n = 0;
    return r;
}

int layer_writer_hide(struct layer_writer *w, str path, enum layer_hides what, struct err *e)
{
    w->chunk[w->n++] = path_hash(path, what);
    return w->n == CHUNK ? chunk_flush(w, e) : 0;
}

int layer_writer_finish(struct layer_writer *w, str body, struct err *e)
{
    int r = w->n ? chunk_flush(w, e) : 0;
    if (r == 0)
        r = fs_write_all(w->fd, body.p, body.n, e);
    if (r < 0)
        return r;
    auto_buf footer;
    buf_init(&footer, FOOTER);
    buf_add_str(&footer, STR("KLR1"));
    buf_add_u32(&footer, RECORD_VERSION);
    buf_add_u64(&footer, w->n_hashes);
    buf_add_u64(&footer, body.n);
    buf_add_u64(&footer, hash64(body.p, body.n));
    buf_add_u64(&footer, ANALYZER_VERSION);
    buf_add_u64(&footer, w->checksum);
    buf_add_u64(&footer, 0);
    buf_add_u64(&footer, hash64(footer.p, footer.n));
    r = buf_check(&footer, "the record's footer", e);
    return r < 0 ? r : fs_write_all(w->fd, footer.p, footer.n, e);
}

/* ---- reading
 * ---------------------------------------------------------------------------------------- */

struct layer_record {
    char *map;
    size_t size;
    const uint64_t *hashes;
    uint64_t n_hashes;
    str body;
};

/* Pages of the map are given back as it goes: a large layer's hashes need no memory at once. */
static uint64_t hashes_checksum(const struct layer_record *r)
{
    uint64_t sum = 0;
    for (uint64_t start = 0; start < r->n_hashes; start += CHUNK) {
        uint64_t n = r->n_hashes - start < CHUNK ? r->n_hashes - start : CHUNK;
        sum = hash64_seeded(r->hashes + start, n * sizeof *r->hashes, sum);
        if (n == CHUNK)
            madvise(r->map + start * sizeof *r->hashes, CHUNK * sizeof *r->hashes, MADV_DONTNEED);
    }
    return sum;
}

static int record_check(struct layer_record *r, struct err *e)
{
    struct cursor c = cursor_over(r->map + r->size - FOOTER, FOOTER);
    str magic = cursor_bytes(&c, 4);
    uint32_t version = cursor_u32le(&c);
    r->n_hashes = cursor_u64le(&c);
    uint64_t body = cursor_u64le(&c), checksum = cursor_u64le(&c), analyzer = cursor_u64le(&c);
    uint64_t hashes = cursor_u64le(&c);
    cursor_skip(&c, 8);
    if (!str_eq(magic, STR("KLR1")) ||
        cursor_u64le(&c) != hash64(r->map + r->size - FOOTER, FOOTER - 8))
        return err_set(e, ERR_FORMAT, "not a layer record, or damaged");
    if (version != RECORD_VERSION || analyzer != ANALYZER_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "layer record of another version");
    uint64_t hashes_size, total;
    if (ke_mul_overflow(r->n_hashes, (uint64_t)8, &hashes_size) ||
        ke_add_overflow(hashes_size, body, &total) || total != r->size - FOOTER)
        return err_set(e, ERR_FORMAT, "a layer record's sizes do not add up");
    r->hashes = (const uint64_t *)(const void *)r->map;
    r->body = (str){r->map + hashes_size, (size_t)body};
    if (hashes_checksum(r) != hashes || hash64(r->body.p, r->body.n) != checksum)
        return err_set(e, ERR_FORMAT, "a layer record is damaged");
    return 0;
}

int layer_record_open(int fd, struct layer_record **out, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(e, "cannot examine a layer record");
    if (st.st_size < FOOTER || (uint64_t)st.st_size > RECORD_MAX)
        return err_set(e, ERR_FORMAT, "a layer record of %lld bytes", (long long)st.st_size);
    struct layer_record *r = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(e);
    r->size = (size_t)st.st_size;
    r->map = mmap(NULL, r->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (r->map == MAP_FAILED) {
        free(r);
        return err_errno(e, "cannot map a layer record");
    }
    int rc = record_check(r, e);
    if (rc < 0) {
        layer_record_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

void layer_record_close(struct layer_record *r)
{
    if (!r)
        return;
    munmap(r->map, r->size);
    free(r);
}

str layer_record_body(const struct layer_record *r)
{
    return r->body;
}

str layer_record_bytes(const struct layer_record *r)
{
    return (str){r->map, r->size};
}

/* Hashes spread evenly, so a hash's value says about where it stands: the search starts there. */
static bool chunk_has(const uint64_t *chunk, size_t n, uint64_t hash)
{
    size_t at = (size_t)(((unsigned __int128)hash * n) >> 64), lo = 0, hi = n, step = 8;
    if (le64toh(chunk[at]) <= hash) {
        for (lo = at; lo + step < n && le64toh(chunk[lo + step]) <= hash; step *= 2)
            lo += step;
        hi = lo + step < n ? lo + step : n;
    } else {
        for (hi = at; hi > step && le64toh(chunk[hi - step]) > hash; step *= 2)
            hi -= step;
        lo = hi > step ? hi - step : 0;
    }
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (le64toh(chunk[mid]) <= hash)
            lo = mid;
        else
            hi = mid;
    }
    return le64toh(chunk[lo]) == hash;
}

static bool record_has(const struct layer_record *r, uint64_t hash)
{
    for (uint64_t start = 0; start < r->n_hashes; start += CHUNK) {
        uint64_t left = r->n_hashes - start;
        if (chunk_has(r->hashes + start, left < CHUNK ? (size_t)left : CHUNK, hash))
            return true;
    }
    return false;
}

struct layer_path layer_path_of(str path)
{
    return (struct layer_path){path_hash(path, HIDES_ALL), path_hash(path, HIDES_SELF),
                               path_hash(path, HIDES_BELOW), path.n == 0};
}

bool layer_record_hides_path(const struct layer_record *r, const struct layer_path *path)
{
    return record_has(r, path->all) || record_has(r, path->self);
}

bool layer_record_hides_below(const struct layer_record *r, const struct layer_path *path)
{
    return (!path->root && record_has(r, path->all)) || record_has(r, path->below);
}

bool layer_record_hides(const struct layer_record *r, str path)
{
    struct layer_path hashes = layer_path_of(path);
    bool hidden = layer_record_hides_path(r, &hashes);
    while (!hidden && path.n) {
        path = str_dirname(path);
        hashes = layer_path_of(path);
        hidden = layer_record_hides_below(r, &hashes);
    }
    return hidden;
}
