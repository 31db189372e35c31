/* analyst_dir.c - a root file system that is not in an archive: dir:PATH and host:/.
 *
 * Files are opened relative to the root and never through a symbolic link, so nothing outside is
 * read. On a host, pseudo file systems and the storage of container engines (other systems'
 * content) are left out. */
#include "base/auto.h"
#include "packages/analyst_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

enum { DEPTH_MAX = 256, ENTRIES_MAX = 50000000 };

struct dir_walk {
    struct analyst *an;
    struct layer_making *m;
    struct buf path; /* of the current entry */
    uint64_t entries;
    bool full;
};

static const str host_left_out[] = {
    STR_INIT("proc"),
    STR_INIT("sys"),
    STR_INIT("dev"),
    STR_INIT("run"),
    STR_INIT("tmp"),
    STR_INIT("var/lib/docker"),
    STR_INIT("var/lib/containerd"),
    STR_INIT("var/lib/containers/storage"),
    STR_INIT("var/lib/kubelet/pods"),
    STR_INIT("var/lib/kellet"),
};

static bool left_out(const struct dir_walk *w)
{
    for (size_t i = 0; w->an->source->host && i < KE_ARRAY_LEN(host_left_out); i++)
        if (str_eq(buf_view(&w->path), host_left_out[i]))
            return true;
    return false;
}

/* Content that is made up by a kernel, wherever it is mounted. */
static bool pseudo_file_system(int fd)
{
    static const unsigned long magics[] = {
        PROC_SUPER_MAGIC,   SYSFS_MAGIC,   DEBUGFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
        DEVPTS_SUPER_MAGIC, TRACEFS_MAGIC, BPF_FS_MAGIC,  SECURITYFS_MAGIC,   PSTOREFS_MAGIC};
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < KE_ARRAY_LEN(magics); i++)
        if ((unsigned long)fs.f_type == magics[i])
            return true;
    return false;
}

static struct tar_entry entry_of(const struct dir_walk *w, const struct stat *st)
{
    enum tar_type type = S_ISREG(st->st_mode)    ? TAR_FILE
                         : S_ISDIR(st->st_mode)  ? TAR_DIR
                         : S_ISLNK(st->st_mode)  ? TAR_SYMLINK
                         : S_ISCHR(st->st_mode)  ? TAR_CHAR
                         : S_ISBLK(st->st_mode)  ? TAR_BLOCK
                         : S_ISFIFO(st->st_mode) ? TAR_FIFO
                                                 : TAR_OTHER;
    return (struct tar_entry){.type = type,
                              .path = buf_view(&w->path),
                              .size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
                              .mode = st->st_mode & 07777,
                              .uid = st->st_uid,
                              .gid = st->st_gid,
                              .mtime = st->st_mtim.tv_sec};
}

static int dir_content(struct dir_walk *w, int fd, const struct stat *st, bool listed,
                       struct err *e)
{
    auto_stream *s = NULL;
    struct err why = {0};
    int r = stream_from_fd(fd, false, &s, e);
    if (r < 0)
        return r;
    struct analyst_progress *progress = w->an->options->progress;
    const struct tar_entry entry = entry_of(w, st);
    r = listed ? making_listed_file(w->m, &entry, s, &why)
               : making_file(w->m, entry.path, entry.size, entry.mode, s, &why);
    if (progress)
        __atomic_fetch_add(&progress->bytes, s->consumed, __ATOMIC_RELAXED);
    if (r < 0 && s->failure.code) { /* a file that cannot be read does not end the scan */
        making_odd(w->m, buf_view(&w->path), "unreadable", why.text);
        return 0;
    }
    if (r < 0)
        *e = why;
    return r;
}

/* What is no file has no content; its link is its only other part. */
static void dir_other(struct dir_walk *w, int dir, const char *name, const struct stat *st)
{
    char link[4096];
    struct tar_entry entry = entry_of(w, st);
    if (!making_lists(w->m))
        return;
    if (S_ISLNK(st->st_mode)) {
        ssize_t n = readlinkat(dir, name, link, sizeof link);
        entry.link = n > 0 ? (str){link, (size_t)n} : STR("");
    }
    making_listed(w->m, &entry);
}

static int dir_file(struct dir_walk *w, int dir, const char *name, struct err *e)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT && cataloguer_for(buf_view(&w->path), 1, 0644))
            making_odd(w->m, buf_view(&w->path), "unreadable", strerror(errno));
        return 0;
    }
    if (!S_ISREG(st.st_mode)) {
        dir_other(w, dir, name, &st);
        return 0;
    }
    if (!making_lists(w->m) &&
        !cataloguer_for(buf_view(&w->path), (uint64_t)st.st_size, st.st_mode & 07777))
        return 0;
    int fd autoclose = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        if (errno != ENOENT)
            making_odd(w->m, buf_view(&w->path), "unreadable", strerror(errno));
        return 0;
    }
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
               ? dir_content(w, fd, &st, making_lists(w->m), e)
               : 0;
}

static int dir_walk(struct dir_walk *w, int fd, int depth, struct err *e);

static int dir_below(struct dir_walk *w, int dir, const char *name, int depth, struct err *e)
{
    if (left_out(w))
        return 0;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOTDIR && errno != ELOOP && errno != ENOENT)
            making_odd(w->m, buf_view(&w->path), "unreadable", strerror(errno));
        return 0;
    }
    if (pseudo_file_system(fd)) {
        close(fd);
        return 0;
    }
    struct stat st;
    if (fstat(fd, &st) == 0)
        dir_other(w, dir, name, &st);
    if (depth == DEPTH_MAX) {
        close(fd);
        making_odd(w->m, buf_view(&w->path), "limit", "directories are nested too deep");
        return 0;
    }
    return dir_walk(w, fd, depth + 1, e);
}

static int dir_entry(struct dir_walk *w, int dir, const struct dirent *d, int depth, struct err *e)
{
    unsigned char type = d->d_type;
    if (w->an->options->progress)
        __atomic_fetch_add(&w->an->options->progress->entries, 1, __ATOMIC_RELAXED);
    if (type == DT_UNKNOWN) {
        struct stat st;
        if (fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return 0;
        type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_SOCK;
    }
    if (type == DT_DIR)
        return dir_below(w, dir, d->d_name, depth, e);
    return type == DT_REG || making_lists(w->m) ? dir_file(w, dir, d->d_name, e) : 0;
}

/* Takes fd. */
static int dir_walk(struct dir_walk *w, int fd, int depth, struct err *e)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return err_errno(e, "cannot list a directory");
    }
    int r = 0;
    size_t parent = w->path.n;
    while (r == 0) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (!d) {
            if (errno)
                making_odd(w->m, buf_view(&w->path), "unreadable", strerror(errno));
            break;
        }
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (++w->entries > ENTRIES_MAX) {
            if (!w->full)
                making_odd(w->m, STR(""), "limit", "too many files: the rest was not looked at");
            w->full = true;
            break;
        }
        if (parent)
            buf_add_char(&w->path, '/');
        buf_add_str(&w->path, str_z(d->d_name));
        bool fits = buf_ok(&w->path);
        if (fits)
            r = dir_entry(w, dirfd(dir), d, depth, e);
        w->path.failed = false;
        w->path.n = parent;
        if (!fits)
            making_odd(w->m, buf_view(&w->path), "limit", "a path below is too long");
    }
    closedir(dir);
    return r;
}

/* Is it one that stands at some known path itself, and was read there? */
static bool dir_known_file(int root, const struct stat *wanted)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
    bool found = false;
    for (const str *known = known_paths; !found && known->n; known++) {
        struct stat st;
        int fd autoclose = (int)syscall(SYS_openat2, root, known->p, &how, sizeof how);
        found = fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == wanted->st_dev &&
                st.st_ino == wanted->st_ino;
    }
    return found;
}

/* A known database behind symbolic links, which the walk does not follow: opened as the system
 * itself would, without leaving the root. */
static int dir_known_link(struct dir_walk *w, int root, str known, struct err *e)
{
    struct stat st;
    char path[256];
    snprintf(path, sizeof path, "%.*s", STR_ARG(known));
    struct open_how plain = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                             .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
    struct open_how linked = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                              .resolve = RESOLVE_IN_ROOT};
    int direct autoclose = (int)syscall(SYS_openat2, root, path, &plain, sizeof plain);
    if (direct >= 0 || errno != ELOOP)
        return 0;
    int fd autoclose = (int)syscall(SYS_openat2, root, path, &linked, sizeof linked);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
        making_odd(w->m, known, "unreadable",
                   errno == ELOOP ? "symbolic links go in circles" : strerror(errno));
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || dir_known_file(root, &st))
        return 0;
    buf_clear(&w->path);
    buf_add_str(&w->path, known);
    return dir_content(w, fd, &st, false, e);
}

int analyse_directory(struct analyst *an, struct err *e)
{
    struct dir_walk w = {.an = an};
    int r = making_new(an, &w.m, e);
    if (r < 0)
        return r;
    buf_init(&w.path, 1 << 16);
    int fd = openat(an->source->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 ? err_errno(e, "cannot read the directory") : dir_walk(&w, fd, 0, e);
    for (const str *known = known_paths; r == 0 && known->n; known++)
        r = dir_known_link(&w, an->source->fd, *known, e);
    struct layer_ref *layer = r == 0 ? vec_push(&an->description.layers) : NULL;
    if (r == 0 && !layer)
        r = err_no_memory(e);
    if (r == 0)
        r = making_send(w.m, STR(""), false, e);
    buf_done(&w.path);
    making_free(w.m);
    return r;
}
