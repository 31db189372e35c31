#include "store/chunk_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/auto.h"
#include "base/fs.h"

enum { LEVEL = 3, PATH_SIZE = 4096 };

int chunk_compress(str raw, struct buf *out, struct err *e)
{
    size_t bound = ZSTD_compressBound(raw.n);
    char *to = buf_reserve(out, bound);
    if (!to)
        return buf_check(out, "compressed document", e);
    size_t n = ZSTD_compress(to, bound, raw.p ? raw.p : "", raw.n, LEVEL);
    if (ZSTD_isError(n))
        return err_set(e, ERR_NO_MEMORY, "zstd: %s", ZSTD_getErrorName(n));
    out->n += n;
    return 0;
}

int chunk_expand(str packed, uint64_t size, const struct sha256 *want, struct buf *out,
                 struct err *e)
{
    char *to = buf_reserve(out, size + 1);
    if (!to)
        return err_set(e, ERR_LIMIT, "a stored document is larger than %zu bytes", out->max);
    size_t n = ZSTD_decompress(to, size, packed.p ? packed.p : "", packed.n);
    if (ZSTD_isError(n) || n != size)
        return err_set(e, ERR_MISMATCH, "a stored document is damaged (zstd)");
    struct sha256 is = sha256_of(to, n);
    if (!sha256_eq(&is, want))
        return err_set(e, ERR_MISMATCH, "a stored document is damaged (digest)");
    out->n += n;
    return 0;
}

/* ---- files */

static void path_of(const struct documents *d, const struct sha256 *digest, int64_t id,
                    char out[PATH_SIZE])
{
    char text[SHA256_TEXT];
    const char *hex = sha256_format(digest, text) + strlen("sha256:");
    snprintf(out, PATH_SIZE, "%s/%.2s/%s-%lld", d->directory, hex, hex, (long long)id);
}

static int file_put(struct documents *d, const struct sha256 *digest, int64_t id, str packed,
                    struct err *e)
{
    char path[PATH_SIZE], dir[PATH_SIZE];
    path_of(d, digest, id, path);
    str parent = str_dirname(str_z(path));
    snprintf(dir, sizeof dir, "%.*s", (int)parent.n, parent.p);
    int rc = fs_mkdirs(dir, e);
    return rc < 0 ? rc : fs_write_atomic(path, packed, 0600, e);
}

static int file_get(const struct documents *d, const struct sha256 *digest, int64_t id,
                    struct buf *out, struct err *e)
{
    if (!d->directory)
        return err_set(e, ERR_UNSUPPORTED,
                       "a document is kept in files, but no directory is configured for them");
    char path[PATH_SIZE];
    path_of(d, digest, id, path);
    int rc = fs_read(path, out, e);
    return rc == ERR_NOT_FOUND ? err_set(e, ERR_MISMATCH, "%s is gone", path) : rc;
}

void chunk_unlink(const struct documents *d, const struct sha256 *digest, int64_t id)
{
    char path[PATH_SIZE];
    if (!d->directory)
        return;
    path_of(d, digest, id, path);
    unlink(path);
}

/* ---- rows */

static str digest_bytes(const struct sha256 *d)
{
    return (str){(const char *)d->b, sizeof d->b};
}

/* 1: *id; 0: there is none. A chunk that waits for its removal is taken back. */
static int find(struct db_tx *tx, const struct sha256 *digest, int64_t *id, struct err *e)
{
    for (int attempt = 0; attempt < 3; attempt++) {
        auto_rows *r = NULL;
        int rc = db_query(tx, "SELECT id, unnamed_since FROM chunk WHERE digest = $1",
                          DB(DBB(digest_bytes(digest))), &r, e);
        if (rc == 0)
            rc = db_next(r, e);
        if (rc <= 0)
            return rc;
        *id = db_int(r, 0);
        if (db_is_null(r, 1))
            return 1;
        int64_t n = db_exec(tx,
                            "UPDATE chunk SET unnamed_since = NULL"
                            " WHERE id = $1 AND unnamed_since IS NOT NULL",
                            DB(DBI(*id)), e);
        if (n != 0)
            return n < 0 ? (int)n : 1;
    }
    return 0;
}

static int insert(struct documents *d, struct db_tx *tx, const struct sha256 *digest, str raw,
                  int64_t *id, struct err *e)
{
    auto_buf packed;
    buf_init(&packed, 2 * CHUNK_MAX);
    int rc = chunk_compress(raw, &packed, e);
    if (rc < 0)
        return rc;
    bool inside = d->driver == CHUNK_DB;
    rc = db_query_int(tx,
                      "INSERT INTO chunk (digest, driver, size, data) VALUES ($1, $2, $3, $4)"
                      " ON CONFLICT (digest) DO NOTHING RETURNING id",
                      DB(DBB(digest_bytes(digest)), DBI(d->driver), DBI(raw.n),
                         inside ? DBB(buf_view(&packed)) : DBNULL),
                      id, e);
    if (rc == 0 && !inside)
        rc = file_put(d, digest, *id, buf_view(&packed), e);
    return rc;
}

int chunk_put(struct documents *d, struct db_tx *tx, str raw, int64_t *id, struct err *e)
{
    struct sha256 digest = sha256_of(raw.p, raw.n);
    for (int attempt = 0; attempt < 3; attempt++) {
        int rc = find(tx, &digest, id, e);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        rc = insert(d, tx, &digest, raw, id, e);
        if (rc != ERR_NOT_FOUND)
            return rc;
    }
    return err_set(e, ERR_CONFLICT, "a chunk of a document comes and goes");
}

int chunk_get(struct documents *d, struct db_tx *tx, int64_t id, struct buf *out, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, "SELECT digest, driver, size, data FROM chunk WHERE id = $1", DB(DBI(id)),
                      &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc < 0)
        return rc;
    str digest = rc ? db_blob(r, 0) : (str){0};
    struct sha256 want;
    if (digest.n != sizeof want.b)
        return err_set(e, ERR_MISMATCH, "a chunk of a document is gone");
    memcpy(want.b, digest.p, sizeof want.b);
    auto_buf file;
    buf_init(&file, 2 * CHUNK_MAX);
    str packed = db_blob(r, 3);
    if (db_int(r, 1) == CHUNK_FS) {
        rc = file_get(d, &want, id, &file, e);
        if (rc < 0)
            return rc;
        packed = buf_view(&file);
    }
    int64_t size = db_int(r, 2);
    if (size < 0 || size > CHUNK_MAX)
        return err_set(e, ERR_MISMATCH, "a stored document is damaged (size)");
    return chunk_expand(packed, (uint64_t)size, &want, out, e);
}

/* ---- files without rows */

static int has_row(struct db_tx *tx, void *ctx, struct err *e)
{
    const int64_t *id = ctx;
    int64_t one;
    int rc = db_query_int(tx, "SELECT 1 FROM chunk WHERE id = $1", DB(DBI(*id)), &one, e);
    return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

/* 1: removed; 0: it stays. */
static int sweep_file(struct documents *d, int dir, const char *name, struct err *e)
{
    str s = str_z(name);
    ptrdiff_t dash = str_rindex(s, '-');
    uint64_t number;
    struct stat st;
    if (dash != 64 || !str_to_u64(str_from(s, dash + 1), &number) ||
        fstatat(dir, name, &st, 0) < 0 || st.st_mtime > time(NULL) - 86400)
        return 0;
    int64_t id = (int64_t)number;
    int rc = db_run(d->db, DB_READ, has_row, &id, e);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return unlinkat(dir, name, 0) == 0;
}

int64_t chunk_sweep_files(struct documents *d, size_t limit, struct err *e)
{
    int64_t gone = 0;
    for (int i = 0; d->directory && i < 256 && gone < (int64_t)limit; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s/%02x", d->directory, i);
        DIR *dir = opendir(path);
        int rc = 0;
        for (struct dirent *f; dir && rc >= 0 && (f = readdir(dir));) {
            rc = sweep_file(d, dirfd(dir), f->d_name, e);
            gone += rc == 1;
        }
        if (dir)
            closedir(dir);
        if (rc < 0)
            return rc;
    }
    return gone;
}
