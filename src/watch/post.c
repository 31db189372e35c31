/* post.c - the receivers of tell.h: a thread each, its place in the list of changes kept in the
 * state. */
#include "base/auto.h"
#include "base/cond.h"
#include "codec/digest.h"
#include "services/webhook.h"
#include "watch/tell.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { BACKOFF_MAX = 900, TRIES_ONCE = 3, POST_DAYS = 3, LOOK_AGAIN_S = 5 };

struct post {
    struct watch_state *state;
    struct post_options o;
    struct webhook hook;
    struct webhook_line *line;
    char who[80];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, drain, woken, given_up;
    unsigned tries; /* of this run, of the change at hand */
};

static void note(struct post *p, const char *what, const char *why)
{
    char text[900];
    snprintf(text, sizeof text, "%s: %s", what, why);
    if (p->o.note)
        p->o.note(p->o.ctx, text);
}

/* ---- one message -------------------------------------------------------------------------------
 */

/* Is there anything in it that this receiver wants to know? */
static int wanted(struct post *p, const struct change *c, struct err *e)
{
    struct items items;
    int rc = change_items(c, p->o.min, &items, e);
    if (rc < 0)
        return rc;
    rc = items.n > 0;
    items_done(&items);
    return rc;
}

/* The payload as the engine writes it: what all have in front. */
static int write_payload(const struct change *c, struct buf *out, struct err *e)
{
    const struct {
        const char *name;
        str value;
    } members[] = {{"userId", STR("watch")},
                   {"notificationId", c->key},
                   {"subscription_key", c->reference},
                   {"subscription_type", c->type}};
    buf_add_char(out, '{');
    for (size_t i = 0; i < KE_ARRAY_LEN(members); i++) {
        buf_addf(out, "\"%s\": ", members[i].name);
        json_put_string(out, members[i].value);
        buf_add_str(out, STR(", "));
    }
    buf_add_str(out, str_from(c->payload, 1));
    return buf_check(out, "a message", e);
}

static int send(struct post *p, const struct change *c, struct err *e)
{
    auto_buf payload;
    buf_init(&payload, WEBHOOK_BODY_MAX);
    int rc = write_payload(c, &payload, e);
    if (rc < 0)
        return rc;
    const struct notice n = {
        .id = c->id,
        .account = STR("watch"),
        .email = STR(""),
        .type = c->type,
        .key = c->reference,
        .notification_id = c->key,
        .created_us = c->at_us,
        .deadline_us = c->at_us + POST_DAYS * 86400LL * 1000000,
        .tries = p->tries,
        .payload = buf_view(&payload),
    };
    char key[64];
    snprintf(key, sizeof key, "%.*s", STR_ARG(c->key));
    return webhook_send(p->line, &n, 1, key, e);
}

/* ---- the thread --------------------------------------------------------------------------------
 */

struct step {
    struct post *p;
    struct arena a;
    struct told told;
    struct change change;
    int have;
    const char *problem;
};

static int read_next(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    int rc = told_get(tx, str_z(s->p->who), &s->told, e);
    if (rc >= 0)
        rc = s->have = change_after(tx, &s->a, s->told.upto, &s->change, e);
    return rc;
}

static int write_told(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    return told_put(tx, str_z(s->p->who), &s->told, s->problem, e);
}

/* How the change at hand ended: it is behind us, or it is tried again. */
static void judge(struct step *s, int rc, const struct err *why)
{
    struct post *p = s->p;
    bool again = rc == ERR_NET || rc == ERR_AUTH || rc == ERR_NO_MEMORY;
    bool late = s->change.at_us < clock_wall_us() - POST_DAYS * 86400LL * 1000000;
    if (rc < 0 && again && !late) {
        int64_t tries = p->o.once ? p->tries : s->told.tries;
        int64_t wait = tries > 9 ? BACKOFF_MAX : (int64_t)1 << tries;
        s->told.tries++;
        s->told.next_try_us = clock_wall_us() + (wait > BACKOFF_MAX ? BACKOFF_MAX : wait) * 1000000;
        s->problem = why->text;
        if (p->tries++ == 0)
            note(p, "a receiver does not take a message; it is sent again", why->text);
        return;
    }
    if (rc < 0)
        note(p, "a receiver did not get a message, and will not", why->text);
    s->told = (struct told){.upto = s->change.id};
    p->tries = 0;
}

/* Seconds to wait; 0: go on at once. */
static unsigned step(struct post *p)
{
    struct step s = {.p = p};
    struct err e = {0};
    unsigned wait = 0;
    arena_init(&s.a, 128 << 20);
    int rc = db_run(watch_state_db(p->state), DB_WRITE, read_next, &s, &e);
    if (rc >= 0 && !s.have) {
        wait = LOOK_AGAIN_S;
    } else if (rc >= 0 && s.told.next_try_us > clock_wall_us() && (p->tries || !p->o.once)) {
        wait = (unsigned)((s.told.next_try_us - clock_wall_us()) / 1000000) + 1;
    } else if (rc >= 0) {
        struct err why = {0};
        rc = wanted(p, &s.change, &why);
        if (rc > 0)
            rc = send(p, &s.change, &why);
        judge(&s, rc, &why);
        rc = db_run(watch_state_db(p->state), DB_WRITE, write_told, &s, &e);
    }
    if (rc < 0) {
        note(p, "cannot read or write what is to be posted", e.text);
        wait = LOOK_AGAIN_S;
    }
    pthread_mutex_lock(&p->lock);
    p->given_up = !s.have || rc < 0 || (p->o.once && p->tries >= TRIES_ONCE);
    pthread_mutex_unlock(&p->lock);
    arena_done(&s.a);
    return wait;
}

/* False: it is to end. */
static bool wait_for(struct post *p, unsigned seconds)
{
    int64_t until = clock_us() + seconds * (int64_t)1000000;
    pthread_mutex_lock(&p->lock);
    while (seconds && !p->woken && !p->stop && !(p->drain && p->given_up))
        if (!cond_wait_until(&p->wake, &p->lock, until))
            break;
    bool ends = p->stop || (p->drain && p->given_up && !p->woken);
    p->woken = false;
    pthread_mutex_unlock(&p->lock);
    return !ends;
}

static void *post_thread(void *ctx)
{
    struct post *p = ctx;
    while (wait_for(p, step(p)))
        ;
    return NULL;
}

/* ---- start and end -----------------------------------------------------------------------------
 */

static int check_url(const struct post_options *o, struct err *e)
{
    str url = str_z(o->url);
    if (str_starts(url, STR("http://")) || str_starts(url, STR("https://")) ||
        str_starts(url, STR("arn:")))
        return 0;
    return err_set(e, ERR_USAGE,
                   "--post takes a URL that begins with http:// or https://, or the "
                   "ARN of an SNS topic");
}

static int read_first(struct db_tx *tx, void *ctx, struct err *e)
{
    struct post *p = ctx;
    struct told told;
    return told_get(tx, str_z(p->who), &told, e);
}

int post_start(struct watch_state *s, const struct post_options *o, struct post **out,
               struct err *e)
{
    int rc = check_url(o, e);
    if (rc < 0)
        return rc;
    str format = str_z(o->format);
    if (!format.n && str_starts(str_z(o->url), STR("arn:")))
        format = STR("sns");
    struct post *p = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(e);
    p->state = s;
    p->o = *o;
    p->hook = (struct webhook){.name = "post",
                               .url = str_z(o->url),
                               .verify = true,
                               .format = webhook_format_named(format)};
    pthread_mutex_init(&p->lock, NULL);
    cond_init(&p->wake);
    /* URLs may hold secrets: only their digest is kept */
    struct sha256 digest = sha256_of(o->url, strlen(o->url));
    sha256_format(&digest, p->who);
    if (!p->hook.format)
        rc = err_set(e, ERR_USAGE, "--post-format takes anchore, slack or cloudevents, not \"%s\"",
                     o->format);
    if (rc >= 0)
        rc = webhook_open(&p->hook, &p->line, e);
    if (rc >= 0)
        rc = db_run(watch_state_db(s), DB_WRITE, read_first, p, e);
    if (rc >= 0 && pthread_create(&p->thread, NULL, post_thread, p) != 0)
        rc = err_set(e, ERR_IO, "cannot start a thread");
    if (rc < 0) {
        webhook_close(p->line);
        free(p);
        return rc;
    }
    *out = p;
    return 0;
}

void post_wake(struct post *p)
{
    pthread_mutex_lock(&p->lock);
    p->woken = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static int count_left(struct db_tx *tx, void *ctx, struct err *e)
{
    struct post *p = ctx;
    int64_t n = 0;
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM change WHERE id > (SELECT upto FROM told"
                          " WHERE who = $1)",
                          DB(DBZ(p->who)), &n, e);
    return rc < 0 ? rc : n > INT32_MAX ? INT32_MAX : (int)n;
}

size_t post_stop(struct post *p, bool drain)
{
    pthread_mutex_lock(&p->lock);
    if (drain)
        p->drain = p->woken = true;
    else
        p->stop = true;
    p->given_up = false;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    int left = db_run(watch_state_db(p->state), DB_READ, count_left, p, NULL);
    webhook_close(p->line);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return left < 0 ? 0 : (size_t)left;
}
