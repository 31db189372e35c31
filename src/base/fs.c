#include "base/fs.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

int fs_read_fd(int fd, const char *name, struct buf *out, struct err *e)
{
    for (;;) {
        size_t room = out->cap - out->n < 65536 ? 65536 : out->cap - out->n;
        if (room > out->max - out->n)
            room = out->max - out->n;
        if (room == 0) { /* full: one byte more means too large */
            char extra;
            ssize_t got = read(fd, &extra, 1);
            if (got == 0)
                return 0;
            return err_set(e, ERR_LIMIT, "%s is larger than the limit of %zu bytes", name,
                           out->max);
        }
        char *to = buf_reserve(out, room);
        if (!to)
            return err_no_memory(e);
        ssize_t got = read(fd, to, room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, "cannot read %s", name);
        if (got == 0)
            return 0;
        out->n += (size_t)got;
    }
}

int fs_read(const char *path, struct buf *out, struct err *e)
{
    int fd autoclose = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    return fs_read_fd(fd, path, out, e);
}

int fs_write_all(int fd, const void *p, size_t n, struct err *e)
{
    const char *at = p;
    while (n) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_errno(e, "cannot write");
        at += put;
        n -= (size_t)put;
    }
    return 0;
}

static int fs_write_into(const char *path, str data, struct err *e)
{
    int fd autoclose = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    int r = fs_write_all(fd, data.p, data.n, e);
    return r < 0 ? err_wrap(e, "%s", path) : 0;
}

static int fs_replace(const char *path, str data, unsigned mode, struct err *e)
{
    char temp[PATH_MAX];
    int n = snprintf(temp, sizeof temp, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temp)
        return err_set(e, ERR_LIMIT, "path too long: %s", path);
    int fd autoclose = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "cannot create %s", temp);
    mode_t mask = umask(0);
    umask(mask);
    int r = fs_write_all(fd, data.p, data.n, e);
    if (r == 0 && (fchmod(fd, mode & ~mask) < 0 || fsync(fd) < 0))
        r = err_errno(e, "cannot write to disk");
    if (r == 0 && rename(temp, path) < 0)
        r = err_errno(e, "cannot rename");
    if (r < 0) {
        unlink(temp);
        return err_wrap(e, "while writing %s", path);
    }
    return 0;
}

int fs_write_atomic(const char *path, str data, unsigned mode, struct err *e)
{
    struct stat st;
    char real[PATH_MAX];
    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return fs_write_into(path, data, e);
        if (realpath(path, real)) /* a link stays a link */
            path = real;
    }
    return fs_replace(path, data, mode, e);
}

int fs_mkdirs(const char *path, struct err *e)
{
    char part[PATH_MAX];
    int n = snprintf(part, sizeof part, "%s", path);
    if (n < 0 || (size_t)n >= sizeof part)
        return err_set(e, ERR_LIMIT, "path too long: %s", path);
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char saved = *at;
        *at = '\0';
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            return err_errno(e, "cannot make directory %s", part);
        *at = saved;
        if (saved == '\0')
            return 0;
    }
}

int fs_temp_fd(int *out, struct err *e)
{
    const char *dirs[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
    for (size_t i = 0; i < KE_ARRAY_LEN(dirs); i++) {
        if (!dirs[i] || !*dirs[i])
            continue;
        int fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0) {
            char name[PATH_MAX];
            snprintf(name, sizeof name, "%s/kellet-XXXXXX", dirs[i]);
            fd = mkostemp(name, O_CLOEXEC);
            if (fd >= 0)
                unlink(name);
        }
        if (fd >= 0) {
            *out = fd;
            return 0;
        }
    }
    return err_errno(e, "cannot make a temporary file (set TMPDIR to a writable directory)");
}

bool fs_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool fs_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}
