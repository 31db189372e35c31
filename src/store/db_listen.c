#include "store/db_driver.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { NOTICE_MAX = 7000, NOTICES_MAX = 10000 };

void db_listen_init(struct db *db)
{
    pthread_mutex_init(&db->listen_lock, NULL);
    db->notices_end = &db->notices;
    db->wake[0] = db->wake[1] = -1;
}

void db_notices_free(struct db_notice *n)
{
    while (n) {
        struct db_notice *next = n->next;
        free(n->channel);
        free(n->payload);
        free(n);
        n = next;
    }
}

static void wake_up(struct db *db)
{
    if (db->wake[1] >= 0 && write(db->wake[1], "", 1) < 0)
        return; /* full: it is awake already */
}

static void drain(int fd)
{
    char b[64];
    while (read(fd, b, sizeof b) > 0)
        ;
}

void db_notices_tell(struct db *db, struct db_notice *n)
{
    pthread_mutex_lock(&db->listen_lock);
    if (db->threaded && db->n_notices < NOTICES_MAX) {
        *db->notices_end = TAKE(n);
        while (*db->notices_end) {
            db->notices_end = &(*db->notices_end)->next;
            db->n_notices++;
        }
        wake_up(db);
    }
    pthread_mutex_unlock(&db->listen_lock);
    db_notices_free(n);
}

static struct db_notice *notice_new(const char *channel, str payload)
{
    struct db_notice *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->channel = strdup(channel);
    n->payload = malloc(payload.n + 1);
    if (!n->channel || !n->payload) {
        db_notices_free(n);
        return NULL;
    }
    memcpy(n->payload, payload.p ? payload.p : "", payload.n);
    n->n = payload.n;
    return n;
}

static bool channel_is_sound(const char *c)
{
    size_t n = strlen(c);
    for (size_t i = 0; i < n; i++)
        if (c[i] != '_' && !(c[i] >= 'a' && c[i] <= 'z'))
            return false;
    return n && n < 64;
}

int db_notify(struct db_tx *tx, const char *channel, str payload, struct err *e)
{
    if (!channel_is_sound(channel))
        return err_set(e, ERR_USAGE, "'%s' is no name of a channel", channel);
    if (payload.n > NOTICE_MAX)
        return err_set(e, ERR_LIMIT, "a notice of %zu bytes", payload.n);
    if (db_tx_kind(tx) == DB_POSTGRES) {
        int64_t rc = db_exec(tx, "SELECT pg_notify($1, $2)",
                             DB(DBZ(channel), DBS(payload.p ? payload : STR(""))), e);
        return rc < 0 ? (int)rc : 0;
    }
    struct db_notice *n = notice_new(channel, payload);
    if (!n)
        return err_no_memory(e);
    struct db_notice **end = &tx->notices;
    while (*end)
        end = &(*end)->next;
    *end = n;
    return 0;
}

static void tell(void *ctx, const char *channel, str payload)
{
    struct db *db = ctx;
    pthread_mutex_lock(&db->listen_lock);
    struct db_listener *l = db->listeners;
    pthread_mutex_unlock(&db->listen_lock);
    for (; l; l = l->next) /* only ever grows at its head */
        if (strcmp(l->channel, channel) == 0)
            l->fn(l->ctx, payload);
}

static bool closing(struct db *db)
{
    pthread_mutex_lock(&db->listen_lock);
    bool yes = db->closing;
    pthread_mutex_unlock(&db->listen_lock);
    return yes;
}

static void *tell_here(void *arg)
{
    struct db *db = arg;
    struct pollfd p = {.fd = db->wake[0], .events = POLLIN};
    while (!closing(db)) {
        poll(&p, 1, -1);
        drain(db->wake[0]);
        pthread_mutex_lock(&db->listen_lock);
        struct db_notice *list = TAKE(db->notices);
        db->notices_end = &db->notices;
        db->n_notices = 0;
        pthread_mutex_unlock(&db->listen_lock);
        for (struct db_notice *n = list; n; n = n->next)
            tell(db, n->channel, (str){n->payload, n->n});
        db_notices_free(list);
    }
    return NULL;
}

static int listen_all(struct db *db, struct db_conn *c)
{
    pthread_mutex_lock(&db->listen_lock);
    db->changed = false;
    struct db_listener *l = db->listeners;
    pthread_mutex_unlock(&db->listen_lock);
    int rc = 0;
    for (; l && rc == 0; l = l->next)
        rc = c->driver->listen(c, l->channel, NULL);
    return rc;
}

static bool changed(struct db *db)
{
    pthread_mutex_lock(&db->listen_lock);
    bool yes = db->changed;
    pthread_mutex_unlock(&db->listen_lock);
    return yes;
}

static void *tell_remote(void *arg)
{
    struct db *db = arg;
    struct pollfd p = {.fd = db->wake[0], .events = POLLIN};
    struct db_conn *c = NULL;
    while (!closing(db)) {
        if (!c && db->driver->connect(&db->o, false, &c, NULL) == 0) {
            c->driver = db->driver;
            if (listen_all(db, c) < 0)
                c->broken = true;
        }
        if (!c) {
            if (poll(&p, 1, 2000) > 0)
                drain(db->wake[0]);
            continue;
        }
        if (changed(db) && listen_all(db, c) < 0)
            c->broken = true;
        if (!c->broken && db->driver->wait(c, db->wake[0], tell, db, NULL) == 0)
            drain(db->wake[0]);
        if (c->broken) {
            db->driver->disconnect(c);
            c = NULL;
            if (poll(&p, 1, 500) > 0)
                drain(db->wake[0]);
        }
    }
    if (c)
        db->driver->disconnect(c);
    return NULL;
}

static int start_thread(struct db *db, struct err *e)
{
    if (db->threaded)
        return 0;
    if (pipe2(db->wake, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_errno(e, "pipe");
    if (pthread_create(&db->thread, NULL, db->driver->wait ? tell_remote : tell_here, db) != 0)
        return err_set(e, ERR_IO, "cannot start the thread that listens to the database");
    db->threaded = true;
    return 0;
}

int db_listen(struct db *db, const char *channel, void (*fn)(void *ctx, str payload), void *ctx,
              struct err *e)
{
    if (!channel_is_sound(channel))
        return err_set(e, ERR_USAGE, "'%s' is no name of a channel", channel);
    struct db_listener *l = calloc(1, sizeof *l);
    if (!l || !(l->channel = strdup(channel))) {
        free(l);
        return err_no_memory(e);
    }
    l->fn = fn;
    l->ctx = ctx;
    pthread_mutex_lock(&db->listen_lock);
    l->next = db->listeners;
    db->listeners = l;
    db->changed = true;
    int rc = start_thread(db, e);
    wake_up(db);
    pthread_mutex_unlock(&db->listen_lock);
    return rc;
}

void db_listen_done(struct db *db)
{
    pthread_mutex_lock(&db->listen_lock);
    db->closing = true;
    wake_up(db);
    pthread_mutex_unlock(&db->listen_lock);
    if (db->threaded)
        pthread_join(db->thread, NULL);
    for (int i = 0; i < 2; i++)
        if (db->wake[i] >= 0)
            close(db->wake[i]);
    while (db->listeners) {
        struct db_listener *l = db->listeners;
        db->listeners = l->next;
        free(l->channel);
        free(l);
    }
    db_notices_free(db->notices);
    pthread_mutex_destroy(&db->listen_lock);
}
