/* source_blobs.c - manifests and blobs of content-addressed sources, and the threads that move
 * bytes. */
#include "base/auto.h"
#include "base/fs.h"
#include "codec/digest.h"
#include "image/engine_socket.h"
#include "image/source_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* An analyst reads at most one blob a thread; a reader that has gone ends a transfer at once, a
 * silent server after its timeouts. */
enum { TRANSFERS_MAX = 256, STATUS_WAIT = 300 };

struct transfer {
    struct transfer *next;
    struct source *source;
    pthread_t thread;
    bool joined;
    bool ended;               /* atomic: the thread has nothing left to do */
    int fd;                   /* the end to write */
    char digest[SHA256_TEXT]; /* "" for an engine's export */
    uint64_t size;
    char *urls; /* '\n' between; foreign layers */
    int result;
    struct err failure;
};

/* ---- transfers
 * ------------------------------------------------------------------------------------------- */

/* A layer that the registry does not keep, from the places that its descriptor names. */
static void transfer_foreign(struct transfer *t)
{
    str rest = str_z(t->urls);
    while (t->result < 0 && rest.n) {
        char url[2048];
        str one = str_split(&rest, '\n');
        if (one.n == 0 || one.n >= sizeof url)
            continue;
        snprintf(url, sizeof url, "%.*s", (int)one.n, one.p);
        t->result = registry_foreign_blob(t->source->registry, url, t->size, t->fd, &t->failure);
    }
}

static void *transfer_run(void *arg)
{
    struct transfer *t = arg;
    /* a reader that stops early is no accident of ours */
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    if (t->digest[0])
        t->result = registry_blob(t->source->registry, t->digest, t->size, t->fd, &t->failure);
    else
        t->result = engine_image_export(t->source->engine_socket, t->source->engine_image, t->fd,
                                        &t->failure);
    if (t->result == ERR_NOT_FOUND && t->urls)
        transfer_foreign(t);
    close(t->fd);
    __atomic_store_n(&t->ended, true, __ATOMIC_RELEASE);
    return NULL;
}

static size_t transfers_running(const struct source *s)
{
    size_t n = 0;
    for (const struct transfer *t = s->transfers; t; t = t->next)
        n += !__atomic_load_n(&t->ended, __ATOMIC_ACQUIRE);
    return n;
}

static void transfer_free(struct transfer *t)
{
    free(t->urls);
    free(t);
}

/* Takes t. */
static int transfer_start(struct source *s, struct transfer *t, int *fd, struct err *e)
{
    int ends[2];
    if (transfers_running(s) >= TRANSFERS_MAX) {
        transfer_free(t);
        return err_set(e, ERR_LIMIT, "more than %d blobs are read at once", TRANSFERS_MAX);
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        transfer_free(t);
        return err_errno(e, "cannot make a pipe");
    }
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20); /* as large as the system allows; smaller works too */
    t->source = s;
    t->fd = ends[1];
    if (pthread_create(&t->thread, NULL, transfer_run, t) != 0) {
        close(ends[0]);
        close(ends[1]);
        transfer_free(t);
        return err_set(e, ERR_IO, "cannot start a thread");
    }
    t->next = s->transfers;
    s->transfers = t;
    *fd = ends[0];
    return 0;
}

static int transfer_start_export(struct source *s, int *fd, struct err *e)
{
    struct transfer *t = calloc(1, sizeof *t);
    return t ? transfer_start(s, t, fd, e) : err_no_memory(e);
}

static void transfer_join(struct transfer *t)
{
    if (!t->joined)
        pthread_join(t->thread, NULL);
    t->joined = true;
}

/* A reader that keeps its end of the pipe open and reads nothing would hold the thread for ever. */
static bool transfer_join_within(struct transfer *t, unsigned seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    if (!t->joined)
        t->joined = pthread_timedjoin_np(t->thread, NULL, &until) == 0;
    return t->joined;
}

void transfers_end(struct source *s)
{
    while (s->transfers) {
        struct transfer *t = s->transfers;
        s->transfers = t->next;
        transfer_join(t);
        transfer_free(t);
    }
}

int source_blob_status(struct source *s, str digest, struct err *e)
{
    for (struct transfer *t = s->transfers; t; t = t->next) {
        if (!str_eq(str_z(t->digest), digest))
            continue;
        if (!transfer_join_within(t, STATUS_WAIT))
            return err_set(e, ERR_LIMIT, "a transfer has not ended after %d seconds", STATUS_WAIT);
        if (t->result < 0)
            *e = t->failure;
        return t->result;
    }
    return 0;
}

/* ---- layouts
 * --------------------------------------------------------------------------------------------- */

/* Opens a file below the layout; symbolic links may not leave it. */
static int layout_open(struct source *s, const char *path, int *fd, struct err *e)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    *fd = (int)syscall(SYS_openat2, s->fd, path, &how, sizeof how);
    if (*fd < 0 && errno == ENOSYS)
        *fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (*fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "the layout lacks %s: it is incomplete, copy it again",
                       path);
    if (*fd < 0 && errno == EXDEV)
        return err_set(e, ERR_FORMAT,
                       "the layout's %s is a symbolic link out of the layout: copy the file there",
                       path);
    if (*fd < 0)
        return err_errno(e, "the layout's %s", path);
    struct stat st;
    if (fstat(*fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(TAKE_FD(*fd));
        return err_set(e, ERR_FORMAT, "the layout's %s is no regular file", path);
    }
    return 0;
}

static int layout_blob(struct source *s, str digest, int *fd, struct err *e)
{
    struct sha256 parsed;
    char path[160], text[SHA256_TEXT];
    int r = sha256_parse(digest, &parsed, e);
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "blobs/sha256/%s", sha256_format(&parsed, text) + 7);
    return layout_open(s, path, fd, e);
}

/* ---- registries
 * ------------------------------------------------------------------------------------------ */

static int registry_manifest_fd(struct source *s, str name, int *fd, char media_type[128],
                                struct err *e)
{
    char text[256];
    auto_buf body;
    buf_init(&body, MANIFEST_MAX);
    snprintf(text, sizeof text, "%.*s", STR_ARG(name.n ? name : str_z(s->selector)));
    int r = registry_manifest(s->registry, text, &body, media_type, e);
    if (r < 0)
        return r;
    int file autoclose = memfd_create("manifest", MFD_CLOEXEC);
    if (file < 0)
        return err_errno(e, "cannot keep the manifest");
    r = fs_write_all(file, body.p, body.n, e);
    if (r == 0 && lseek(file, 0, SEEK_SET) < 0)
        r = err_errno(e, "cannot keep the manifest");
    if (r == 0)
        *fd = TAKE_FD(file);
    return r;
}

static int registry_blob_fd(struct source *s, str digest, uint64_t size, str urls, int *fd,
                            struct err *e)
{
    struct sha256 parsed;
    int r = sha256_parse(digest, &parsed, e);
    if (r < 0)
        return r;
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(e);
    sha256_format(&parsed, t->digest);
    t->size = size;
    t->urls = urls.n ? strndup(urls.p, urls.n) : NULL;
    return transfer_start(s, t, fd, e);
}

/* ---- both
 * --------------------------------------------------------------------------------------------------
 */

int source_manifest(struct source *s, str name, int *fd, char media_type[128], struct err *e)
{
    media_type[0] = '\0';
    if (s->registry)
        return registry_manifest_fd(s, name, fd, media_type, e);
    return name.n ? layout_blob(s, name, fd, e) : layout_open(s, "index.json", fd, e);
}

int source_blob(struct source *s, str digest, uint64_t size, str urls, int *fd, bool *seekable,
                struct err *e)
{
    *seekable = !s->registry && digest.n;
    if (digest.n == 0)
        return transfer_start_export(s, fd, e);
    if (s->registry)
        return registry_blob_fd(s, digest, size, urls, fd, e);
    return layout_blob(s, digest, fd, e);
}
