/* analyst.c - start, confinement, and the questions to the parent. */
#include "packages/analyst_internal.h"

#include "base/auto.h"
#include "base/fs.h"
#include "image/confine.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* ---- questions
 * ------------------------------------------------------------------------------------------ */

static int ask_locked(struct analyst *an, enum message_type type, const struct buf *body,
                      int send_fd, int *fd, uint64_t *number, char *text, size_t text_size,
                      struct err *e)
{
    struct message *m = an->message;
    int r = channel_send(an->sock, type, body, send_fd, e);
    if (r == 0)
        r = channel_receive(an->sock, m, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_IO, "the parent process is gone");
    int received autoclose = m->fd;
    if (m->type == MSG_FAIL)
        return message_failure(m, e);
    if (m->type != MSG_OK || (fd && received < 0))
        return err_set(e, ERR_FORMAT, "an unexpected answer from the parent process");
    if (number)
        *number = cursor_varint(&m->body);
    if (text) {
        str got = message_get_str(m);
        snprintf(text, text_size, "%.*s", STR_ARG(got));
    }
    if (!cursor_ok(&m->body))
        return err_set(e, ERR_FORMAT, "a malformed answer from the parent process");
    if (fd)
        *fd = TAKE_FD(received);
    return 0;
}

int analyst_ask(struct analyst *an, enum message_type type, const struct buf *body, int send_fd,
                int *fd, uint64_t *number, char *text, size_t text_size, struct err *e)
{
    pthread_mutex_lock(&an->lock);
    int r = ask_locked(an, type, body, send_fd, fd, number, text, text_size, e);
    pthread_mutex_unlock(&an->lock);
    return r;
}

int analyst_blob(struct analyst *an, str digest, uint64_t size, str urls, int *fd, bool *seekable,
                 struct err *e)
{
    uint64_t flag = 0;
    auto_buf body;
    buf_init(&body, MESSAGE_MAX);
    message_put_str(&body, digest);
    buf_add_varint(&body, size);
    message_put_str(&body, urls);
    int r = analyst_ask(an, MSG_BLOB, &body, -1, fd, &flag, NULL, 0, e);
    *seekable = flag == 1;
    return r;
}

int analyst_transfer_status(struct analyst *an, str digest, int failure, struct err *e)
{
    struct err why = {0};
    auto_buf body;
    buf_init(&body, MESSAGE_MAX);
    message_put_str(&body, digest);
    int r = analyst_ask(an, MSG_BLOB_STATUS, &body, -1, NULL, NULL, NULL, 0, &why);
    if (r == 0)
        return failure;
    *e = why;
    return r;
}

void analyst_problem(struct analyst *an, int32_t layer, str path, const char *what, const char *fmt,
                     ...)
{
    char text[500];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&an->problems_lock);
    struct inv_problem *p = vec_push(&an->description.problems);
    if (p) {
        p->layer = layer;
        p->path = arena_dup(&an->arena, path);
        p->what = str_z(what);
        p->detail = arena_dup(&an->arena, str_z(text));
    }
    pthread_mutex_unlock(&an->problems_lock);
}

/* ---- start and end
 * --------------------------------------------------------------------------------------- */

static int analyst_send_description(struct analyst *an, struct err *e)
{
    auto_buf body;
    buf_init(&body, 64 << 20);
    description_encode(&an->description, &body);
    int r = buf_check(&body, "the description of the image", e);
    int fd autoclose = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (r == 0 && fd < 0)
        r = err_errno(e, "cannot describe the image");
    if (r == 0)
        r = fs_write_all(fd, body.p, body.n, e);
    if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        r = err_errno(e, "cannot describe the image");
    return r < 0 ? r : analyst_ask(an, MSG_IMAGE, NULL, fd, NULL, NULL, NULL, 0, e);
}

static int analyst_run(struct analyst *an, struct err *e)
{
    static int (*const by_shape[])(struct analyst * an, struct err * e) = {
        [SHAPE_BLOBS] = analyse_blobs,
        [SHAPE_ARCHIVE] = analyse_archive,
        [SHAPE_DIRECTORY] = analyse_directory,
    };
    int r = by_shape[an->source->shape](an, e);
    return r < 0 ? r : analyst_send_description(an, e);
}

static int analyst_confine(const struct analyst *an, struct err *e)
{
    struct confinement done = {0};
    int root = an->source->shape == SHAPE_DIRECTORY ? an->source->fd : -1;
    if (an->options->no_confine)
        return 0;
    /* what the crypto library loads from files must be loaded before */
    sha256_of("", 0);
    int r = confine(root, &done, e);
    if (an->options->progress)
        __atomic_store_n(&an->options->progress->confined, done.seccomp && done.landlock,
                         __ATOMIC_RELAXED);
    return r;
}

int analyst_main(const struct source *s, int sock, const struct analyst_options *o)
{
    struct err e = {0};
    struct analyst an = {.source = s, .options = o, .sock = sock};
    mallopt(M_ARENA_MAX, 2); /* memory is shared by the layers' threads, not hoarded by each */
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    pthread_mutex_init(&an.lock, NULL);
    pthread_mutex_init(&an.problems_lock, NULL);
    arena_init(&an.arena, 64 << 20);
    an.description.arena = &an.arena;
    map_init(&an.aliases);
    bool listed = true;
    for (size_t i = 0; i < o->n_aliases; i++)
        listed &= map_put(&an.aliases, o->aliases[i].real, (void *)(uintptr_t)&o->aliases[i]);
    an.message = malloc(sizeof *an.message);
    int r = an.message && listed ? analyst_confine(&an, &e) : err_no_memory(&e);
    if (r == 0)
        r = analyst_run(&an, &e);
    auto_buf body;
    buf_init(&body, MESSAGE_MAX);
    if (r < 0) {
        e.code = r;
        message_put_failure(&body, &e);
    }
    channel_send(sock, r < 0 ? MSG_FAIL : MSG_DONE, &body, -1, &e);
    description_done(&an.description);
    arena_done(&an.arena);
    free(an.message);
    return r < 0;
}
