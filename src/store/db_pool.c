#include "store/db_driver.h"

#include "base/cond.h"

#include <time.h>

enum { ANSWER_MORE = 15 };

/* Connections go to those who wait in the order in which they came: who only gives back to take
 * again would otherwise be faster than any that has to be woken, and some would wait for ever. */
struct db_waiter {
    struct db_waiter *next;
    pthread_cond_t called;
    bool turn;         /* c is its own, or (NULL) the right to open one */
    struct db_conn *c; /* of the pool */
};

static bool has_room(const struct db *db, bool writer)
{
    return db->idle[writer] || db->open[writer] < db->max[writer];
}

/* An idle connection; NULL: one is to be opened, which is counted already. */
static struct db_conn *take(struct db *db, bool writer)
{
    struct db_conn *c = db->idle[writer];
    db->busy[writer]++;
    if (c)
        db->idle[writer] = c->next;
    else
        db->open[writer]++;
    return c;
}

/* Under the lock, whenever there may be room. */
static void call_next(struct db *db, bool writer)
{
    for (struct db_waiter *w; (w = db->waiting[writer]) && has_room(db, writer);) {
        db->waiting[writer] = w->next;
        w->c = take(db, writer);
        w->turn = true;
        pthread_cond_signal(&w->called);
    }
}

static void drop(struct db *db, struct db_conn *c)
{
    db->open[c->writer]--;
    call_next(db, c->writer);
    pthread_mutex_unlock(&db->lock);
    c->broken = true; /* statements need not be taken back one by one */
    db_stmt_drop_all(c);
    c->driver->disconnect(c);
    pthread_mutex_lock(&db->lock);
}

static struct db_waiter **end_of(struct db_waiter **list)
{
    while (*list)
        list = &(*list)->next;
    return list;
}

static void forget(struct db_waiter **list, const struct db_waiter *w)
{
    while (*list != w)
        list = &(*list)->next;
    *list = w->next;
}

static int wait_turn(struct db *db, bool writer, struct db_conn **out, struct err *e)
{
    struct db_waiter w = {0};
    int64_t until = clock_us() + db->o.acquire_timeout * (int64_t)1000000;
    cond_init(&w.called);
    *end_of(&db->waiting[writer]) = &w;
    while (!w.turn && clock_us() < until) {
        if (cond_wait_until(&w.called, &db->lock, until) || w.turn)
            continue;
        /* Woken before its time, under a clock that someone fakes? */
        const struct timespec pause = {.tv_nsec = 1000000};
        pthread_mutex_unlock(&db->lock);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&db->lock);
    }
    pthread_cond_destroy(&w.called);
    *out = w.c;
    if (w.turn)
        return 0;
    forget(&db->waiting[writer], &w);
    return err_set(e, ERR_NET, "no free database connection within %u seconds (%u are in use)",
                   db->o.acquire_timeout, db->busy[writer]);
}

int db_acquire(struct db *db, bool writer, struct db_conn **out, struct err *e)
{
    struct db_conn *c = NULL;
    int rc = 0;
    writer = writer && db->driver->kind == DB_SQLITE;
    pthread_mutex_lock(&db->lock);
    if (has_room(db, writer)) /* then nobody waits */
        c = take(db, writer);
    else
        rc = wait_turn(db, writer, &c, e);
    pthread_mutex_unlock(&db->lock);
    if (rc < 0)
        return rc;
    if (c) {
        *out = c;
        return 0;
    }
    rc = db->driver->connect(&db->o, writer, &c, e);
    if (rc < 0) {
        pthread_mutex_lock(&db->lock);
        db->open[writer]--;
        db->busy[writer]--;
        call_next(db, writer);
        pthread_mutex_unlock(&db->lock);
        return rc;
    }
    c->driver = db->driver;
    c->writer = writer;
    *out = c;
    return 0;
}

void db_give_back(struct db *db, struct db_conn *c)
{
    c->again = c->takes_time = false;
    pthread_mutex_lock(&db->lock);
    db->busy[c->writer]--;
    if (c->broken) {
        drop(db, c);
    } else {
        c->next = db->idle[c->writer];
        db->idle[c->writer] = c;
        call_next(db, c->writer);
    }
    pthread_mutex_unlock(&db->lock);
}

void db_drop_idle(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    for (int w = 0; w < 2; w++)
        for (struct db_conn *c; (c = db->idle[w]);) {
            db->idle[w] = c->next;
            drop(db, c);
        }
    pthread_mutex_unlock(&db->lock);
}

int db_open(const struct db_options *o, struct db **out, struct err *e)
{
    str url = str_z(o->url);
    const struct db_driver *d =
        str_starts(url, STR("sqlite:"))                                            ? &db_sqlite
        : str_starts(url, STR("postgresql:")) || str_starts(url, STR("postgres:")) ? &db_postgres
                                                                                   : NULL;
    if (!d)
        return err_set(e, ERR_USAGE,
                       "database URL begins neither with sqlite: nor with postgresql://");
    struct db *db = calloc(1, sizeof *db);
    if (!db)
        return err_no_memory(e);
    db->driver = d;
    db->o = *o;
    db->url = strdup(o->url);
    db->o.url = db->url;
    db->o.max_connections = o->max_connections ? o->max_connections : 4;
    db->o.connect_timeout = o->connect_timeout ? o->connect_timeout : 10;
    db->o.acquire_timeout = o->acquire_timeout ? o->acquire_timeout : 30;
    db->o.statement_timeout = o->statement_timeout ? o->statement_timeout : 60;
    db->o.answer_timeout =
        o->answer_timeout ? o->answer_timeout : db->o.statement_timeout + ANSWER_MORE;
    db->max[0] = db->o.max_connections;
    db->max[1] = d->kind == DB_SQLITE ? 1 : 0;
    pthread_mutex_init(&db->lock, NULL);
    db_listen_init(db);
    struct db_conn *c;
    int rc = db->url ? db_acquire(db, true, &c, e) : err_no_memory(e);
    if (rc < 0) {
        db_close(db);
        return rc;
    }
    db_give_back(db, c);
    *out = db;
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_listen_done(db);
    db_drop_idle(db);
    pthread_mutex_destroy(&db->lock);
    free(db->url);
    free(db);
}

enum db_kind db_kind(const struct db *db)
{
    return db->driver->kind;
}

struct db_stats db_stats(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    struct db_stats s = db->stats;
    s.open = db->open[0] + db->open[1];
    s.busy = db->busy[0] + db->busy[1];
    s.waiting = 0;
    for (int writer = 0; writer < 2; writer++)
        for (const struct db_waiter *w = db->waiting[writer]; w; w = w->next)
            s.waiting++;
    pthread_mutex_unlock(&db->lock);
    return s;
}
