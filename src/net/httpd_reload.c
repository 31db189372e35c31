/* httpd_reload.c - certificates that are replaced while the server runs: a second daemon takes over
 * the listening socket, the first one keeps the connections that it has. */
#include "net/httpd_internal.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>

enum {
    GATHER_MS = 1000, /* after a change: the other files follow */
    LOOK_MS = 60000,  /* without being told: what a link leads to, file systems of the network */
};

static void look(const struct httpd *h, struct timespec out[3])
{
    const char *files[] = {h->o.tls_cert, h->o.tls_key, h->o.tls_chain};
    for (int i = 0; i < 3; i++) {
        struct stat st;
        out[i] = files[i] && stat(files[i], &st) == 0 ? st.st_mtim : (struct timespec){0};
    }
}

void httpd_reload_note(struct httpd *h)
{
    look(h, h->reload.changed);
}

/* Ends daemons whose last connection is gone. */
static void retire(struct httpd_reload *r)
{
    for (size_t i = 0; i < r->n_old; i++) {
        const union MHD_DaemonInfo *info =
            mhd.get_daemon_info(r->old[i], MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
        if (!info || info->num_connections)
            continue;
        mhd.stop_daemon(r->old[i]);
        r->old[i--] = r->old[--r->n_old];
    }
}

/* Files that don't belong together (one is replaced, the other not yet) are tried again. */
static void renew(struct httpd *h)
{
    struct httpd_reload *r = &h->reload;
    struct timespec now[3];
    struct MHD_Daemon *fresh = NULL;
    struct err ignored = {0};
    look(h, now);
    if (memcmp(now, r->changed, sizeof now) == 0 || r->n_old == HTTPD_OLD_MAX ||
        httpd_daemon_start(h, &fresh, &ignored) < 0)
        return;
    memcpy(r->changed, now, sizeof now);
    httpd_daemon_quiesce(h->daemon);
    r->old[r->n_old++] = h->daemon;
    h->daemon = fresh;
}

/* Names that appear beside the file, and beside its directory, which may be a link. */
static void watch_file(int fd, const char *file)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s", file) >= (int)sizeof path)
        return;
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');
        const char *dir = !slash ? "." : slash == path ? "/" : path;
        if (slash)
            *slash = 0;
        inotify_add_watch(
            fd, dir, IN_MASK_ADD | IN_CREATE | IN_MOVED_TO | (i ? 0 : IN_CLOSE_WRITE | IN_ATTRIB));
        if (dir != path)
            return;
    }
}

/* A descriptor that tells of changes; -1: files are only looked at now and then. */
static int watch_files(const struct httpd *h)
{
    const char *files[] = {h->o.tls_cert, h->o.tls_key, h->o.tls_chain};
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    for (int i = 0; i < 3 && fd >= 0; i++)
        if (files[i])
            watch_file(fd, files[i]);
    return fd;
}

static void close_notify(struct httpd_reload *r)
{
    if (r->notify >= 0)
        close(r->notify);
    r->notify = -1;
}

static bool told_to_end(const struct httpd_reload *r, int ms)
{
    struct pollfd end = {.fd = r->end, .events = POLLIN};
    return poll(&end, 1, ms) > 0;
}

/* False: the server stops. */
static bool sleep_until_told(struct httpd *h)
{
    struct httpd_reload *r = &h->reload;
    struct pollfd fds[] = {{.fd = r->end, .events = POLLIN}, {.fd = r->notify, .events = POLLIN}};
    poll(fds, 2, r->n_old ? GATHER_MS : LOOK_MS);
    if (!fds[1].revents)
        return !fds[0].revents;
    if (told_to_end(r, GATHER_MS))
        return false;
    close_notify(r); /* links may lead elsewhere now */
    r->notify = watch_files(h);
    return true;
}

static void *watch(void *ctx)
{
    struct httpd *h = ctx;
    while (sleep_until_told(h)) {
        renew(h);
        retire(&h->reload);
    }
    return NULL;
}

int httpd_reload_start(struct httpd *h, struct err *e)
{
    struct httpd_reload *r = &h->reload;
    if (!h->tls)
        return 0;
    r->notify = watch_files(h);
    r->end = eventfd(0, EFD_CLOEXEC);
    if (r->end >= 0 && pthread_create(&r->thread, NULL, watch, h) == 0) {
        r->running = true;
        return 0;
    }
    close_notify(r);
    if (r->end >= 0)
        close(r->end);
    return err_set(e, ERR_IO, "cannot start a thread");
}

void httpd_reload_end(struct httpd *h)
{
    struct httpd_reload *r = &h->reload;
    if (!r->running)
        return;
    while (eventfd_write(r->end, 1) < 0)
        ;
    pthread_join(r->thread, NULL);
    r->running = false;
    close_notify(r);
    close(r->end);
}

void httpd_reload_stop(struct httpd *h)
{
    for (size_t i = 0; i < h->reload.n_old; i++)
        mhd.stop_daemon(h->reload.old[i]);
    h->reload.n_old = 0;
}
