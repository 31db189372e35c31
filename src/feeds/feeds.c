/* feeds.c - walks what the user named (files, directories, archives) and feeds it to a driver. */
#include "feeds/common.h"

#include "base/auto.h"
#include "base/fs.h"
#include "base/vec.h"
#include "codec/tar.h"
#include "codec/zip.h"
#include "feeds/peek.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { WALK_DEPTH = 32, WALK_FILES = 4 << 20, PATH_LONGEST = 8192 };

static const struct inflate_limits inflate_limits = {.max_out = (uint64_t)64 << 30,
                                                     .max_ratio = 1500};

struct load {
    const struct feed_ops *feed;
    struct claim_sink *sink;
    struct feed_sinks *sinks; /* of a feed with read_many */
    const struct feed_progress *progress;
    void *state;
    uint64_t inputs, bytes; /* so far; bytes as they lie on disk */
    uint64_t here;          /* inputs of the path the user named */
};

/* Gives one decompressed stream to the driver. */
static int load_stream(struct load *l, str path, struct stream *in, struct err *e)
{
    struct feed_input input = {.path = path, .in = in};
    int r = l->sinks ? l->feed->read_many(&input, l->sinks, e)
                     : l->feed->read(&l->state, &input, l->sink, e);
    if (r < 0 && e && !str_contains(str_z(e->text), path))
        err_wrap(e, "%s", path.p); /* from the streams below */
    if (r < 0)
        return r;
    l->inputs++;
    l->here++;
    if (l->progress && l->progress->step)
        l->progress->step(l->progress->ctx, path, l->inputs, l->bytes);
    return 0;
}

/* A member: may be compressed once more by itself. */
static int load_member(struct load *l, str path, struct stream *raw, struct err *e)
{
    enum compression c;
    auto_stream *plain = NULL;
    int r = stream_sniff(raw, &c, e);
    if (r == 0 && c != COMP_NONE)
        r = stream_inflate(raw, c, &inflate_limits, &plain, e);
    if (r < 0)
        return err_wrap(e, "%s", path.p);
    return load_stream(l, path, plain ? plain : raw, e);
}

static bool wanted(const struct load *l, str member)
{
    return l->feed->wants(feed_plain_path(member));
}

static int member_path(struct buf *b, str archive, str member, struct err *e)
{
    buf_clear(b);
    buf_add_str(b, archive);
    buf_add_char(b, '!');
    buf_add_str(b, member);
    if (!buf_z(b))
        return err_set(e, ERR_LIMIT, "%.*s: a member's path is longer than %d bytes",
                       STR_ARG(archive), PATH_LONGEST);
    return 0;
}

static int load_tar(struct load *l, str path, struct stream *in, struct err *e)
{
    struct tar *t;
    struct tar_entry entry;
    auto_buf name;
    buf_init(&name, PATH_LONGEST);
    int r = tar_open(in, NULL, &t, e);
    if (r < 0)
        return err_wrap(e, "%s", path.p);
    while ((r = tar_next(t, &entry, e)) == 1) {
        if (entry.type != TAR_FILE || !wanted(l, entry.path))
            continue;
        r = member_path(&name, path, entry.path, e);
        if (r == 0)
            r = load_member(l, buf_view(&name), tar_content(t), e);
        if (r < 0) {
            tar_close(t);
            return r;
        }
    }
    tar_close(t);
    return r < 0 ? err_wrap(e, "%s", path.p) : 0;
}

static int load_zip(struct load *l, str path, int fd, struct err *e)
{
    struct spool *spool = NULL;
    struct zip *z = NULL;
    struct zip_entry entry;
    auto_buf name;
    buf_init(&name, PATH_LONGEST);
    int r = spool_from_fd(fd, &spool, e);
    if (r == 0)
        r = zip_open(spool, NULL, &z, e);
    bool in_member = false;
    while (r == 0 && (r = zip_next(z, &entry, e)) == 1) {
        r = 0;
        if (entry.is_dir || !wanted(l, entry.name))
            continue;
        auto_stream *content = NULL;
        r = member_path(&name, path, entry.name, e);
        in_member = r == 0;
        if (r == 0)
            r = zip_content(z, &entry, &content, e);
        if (r == 0)
            r = load_member(l, buf_view(&name), content, e);
        else
            err_wrap(e, "%s", name.p ? name.p : path.p);
        if (r == 0)
            in_member = false;
    }
    zip_close(z);
    spool_free(spool);
    return r < 0 && !in_member ? err_wrap(e, "%s", path.p) : r;
}

/* What is left when compression is taken off: a tar archive, or one input. */
static int load_plain(struct load *l, str path, struct stream *in, struct err *e)
{
    auto_stream *peeked = NULL;
    bool is_tar;
    int r = stream_peek_tar(in, &peeked, &is_tar, e);
    if (r < 0)
        return err_wrap(e, "%s", path.p);
    return is_tar ? load_tar(l, path, peeked, e) : load_stream(l, path, peeked, e);
}

static int load_file(struct load *l, str path, struct err *e)
{
    char magic[4] = {0};
    int fd autoclose = open(path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, "cannot open %s", path.p);
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return err_set(e, ERR_USAGE, "%s: is neither a file nor a directory", path.p);
    if (S_ISREG(st.st_mode)) {
        if (pread(fd, magic, sizeof magic, 0) == 4 &&
            (memcmp(magic, "PK\3\4", 4) == 0 || memcmp(magic, "PK\5\6", 4) == 0)) {
            int r = load_zip(l, path, fd, e);
            l->bytes += (uint64_t)st.st_size;
            return r;
        }
    } else if (fcntl(fd, F_SETFL, 0) < 0) {
        return err_errno(e, "cannot read %s", path.p);
    }
    enum compression c;
    auto_stream *raw = NULL, *plain = NULL;
    int r = stream_from_fd(fd, false, &raw, e);
    if (r == 0)
        r = stream_sniff(raw, &c, e);
    if (r == 0)
        r = stream_inflate(raw, c, &inflate_limits, &plain, e);
    if (r < 0)
        return err_wrap(e, "%s", path.p);
    r = load_plain(l, path, plain, e);
    l->bytes += raw->consumed;
    return r;
}

/* ---- directories --------------------------------------------------------------------------------
 */

struct names {
    VEC(char *) list;
};

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(DIR *dir, struct names *n, struct err *e)
{
    for (struct dirent *d; (d = readdir(dir));) {
        if (d->d_name[0] == '.')
            continue;
        char **slot = n->list.n < WALK_FILES ? vec_push(&n->list) : NULL;
        if (!slot || !(*slot = strdup(d->d_name)))
            return err_set(e, ERR_LIMIT, "a directory has more files than the limit of %d",
                           WALK_FILES);
    }
    if (n->list.n)
        qsort(n->list.p, n->list.n, sizeof *n->list.p, name_compare);
    return 0;
}

static bool is_archive(str name)
{
    name = feed_plain_path(name);
    return str_ends(name, STR(".tar")) || str_ends(name, STR(".zip")) ||
           str_ends(name, STR(".tgz"));
}

static int load_dir(struct load *l, str path, size_t root, unsigned depth, struct err *e);

static int load_below(struct load *l, str path, size_t root, unsigned depth, struct err *e)
{
    struct stat st;
    bool link = lstat(path.p, &st) == 0 && S_ISLNK(st.st_mode);
    if (stat(path.p, &st) < 0)
        return 0;            /* a dangling link, or gone meanwhile */
    if (S_ISDIR(st.st_mode)) /* links to directories could lead in circles */
        return link ? 0 : load_dir(l, path, root, depth + 1, e);
    str below = str_from(path, root + 1);
    if (!S_ISREG(st.st_mode) || (!wanted(l, below) && !is_archive(below)))
        return 0;
    return load_file(l, path, e);
}

static int load_dir(struct load *l, str path, size_t root, unsigned depth, struct err *e)
{
    if (depth > WALK_DEPTH)
        return err_set(e, ERR_LIMIT, "%s: directories nested deeper than %d", path.p, WALK_DEPTH);
    DIR *dir = opendir(path.p);
    if (!dir)
        return err_errno(e, "cannot open %s", path.p);
    struct names names = {0};
    auto_buf child;
    buf_init(&child, PATH_LONGEST);
    int r = names_read(dir, &names, e);
    closedir(dir);
    for (size_t i = 0; i < names.list.n && r == 0; i++) {
        buf_clear(&child);
        buf_add_str(&child, path);
        buf_add_char(&child, '/');
        buf_add_str(&child, str_z(names.list.p[i]));
        if (!buf_z(&child))
            r = err_set(e, ERR_LIMIT, "%s: a path is longer than %d bytes", path.p, PATH_LONGEST);
        else
            r = load_below(l, buf_view(&child), root, depth, e);
    }
    for (size_t i = 0; i < names.list.n; i++)
        free(names.list.p[i]);
    vec_done(&names.list);
    return r;
}

static int load_paths(struct load *l, const char *const *paths, size_t n_paths, struct err *e)
{
    int r = 0;
    for (size_t i = 0; i < n_paths && r == 0; i++) {
        str path = str_z(paths[i]);
        while (path.n > 1 && path.p[path.n - 1] == '/')
            path.n--;
        l->here = 0;
        r = fs_is_dir(paths[i]) ? load_dir(l, path, path.n, 0, e) : load_file(l, path, e);
        if (r == 0 && !l->here)
            r = err_set(e, ERR_FORMAT, "%s: holds nothing that the feed \"%s\" reads", paths[i],
                        l->feed->name);
    }
    return r;
}

int feeds_load_many(const struct feed_ops *feed, const char *const *paths, size_t n_paths,
                    struct feed_sinks *sinks, const struct feed_progress *progress, struct err *e)
{
    struct load l = {.feed = feed, .sinks = sinks, .progress = progress};
    return load_paths(&l, paths, n_paths, e);
}

int feeds_load(const struct feed_ops *feed, const char *const *paths, size_t n_paths,
               struct claim_sink *sink, const struct feed_progress *progress, struct err *e)
{
    struct load l = {.feed = feed, .sink = sink, .progress = progress};
    int r = load_paths(&l, paths, n_paths, e);
    if (feed->finish) {
        int f = feed->finish(&l.state, r < 0 ? NULL : sink, r < 0 ? NULL : e);
        if (r == 0)
            r = f;
    }
    return r;
}
