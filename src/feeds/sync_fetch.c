#include "feeds/sync_fetch.h"

#include "base/auto.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

enum { META_MAX = 4096 };
static const uint64_t file_max = (uint64_t)8 << 30;

/* What is known of a file, from the answer that brought it. */
struct meta {
    char etag[512], modified[128];
};

struct download {
    struct sync_fetch *f;
    const struct http_response *rs;
    char part[PATH_MAX], part_meta[PATH_MAX];
    int fd;
    uint64_t have; /* bytes in the part file */
    bool meta_written;
};

static int path_with(char out[PATH_MAX], const char *path, const char *suffix, struct err *e)
{
    int n = snprintf(out, PATH_MAX, "%s%s", path, suffix);
    return n > 0 && n < PATH_MAX ? 0 : err_set(e, ERR_LIMIT, "path too long: %s", path);
}

static void keep(char *to, size_t size, str value)
{
    if (value.n < size && value.n) {
        memcpy(to, value.p, value.n);
        to[value.n] = '\0';
    }
}

static void meta_read(const char *path, struct meta *m)
{
    auto_buf text;
    buf_init(&text, META_MAX);
    *m = (struct meta){0};
    if (fs_read(path, &text, NULL) < 0)
        return;
    str rest = buf_view(&text), line;
    while (str_line(&rest, &line)) {
        str name = str_split(&line, ':');
        if (str_eq(name, STR("etag")))
            keep(m->etag, sizeof m->etag, str_trim(line));
        if (str_eq(name, STR("last-modified")))
            keep(m->modified, sizeof m->modified, str_trim(line));
    }
}

static int meta_write(const char *path, const struct http_response *rs, struct err *e)
{
    auto_buf text;
    buf_init(&text, META_MAX);
    buf_addf(&text, "etag: %.*s\nlast-modified: %.*s\n", STR_ARG(http_header(rs, "etag")),
             STR_ARG(http_header(rs, "last-modified")));
    if (!buf_ok(&text))
        buf_clear(&text); /* headers of absurd length are as good as none */
    return fs_write_atomic(path, buf_view(&text), 0644, e);
}

static int on_body(void *ctx, const void *p, size_t n, struct err *e)
{
    struct download *d = ctx;
    if (!d->meta_written) { /* from now on, a later run can go on here */
        d->meta_written = true;
        int r = meta_write(d->part_meta, d->rs, e);
        if (r < 0)
            return r;
    }
    int r = fs_write_all(d->fd, p, n, e);
    if (r < 0)
        return err_wrap(e, "%s", d->part);
    d->have += n;
    d->f->bytes += n;
    if (d->f->on_bytes)
        d->f->on_bytes(d->f->ctx, d->have);
    if (d->f->stop && d->f->stop(d->f->ctx))
        return err_set(e, ERR_CONFLICT, "the download was stopped");
    return 0;
}

static void part_discard(const struct download *d)
{
    unlink(d->part);
    unlink(d->part_meta);
}

/* Opens the part file; what an earlier run left is used when its entity tag is known. */
static int part_open(struct download *d, struct meta *m, struct err *e)
{
    struct stat st;
    meta_read(d->part_meta, m);
    bool usable = m->etag[0] == '"';
    d->fd = open(d->part, O_WRONLY | O_CREAT | O_CLOEXEC | (usable ? O_APPEND : O_TRUNC), 0644);
    if (d->fd < 0 || fstat(d->fd, &st) < 0)
        return err_errno(e, "cannot create %s", d->part);
    d->have = (uint64_t)st.st_size;
    if (!d->have)
        *m = (struct meta){0};
    return 0;
}

static int part_finish(struct download *d, struct err *e)
{
    char meta[PATH_MAX];
    int r = path_with(meta, d->f->path, ".meta", e);
    if (r == 0 && fsync(d->fd) < 0)
        r = err_errno(e, "cannot write %s", d->part);
    /* The old tag must not outlive the old file: with the new file and no tag, the next run only
     * downloads once more. */
    if (r == 0 && unlink(meta) < 0 && errno != ENOENT)
        r = err_errno(e, "cannot remove %s", meta);
    if (r == 0 && rename(d->part, d->f->path) < 0)
        r = err_errno(e, "cannot rename %s", d->part);
    if (r == 0)
        r = meta_write(meta, d->rs, e);
    unlink(d->part_meta);
    return r;
}

/* One request. *again: what was kept of an earlier run is of no use; start over. */
static int request(struct download *d, bool *again, enum sync_outcome *out, struct err *e)
{
    struct sync_fetch *f = d->f;
    struct meta part, whole = {0};
    char meta_path[PATH_MAX];
    struct http_header headers[3];
    struct http_response rs = {0};
    int r = path_with(meta_path, f->path, ".meta", e);
    if (r == 0)
        r = part_open(d, &part, e);
    if (r < 0)
        return r;
    d->rs = &rs;
    struct http_request rq = {.url = f->url,
                              .headers = headers,
                              .max_body = file_max,
                              .sink = on_body,
                              .ctx = d,
                              .offset = d->have};
    if (d->have)
        headers[rq.n_headers++] = (struct http_header){"If-Range", part.etag};
    else if (fs_is_file(f->path))
        meta_read(meta_path, &whole);
    if (whole.etag[0])
        headers[rq.n_headers++] = (struct http_header){"If-None-Match", whole.etag};
    if (whole.modified[0])
        headers[rq.n_headers++] = (struct http_header){"If-Modified-Since", whole.modified};
    bool resumed = d->have != 0;
    r = http_fetch(f->http, &rq, &rs, NULL, e);
    *again = resumed && (r == ERR_MISMATCH || (r == 0 && rs.status == 416));
    if (*again)
        part_discard(d);
    else if (r == ERR_MISMATCH || r == ERR_LIMIT)
        part_discard(d);
    else if (r == 0 && rs.status == 304 && fs_is_file(f->path))
        *out = SYNC_UNCHANGED;
    else if (r == 0 && (rs.status == 404 || rs.status == 410) && f->optional)
        *out = SYNC_ABSENT;
    else if (r == 0 && (rs.status < 200 || rs.status > 299))
        r = http_status_error(&rs, f->url, e);
    else if (r == 0) {
        *out = SYNC_CHANGED;
        r = part_finish(d, e);
    }
    if (r == 0 && !*again && *out != SYNC_CHANGED)
        part_discard(d);
    if (!d->have)
        part_discard(d);
    http_response_done(&rs);
    return r;
}

int sync_fetch(struct sync_fetch *f, enum sync_outcome *out, struct err *e)
{
    bool again = true;
    int r = 0;
    f->bytes = 0;
    for (int i = 0; i < 2 && again; i++) {
        struct download d = {.f = f, .fd = -1};
        r = path_with(d.part, f->path, ".part", e);
        if (r == 0)
            r = path_with(d.part_meta, f->path, ".part.meta", e);
        if (r < 0)
            return r;
        again = false;
        r = request(&d, &again, out, e);
        if (d.fd >= 0)
            close(d.fd);
    }
    return r;
}

void sync_forget(const char *path)
{
    char meta[PATH_MAX];
    if (path_with(meta, path, ".meta", NULL) == 0)
        unlink(meta);
}
