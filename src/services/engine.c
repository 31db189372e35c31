#include "base/cond.h"
#include "base/fs.h"
#include "packages/zygote.h"
#include "services/auth.h"
#include "services/discovery.h"
#include "services/log.h"
#include "services/metrics.h"
#include "services/registry_ecr.h"
#include "services/router.h"
#include "services/secrets.h"
#include "services/watch.h"
#include "store/queue.h"
#include "store/schema.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DATABASE_TRIES = 300, DRAIN_SECONDS = 15, STOP_SECONDS = 40, BEAT_US = 10000000 };

struct engine_channel { /* under the life's lock */
    const char *name;
    uint64_t told;
    struct engine_life *life;
};
struct engine_life {
    atomic_bool stopping, up;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t beater;
    bool beats;
    struct watch *watch;
    struct err failure; /* of engine_fail(), under the lock */
    sigset_t signals;
    bool started[SERVICE_COUNT];
    struct engine_channel channels[ENGINE_CHANNELS];
};

/* ---- for services
 * --------------------------------------------------------------------------------- */

bool engine_stopping(const struct engine *en)
{
    return atomic_load(&en->life->stopping);
}

bool engine_up(const struct engine *en)
{
    return atomic_load(&en->life->up) && !engine_stopping(en);
}

/* ---- waiting -----------------------------------------------------------------------------------
 */

static struct engine_channel *channel_of(struct engine_life *life, const char *name)
{
    struct engine_channel *c = life->channels;
    while (c < life->channels + ENGINE_CHANNELS && c->name && strcmp(c->name, name) != 0)
        c++;
    return c < life->channels + ENGINE_CHANNELS ? c : NULL;
}

static void on_notice(void *ctx, str payload)
{
    struct engine_channel *c = ctx;
    (void)payload;
    pthread_mutex_lock(&c->life->lock);
    c->told++;
    pthread_cond_broadcast(&c->life->wake);
    pthread_mutex_unlock(&c->life->lock);
}

int engine_listen(struct engine *en, const char *channel, struct err *e)
{
    struct engine_channel *c = channel_of(en->life, channel);
    if (!c)
        return err_set(e, ERR_LIMIT, "more than %d channels", ENGINE_CHANNELS);
    if (c->name)
        return 0;
    *c = (struct engine_channel){.name = channel, .life = en->life};
    return db_listen(en->db, channel, on_notice, c, e);
}

bool engine_wait_for(struct engine *en, int64_t us, const char *channel, uint64_t *seen)
{
    int64_t until = clock_us() + us;
    pthread_mutex_lock(&en->life->lock);
    struct engine_channel *c = channel ? channel_of(en->life, channel) : NULL;
    bool waits = true;
    while (waits && !engine_stopping(en) && !(c && c->told != *seen))
        waits = cond_wait_until(&en->life->wake, &en->life->lock, until);
    if (c)
        *seen = c->told;
    pthread_mutex_unlock(&en->life->lock);
    return engine_stopping(en);
}

bool engine_wait(struct engine *en, int64_t us)
{
    return engine_wait_for(en, us, NULL, NULL);
}

void engine_fail(struct engine *en, const char *what, const struct err *why)
{
    pthread_mutex_lock(&en->life->lock);
    if (!en->life->failure.code)
        err_set(&en->life->failure, why->code ? why->code : ERR_IO, "%s: %s", what, why->text);
    pthread_mutex_unlock(&en->life->lock);
    kill(getpid(), SIGTERM);
}

/* ---- signals
 * -------------------------------------------------------------------------------------- */

/* Waits for SIGTERM or SIGINT, at most `seconds`; negative: without end. True: one came. */
static bool signal_wait(struct engine *en, int seconds)
{
    const struct timespec t = {.tv_sec = seconds};
    for (;;) {
        int s = seconds < 0 ? sigwaitinfo(&en->life->signals, NULL)
                            : sigtimedwait(&en->life->signals, NULL, &t);
        if (s > 0)
            return true;
        if (errno != EINTR)
            return false;
    }
}

static void signals_open(struct engine *en)
{
    sigemptyset(&en->life->signals);
    sigaddset(&en->life->signals, SIGTERM);
    sigaddset(&en->life->signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &en->life->signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- the database
 * --------------------------------------------------------------------------------- */

static int database_open(struct engine *en, struct err *e)
{
    const struct config *c = en->config;
    const struct db_options o = {.url = c->database_url,
                                 .max_connections = c->database_connections,
                                 .connect_timeout = c->database_timeout};
    for (int i = 1;; i++) {
        int r = db_open(&o, &en->db, e);
        if (r != ERR_NET || i == DATABASE_TRIES)
            return r < 0 ? err_wrap(e, "the database cannot be opened") : 0;
        int wait = i < 5 ? i : 5;
        log_warn(NULL, "the database does not answer (try %d of %d), next try in %d s: %s", i,
                 DATABASE_TRIES, wait, e->text);
        if (signal_wait(en, wait))
            return err_set(e, ERR_NET, "stopped while waiting for the database");
    }
}

/* A database or bucket that goes away while a process starts comes back: each step that needs it is
 * tried again. */
static int persist(struct engine *en, int (*step)(struct engine *en, struct err *e), struct err *e)
{
    for (int i = 1;; i++) {
        int r = step(en, e);
        if (r != ERR_NET || i == DATABASE_TRIES)
            return r;
        log_warn(NULL, "the database or the object store does not answer, next try in 1 s: %s",
                 e->text);
        if (signal_wait(en, 1))
            return err_set(e, ERR_NET, "stopped while waiting for the database");
    }
}

static void upgrade_tell(void *ctx, int step, const char *title)
{
    log_info(NULL, "database: step %d: %s", step, title);
}

static int schema_bring(struct engine *en, struct err *e)
{
    return schema_upgrade(en->db, upgrade_tell, NULL, e);
}

static int schema_await(struct engine *en, struct err *e)
{
    for (int i = 0;; i++) {
        int version;
        int r = schema_version(en->db, &version, e);
        if (r < 0)
            return r;
        if (version >= schema_newest())
            return 0;
        if (i % 10 == 0)
            log_info(NULL,
                     "waiting for the catalog to bring the database from version %d to version %d",
                     version, schema_newest());
        if (signal_wait(en, 1))
            return err_set(e, ERR_CONFLICT, "stopped while waiting for the database's upgrade");
    }
}

static int schema_ready(struct engine *en, bool upgrade, struct err *e)
{
    upgrade |= en->config->services[SERVICE_CATALOG].selected || db_kind(en->db) == DB_SQLITE;
    return persist(en, upgrade ? schema_bring : schema_await, e);
}

/* ---- start
 * ---------------------------------------------------------------------------------------- */

static void password_print(const struct engine *en)
{
    const char *password = auth_new_password(en->auth);
    if (password)
        fprintf(stderr,
                "kellet: the user \"admin\" was made with this password, which is shown only now: "
                "%s\n",
                password);
}

/* The catalog looks whether the bucket can be used; others may lack the right to write there. */
static int documents_bring(struct engine *en, struct err *e)
{
    const struct config *c = en->config;
    bool first = c->services[SERVICE_CATALOG].selected && strcmp(c->document_driver, "s3") == 0;
    const struct documents_options o = {
        .driver = c->document_driver,
        .directory = c->document_dir,
        .s3 = c->document_s3.bucket ? &c->document_s3 : NULL,
        .s3_prefix = c->document_prefix,
        .s3_check = first,
        .s3_create = c->document_create_bucket,
        .cache_bytes = c->document_cache_max,
    };
    return documents_open(en->db, &o, &en->documents, e);
}

static int stores_open(struct engine *en, bool upgrade, struct err *e)
{
    const struct config *c = en->config;
    int r = fs_mkdirs(c->data_dir, e);
    if (r == 0)
        r = fs_mkdirs(c->tmp_dir, e);
    if (r == 0)
        r = database_open(en, e);
    if (r == 0)
        r = schema_ready(en, upgrade, e);
    if (r == 0)
        r = persist(en, documents_bring, e);
    const struct http_options http = {.connect_timeout = c->client_connect_timeout,
                                      .idle_timeout = c->client_read_timeout};
    if (r == 0)
        r = http_new(&http, &en->http, e);
    if (r == 0)
        r = registry_ecr_open(en, e);
    if (r == 0)
        r = persist(en, secrets_open, e);
    if (r == 0)
        r = persist(en, auth_open, e);
    if (r == 0)
        password_print(en);
    return r;
}

static int service_start(struct engine *en, int id, struct err *e)
{
    const struct service_ops *ops = all_services[id];
    int r = ops->start ? persist(en, ops->start, e) : 0;
    if (r < 0)
        return err_wrap(e, "the %s service", service_names[id].words);
    en->life->started[id] = true;
    r = router_start(en, ops, e);
    if (r < 0)
        return err_wrap(e, "the %s service", service_names[id].words);
    const struct service_config *s = &en->config->services[id];
    log_info(service_names[id].key, "listens on %s://%s:%u", s->ssl_cert ? "https" : "http",
             s->listen, httpd_port(en->servers[id]));
    return 0;
}

static void *beat_run(void *arg)
{
    struct engine *en = arg;
    int64_t wait = BEAT_US;
    while (!engine_wait(en, wait)) {
        struct err e = {0};
        wait = BEAT_US;
        if (discovery_beat(en, &e) < 0) {
            log_warn(NULL, "heartbeat: %s", e.text);
            wait = BEAT_US / 5;
        }
        watch_keep(en->life->watch);
    }
    return NULL;
}

static int services_start(struct engine *en, struct err *e)
{
    int r = persist(en, discovery_reserve, e);
    for (int i = 0; i < SERVICE_COUNT && r == 0; i++)
        if (en->config->services[i].selected)
            r = service_start(en, i, e);
    if (r == 0)
        r = persist(en, discovery_register, e);
    if (r == 0)
        r = watch_start(en, discovery_instance(en), &en->life->watch, e);
    if (r < 0)
        return r;
    if (pthread_create(&en->life->beater, NULL, beat_run, en) != 0)
        return err_set(e, ERR_IO, "no thread for the heartbeat");
    en->life->beats = true;
    atomic_store(&en->life->up, true);
    return 0;
}

/* ---- stop
 * ----------------------------------------------------------------------------------------- */

static void services_drain(struct engine *en)
{
    struct err e = {0};
    if (en->life->beats)
        pthread_join(en->life->beater, NULL);
    if (en->db && en->discovery && discovery_leave(en, &e) < 0)
        log_warn(NULL, "while leaving the table of services: %s", e.text);
    for (int i = SERVICE_COUNT - 1; i >= 0; i--)
        if (en->life->started[i] && all_services[i]->drain)
            all_services[i]->drain(en);
    time_t end = clock_s() + DRAIN_SECONDS; /* for all of them together */
    for (int i = 0; i < SERVICE_COUNT; i++) {
        time_t now = clock_s();
        router_stop(en, (enum service_id)i, now < end ? (unsigned)(end - now) : 0);
    }
    watch_stop(TAKE(en->life->watch));
    int64_t n = en->life->up ? queue_release_owner(en->db, str_z(discovery_instance(en)), &e) : 0;
    if (n > 0)
        log_info(NULL, "%lld queue items were handed back", (long long)n);
    else if (n < 0)
        log_warn(NULL, "while handing work back: %s", e.text);
}

static void engine_close(struct engine *en)
{
    for (int i = SERVICE_COUNT - 1; i >= 0; i--) {
        if (en->life->started[i] && all_services[i]->stop)
            all_services[i]->stop(en);
    }
    metrics_free(TAKE(en->metrics));
    auth_close(en->auth);
    secrets_close(en->secrets);
    registry_ecr_close(en->ecr);
    discovery_close(en->discovery);
    documents_close(en->documents);
    http_free(en->http);
    db_close(en->db);
    for (int i = 0; i < SERVICE_COUNT; i++)
        if (en->life->started[i] && all_services[i]->gone)
            all_services[i]->gone(en);
}

static void stop_took_too_long(int signal_number)
{
    static const char text[] = "kellet: stopping took too long: the end, whatever is under way\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    _exit(n > 0 ? 5 : 6);
}

static void engine_stop(struct engine *en)
{
    pthread_mutex_lock(&en->life->lock);
    atomic_store(&en->life->stopping, true);
    pthread_cond_broadcast(&en->life->wake);
    pthread_mutex_unlock(&en->life->lock);
    /* A second SIGINT ends at once, and nothing can hold us for ever. */
    sigset_t again;
    sigemptyset(&again);
    sigaddset(&again, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &again, NULL);
    signal(SIGALRM, stop_took_too_long);
    alarm(STOP_SECONDS);
    services_drain(en);
    engine_close(en);
    alarm(0);
}

static int engine_run(struct engine *en, bool upgrade, struct err *e)
{
    en->metrics = metrics_new();
    int r = en->metrics ? stores_open(en, upgrade, e) : err_no_memory(e);
    if (r == 0)
        r = discovery_open(en, e);
    if (r == 0)
        r = services_start(en, e);
    if (r < 0)
        return r;
    log_info(NULL, "ready, as host %s", en->host_id);
    signal_wait(en, -1);
    pthread_mutex_lock(&en->life->lock);
    struct err failure = en->life->failure;
    pthread_mutex_unlock(&en->life->lock);
    if (failure.code)
        return err_set(e, failure.code, "%s", failure.text);
    log_info(NULL, "stops: finishing what is under way");
    return 0;
}

int engine_serve(const struct config *c, bool upgrade, struct err *e)
{
    struct engine_life life = {0};
    struct engine en = {.config = c, .host_id = c->host_id, .life = &life};
    pthread_mutex_init(&life.lock, NULL);
    cond_init(&life.wake);
    log_open(c->log_level);
    int r = 0;
    if (c->services[SERVICE_ANALYZER].selected) /* before there are threads */
        r = zygote_start(&en.zygote, e);
    signals_open(&en);
    if (r == 0)
        r = engine_run(&en, upgrade, e);
    engine_stop(&en);
    zygote_stop(en.zygote);
    if (r == 0)
        log_info(NULL, "stopped");
    return r;
}
