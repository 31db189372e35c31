/* httpd_reload.c - certificates that are replaced while the server runs: a second daemon takes over
 * the listening socket, the first one keeps the connections that it has. */
#include "net/httpd_internal.h"

#include "base/cond.h"

#include <sys/stat.h>

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

static void *watch(void *ctx)
{
    struct httpd *h = ctx;
    pthread_mutex_lock(&h->lock);
    while (!h->draining) {
        int64_t until = clock_us() + 1000000;
        while (!h->draining && cond_wait_until(&h->change, &h->lock, until))
            ;
        if (h->draining)
            break;
        pthread_mutex_unlock(&h->lock);
        renew(h);
        retire(&h->reload);
        pthread_mutex_lock(&h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

int httpd_reload_start(struct httpd *h, struct err *e)
{
    if (!h->tls)
        return 0;
    if (pthread_create(&h->reload.thread, NULL, watch, h) != 0)
        return err_set(e, ERR_IO, "cannot start a thread");
    h->reload.running = true;
    return 0;
}

void httpd_reload_end(struct httpd *h)
{
    if (!h->reload.running)
        return;
    pthread_mutex_lock(&h->lock);
    pthread_cond_broadcast(&h->change);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->reload.thread, NULL);
    h->reload.running = false;
}

void httpd_reload_stop(struct httpd *h)
{
    for (size_t i = 0; i < h->reload.n_old; i++)
        mhd.stop_daemon(h->reload.old[i]);
    h->reload.n_old = 0;
}
