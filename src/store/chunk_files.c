#include "store/chunk_store_s3.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

enum { PATH_SIZE = 4096 };

static void path_of(const struct documents *d, const struct sha256 *digest, int64_t id,
                    char out[PATH_SIZE])
{
    char text[SHA256_TEXT];
    const char *hex = sha256_format(digest, text) + strlen("sha256:");
    snprintf(out, PATH_SIZE, "%s/%.2s/%s-%lld", d->directory, hex, hex, (long long)id);
}

int chunk_file_put(struct documents *d, const struct sha256 *digest, int64_t id, str packed,
                   struct err *e)
{
    char path[PATH_SIZE], dir[PATH_SIZE];
    path_of(d, digest, id, path);
    str parent = str_dirname(str_z(path));
    snprintf(dir, sizeof dir, "%.*s", (int)parent.n, parent.p);
    int rc = fs_mkdirs(dir, e);
    return rc < 0 ? rc : fs_write_atomic(path, packed, 0600, e);
}

int chunk_file_get(const struct documents *d, const struct sha256 *digest, int64_t id,
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

void chunk_unlink(const struct documents *d, enum chunk_driver driver, const struct sha256 *digest,
                  int64_t id)
{
    char path[PATH_SIZE];
    if (driver == CHUNK_S3)
        chunk_s3_delete(d, digest, id);
    if (driver != CHUNK_FS || !d->directory)
        return;
    path_of(d, digest, id, path);
    unlink(path);
}

/* ---- files without rows */

static int has_row(struct db_tx *tx, void *ctx, struct err *e)
{
    const int64_t *wanted = ctx;
    int64_t one;
    int rc = db_query_int(tx, "SELECT 1 FROM chunk WHERE id = $1 AND driver = $2",
                          DB(DBI(wanted[0]), DBI(wanted[1])), &one, e);
    return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

int chunk_has_row(struct documents *d, int64_t id, enum chunk_driver driver, struct err *e)
{
    int64_t wanted[] = {id, driver};
    return db_run(d->db, DB_READ, has_row, wanted, e);
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
    int rc = chunk_has_row(d, (int64_t)number, CHUNK_FS, e);
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
