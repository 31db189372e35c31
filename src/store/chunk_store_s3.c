#include "store/chunk_store_s3.h"

static void key_of(const struct documents *d, const struct sha256 *digest, int64_t id,
                   char out[S3_KEY_MAX + 1])
{
    char text[SHA256_TEXT];
    const char *hex = sha256_format(digest, text) + strlen("sha256:");
    snprintf(out, S3_KEY_MAX + 1, "%s%.2s/%s-%lld", d->s3_prefix, hex, hex, (long long)id);
}

int chunk_s3_put(struct documents *d, const struct sha256 *digest, int64_t id, str packed,
                 struct err *e)
{
    char key[S3_KEY_MAX + 1];
    key_of(d, digest, id, key);
    int rc = s3_put(d->s3, key, packed, e);
    return rc == ERR_NOT_FOUND ? err_set(e, ERR_IO, "the bucket %s is gone", s3_name(d->s3)) : rc;
}

int chunk_s3_get(const struct documents *d, const struct sha256 *digest, int64_t id,
                 struct buf *out, struct err *e)
{
    char key[S3_KEY_MAX + 1];
    if (!d->s3)
        return err_set(e, ERR_UNSUPPORTED,
                       "a document is kept in S3, but no bucket is configured for them");
    key_of(d, digest, id, key);
    int rc = s3_get(d->s3, key, out, e);
    return rc == ERR_NOT_FOUND ? err_set(e, ERR_MISMATCH, "%s/%s is gone", s3_name(d->s3), key)
                               : rc;
}

void chunk_s3_delete(const struct documents *d, const struct sha256 *digest, int64_t id)
{
    char key[S3_KEY_MAX + 1];
    if (!d->s3)
        return;
    key_of(d, digest, id, key);
    s3_delete(d->s3, key, NULL);
}

/* ---- objects without rows */

struct sweep {
    struct documents *d;
    size_t limit;
    int64_t gone;
    char last[S3_KEY_MAX + 1];
};

static int sweep_key(void *ctx, const char *key, int64_t modified, struct err *e)
{
    struct sweep *s = ctx;
    str name = str_from(str_z(key), strlen(s->d->s3_prefix));
    ptrdiff_t dash = str_rindex(name, '-');
    uint64_t id;
    snprintf(s->last, sizeof s->last, "%s", key);
    if (dash != 67 || name.p[2] != '/' || !str_to_u64(str_from(name, 68), &id) || modified < 0 ||
        modified > (int64_t)time(NULL) - 86400 || s->gone >= (int64_t)s->limit)
        return 0;
    int rc = chunk_has_row(s->d, (int64_t)id, CHUNK_S3, e);
    if (rc == 0 && (rc = s3_delete(s->d->s3, key, e)) == 0)
        s->gone++;
    return rc < 0 ? rc : 0;
}

int64_t chunk_s3_sweep(struct documents *d, size_t limit, struct err *e)
{
    struct sweep s = {.d = d, .limit = limit};
    int rc = s3_list(d->s3, d->s3_prefix, d->s3_after, sweep_key, &s, e);
    if (rc < 0)
        return err_wrap(e, "while looking for objects that no row names");
    snprintf(d->s3_after, sizeof d->s3_after, "%s", rc ? s.last : "");
    return s.gone;
}
