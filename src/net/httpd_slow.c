/* httpd_slow.c - clients that send a byte now and then: libmicrohttpd only counts the time without
 * any byte. A thread looks at the connections that wait for a request or receive one, when the time
 * of the first of them may be over; without connections it sleeps. */
#include "net/httpd_internal.h"

#include "base/cond.h"

#include <sys/socket.h>

struct httpd_peer {
    int fd;
    int64_t since_us;   /* accepted, or the last answer sent, or the head complete */
    uint64_t body_size; /* received so far */
    enum { PEER_HEAD, PEER_BODY, PEER_ANSWER } state;
    struct httpd_peer *next, *previous;
};

enum { SECOND = 1000000 };

/* ---- when whose time is over: under the lock ------------------------------------------------- */

static bool crowded(const struct httpd *h)
{
    return h->slow.n > h->o.max_connections / 4 * 3;
}

static int64_t allowed_us(const struct httpd *h)
{
    unsigned seconds = h->o.idle_timeout;
    if (crowded(h) && seconds > HTTPD_CROWDED_SECONDS)
        seconds = HTTPD_CROWDED_SECONDS;
    return seconds * (int64_t)SECOND;
}

/* While an answer is made: should it be sent now, and nothing follow. */
static int64_t due(const struct httpd *h, const struct httpd_peer *p, int64_t now)
{
    int64_t allowed = allowed_us(h);
    if (p->state == PEER_ANSWER)
        return now + allowed;
    if (p->state == PEER_BODY)
        allowed += (int64_t)(p->body_size / HTTPD_BODY_RATE) * SECOND;
    return p->since_us + allowed;
}

/* What p does now may be over before the thread would look; in a crowd, which shortens everybody's
 * time, it looks at once. */
static void look_in_time(struct httpd *h, const struct httpd_peer *p)
{
    int64_t at = crowded(h) ? p->since_us : due(h, p, p->since_us);
    if (at >= h->slow.look_us)
        return;
    h->slow.look_us = at;
    pthread_cond_signal(&h->slow.change);
}

/* ---- what connections do --------------------------------------------------------------------- */

static struct httpd_peer *peer_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void open_peer(struct httpd *h, struct MHD_Connection *c, void **context)
{
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct httpd_peer *p = info ? calloc(1, sizeof *p) : NULL;
    *context = p;
    if (!p)
        return;
    p->fd = info->connect_fd;
    p->since_us = clock_us();
    pthread_mutex_lock(&h->slow.lock);
    p->next = h->slow.first;
    if (p->next)
        p->next->previous = p;
    h->slow.first = p;
    h->slow.n++;
    look_in_time(h, p);
    pthread_mutex_unlock(&h->slow.lock);
}

static void close_peer(struct httpd *h, struct httpd_peer *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&h->slow.lock);
    if (p->previous)
        p->previous->next = p->next;
    else
        h->slow.first = p->next;
    if (p->next)
        p->next->previous = p->previous;
    h->slow.n--;
    pthread_mutex_unlock(&h->slow.lock);
    free(p);
}

void httpd_slow_connection(void *ctx, struct MHD_Connection *c, void **context,
                           enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        open_peer(ctx, c, context);
        return;
    }
    close_peer(ctx, *context);
    *context = NULL;
}

static void enter(struct httpd *h, struct MHD_Connection *c, int state)
{
    struct httpd_peer *p = peer_of(c);
    if (!p)
        return;
    pthread_mutex_lock(&h->slow.lock);
    p->state = state;
    p->since_us = clock_us();
    p->body_size = 0;
    look_in_time(h, p);
    pthread_mutex_unlock(&h->slow.lock);
}

void httpd_slow_body(struct httpd *h, struct MHD_Connection *c, uint64_t received)
{
    struct httpd_peer *p = peer_of(c);
    if (!p)
        return;
    pthread_mutex_lock(&h->slow.lock);
    p->body_size = received;
    pthread_mutex_unlock(&h->slow.lock);
}

void httpd_slow_head_done(struct httpd *h, struct MHD_Connection *c)
{
    enter(h, c, PEER_BODY);
}

void httpd_slow_received(struct httpd *h, struct MHD_Connection *c)
{
    enter(h, c, PEER_ANSWER);
}

void httpd_slow_answered(struct httpd *h, struct MHD_Connection *c)
{
    enter(h, c, PEER_HEAD);
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* The event thread sees the end of the connection and closes it. Returns when to look again. */
static int64_t sweep(const struct httpd *h)
{
    int64_t now = clock_us(), next = INT64_MAX;
    for (const struct httpd_peer *p = h->slow.first; p; p = p->next) {
        int64_t at = due(h, p, now);
        if (at <= now)
            shutdown(p->fd, SHUT_RDWR);
        else if (at < next)
            next = at;
    }
    return next;
}

/* Until somebody wakes us (true) or it is time to look, not before `earliest`. */
static bool sleep_once(struct httpd *h, int64_t earliest)
{
    int64_t until = h->slow.look_us > earliest ? h->slow.look_us : earliest;
    if (h->slow.look_us != INT64_MAX)
        return cond_wait_until(&h->slow.change, &h->slow.lock, until);
    pthread_cond_wait(&h->slow.change, &h->slow.lock);
    return true;
}

static void *watch(void *ctx)
{
    struct httpd *h = ctx;
    pthread_mutex_lock(&h->slow.lock);
    while (!h->slow.ending) {
        h->slow.look_us = sweep(h);
        int64_t rested = clock_us() + SECOND; /* there may be thousands of connections */
        while (!h->slow.ending && sleep_once(h, rested))
            ;
    }
    pthread_mutex_unlock(&h->slow.lock);
    return NULL;
}

void httpd_slow_init(struct httpd *h)
{
    h->slow.look_us = INT64_MAX;
    pthread_mutex_init(&h->slow.lock, NULL);
    cond_init(&h->slow.change);
}

int httpd_slow_start(struct httpd *h, struct err *e)
{
    if (pthread_create(&h->slow.thread, NULL, watch, h) != 0)
        return err_set(e, ERR_IO, "cannot start a thread");
    h->slow.running = true;
    return 0;
}

void httpd_slow_stop(struct httpd *h)
{
    if (!h->slow.running)
        return;
    pthread_mutex_lock(&h->slow.lock);
    h->slow.ending = true;
    pthread_cond_broadcast(&h->slow.change);
    pthread_mutex_unlock(&h->slow.lock);
    pthread_join(h->slow.thread, NULL);
    h->slow.running = false;
}

void httpd_slow_done(struct httpd *h)
{
    pthread_cond_destroy(&h->slow.change);
    pthread_mutex_destroy(&h->slow.lock);
}
