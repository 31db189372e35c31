#include "watch/look.h"

#include "base/auto.h"
#include "base/clock.h"
#include "packages/inventory.h"
#include "services/inventory_document.h"
#include "watch/judge.h"

#include <stdarg.h>
#include <stdio.h>

enum { LOOK_MAX = 1 << 30 };

void watch_note(struct watch *w, const char *fmt, ...)
{
    char text[1200];
    va_list ap;
    if (!w->o->note)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&w->lock);
    w->o->note(w->o->ctx, text);
    pthread_mutex_unlock(&w->lock);
}

struct look {
    struct watch *w;
    struct arena a;
    str reference;
    struct remembered was;
    struct judged_image now;
    struct seen seen;
    bool fresh;
    bool answered; /* its registry did */
    str trouble, why;
};

static int load(struct db_tx *tx, void *ctx, struct err *e)
{
    struct look *l = ctx;
    int rc = remembered_get(tx, &l->a, l->reference, watch_platform(l->w), &l->was, e);
    return rc < 0 ? rc : 0;
}

static int look_begin(struct look *l, struct watch *w, str reference, struct err *e)
{
    *l = (struct look){.w = w};
    arena_init(&l->a, LOOK_MAX);
    l->reference = arena_dup(&l->a, reference);
    return db_run(watch_state_db(w->state), DB_READ, load, l, e);
}

static void look_end(struct look *l)
{
    judged_image_done(&l->now);
    arena_done(&l->a);
}

/* ---- trouble -----------------------------------------------------------------------------------
 */

static int write_trouble(struct db_tx *tx, void *ctx, struct err *e)
{
    struct look *l = ctx;
    return change_trouble(tx, &l->a, &l->was, l->trouble, l->why, e);
}

static int trouble(struct look *l, const char *kind, str why, struct err *e)
{
    struct watch *w = l->w;
    atomic_fetch_add(&w->failed, 1);
    watch_note(w, "%.*s could not be checked: %.*s", STR_ARG(l->reference), STR_ARG(why));
    l->trouble = !l->was.image.n && strcmp(kind, "gone") == 0 ? STR("missing") : str_z(kind);
    l->why = arena_dup(&l->a, why);
    return db_run(watch_state_db(w->state), DB_WRITE, write_trouble, l, e);
}

static const char *kind_of(int code)
{
    switch (code) {
    case ERR_NOT_FOUND:
        return "gone";
    case ERR_NET:
        return "unreachable";
    case ERR_AUTH:
        return "refused";
    default:
        return "failed";
    }
}

int look_unreachable(struct watch *w, const struct reference *ref, str why, struct err *e)
{
    char name[1024];
    struct look l;
    reference_format(ref, name, sizeof name);
    int rc = look_begin(&l, w, str_z(name), e);
    atomic_fetch_add(&w->looked, 1);
    if (rc >= 0)
        rc = trouble(&l, "unreachable", why, e);
    look_end(&l);
    return rc;
}

int look_gone(struct watch *w, str reference, struct err *e)
{
    struct look l;
    int rc = look_begin(&l, w, reference, e);
    l.trouble = STR("gone");
    l.why = STR("its repository has no such tag any more");
    if (rc >= 0)
        rc = db_run(watch_state_db(w->state), DB_WRITE, write_trouble, &l, e);
    look_end(&l);
    return rc;
}

/* ---- remembering -------------------------------------------------------------------------------
 */

static int put_kept(void *ctx, const char *type, str text, struct err *e)
{
    const struct look *const *pair = ctx;
    const struct look *l = pair[0];
    return image_document_put((struct db_tx *)(uintptr_t)pair[1], l->seen.digest,
                              watch_platform(l->w), type, text, e);
}

static int write_seen(struct db_tx *tx, void *ctx, struct err *e)
{
    struct look *l = ctx;
    struct remembered now;
    int rc = change_settle(tx, &l->a, &l->was, &l->seen, l->fresh, e);
    if (rc >= 0 && l->was.trouble.n && l->answered) {
        rc = remembered_get(tx, &l->a, l->reference, watch_platform(l->w), &now, e);
        if (rc >= 0)
            rc = change_trouble(tx, &l->a, &now, STR(""), STR(""), e);
    }
    if (rc >= 0 && l->now.document.n)
        rc = image_document_put(tx, l->seen.digest, watch_platform(l->w), "inventory",
                                buf_view(&l->now.document), e);
    const void *pair[] = {l, tx};
    if (rc >= 0)
        rc = judged_image_keep(&l->now, put_kept, (void *)pair, e);
    return rc;
}

static void say_first(struct look *l)
{
    auto_json *doc = NULL;
    auto_buf words;
    buf_init(&words, 1024);
    if (json_parse(l->seen.findings, "findings", &doc, NULL) < 0)
        return;
    severities_words(yyjson_doc_get_root(doc), &words);
    watch_note(l->w, "now watching %.*s: vulnerabilities: %.*s%s%.*s", STR_ARG(l->reference),
               STR_ARG(buf_view(&words)), l->seen.verdict.n ? "; policy: " : "",
               STR_ARG(l->seen.verdict));
}

/* What l->now holds becomes what is known. */
static int settle(struct look *l, str digest, struct err *e)
{
    struct watch *w = l->w;
    bool first = !l->was.image.n;
    l->seen = (struct seen){
        .digest = arena_dup(&l->a, digest),
        .image = l->now.image,
        .findings = buf_view(&l->now.findings),
        .generation = str_z(w->generation),
        .uncovered = l->now.uncovered,
        .policy = str_z(w->policy_digest),
        .verdict = l->now.verdict,
        .gaps = l->now.gaps,
        .valid_until_us = l->now.valid_until_us,
    };
    if (l->a.full)
        return err_no_memory(e);
    if (l->now.gaps.n) {
        atomic_fetch_add(&w->gaps, 1);
        watch_note(w, "%.*s is not wholly seen: %.*s", STR_ARG(l->reference), STR_ARG(l->now.gaps));
    }
    int rc = db_run(watch_state_db(w->state), DB_WRITE, write_seen, l, e);
    if (rc >= 0 && first && !l->fresh)
        say_first(l);
    return rc;
}

/* ---- from what is kept -------------------------------------------------------------------------
 */

struct kept {
    struct look *l;
    str digest;
    const char *type;
    struct buf *out;
};

static int read_kept(struct db_tx *tx, void *ctx, struct err *e)
{
    struct kept *k = ctx;
    size_t start = k->out ? k->out->n : 0;
    int rc = image_document_get(tx, k->digest, watch_platform(k->l->w), k->type, k->out, e);
    if (rc <= 0 && k->out)
        k->out->n = start;
    return rc;
}

static int kept_document(void *ctx, const char *type, struct buf *out, struct err *e)
{
    struct kept k = *(const struct kept *)ctx;
    k.type = type;
    k.out = out;
    return db_run(watch_state_db(k.l->w->state), DB_READ, read_kept, &k, e);
}

/* 1: judged; 0: nothing is kept of this digest, or not enough for the policy. */
static int judge_kept(struct look *l, str digest, struct err *e)
{
    struct kept k = {.l = l, .digest = digest};
    auto_buf document;
    struct inventory *inv = NULL;
    buf_init(&document, INVENTORY_DOCUMENT_MAX);
    int rc = kept_document(&k, "inventory", &document, e);
    if (rc > 0 && l->w->bundle)
        rc = kept_document(&k, "record", NULL, e);
    if (rc <= 0)
        return rc;
    struct err why = {0};
    if (inventory_document_read(buf_view(&document), &inv, &why) < 0)
        return 0; /* of another version: the image is read once more */
    const struct judge_input in = {
        .w = l->w, .inv = inv, .tag = l->reference, .kept = {kept_document, &k}};
    rc = judged_image_new(&in, &l->a, &l->now, e);
    inventory_free(inv);
    return rc < 0 ? rc : 1;
}

static bool is_old(const struct look *l)
{
    const struct watch *w = l->w;
    if (!str_eq(l->was.generation, str_z(w->generation)) ||
        !str_eq(l->was.policy, str_z(w->policy_digest)))
        return true;
    return w->bundle && l->was.valid_until_us < clock_wall_us();
}

int look_again(struct watch *w, str reference, struct err *e)
{
    struct look l;
    int rc = look_begin(&l, w, reference, e);
    bool due = rc >= 0 && l.was.image.n && is_old(&l);
    if (due)
        rc = judge_kept(&l, l.was.digest, e);
    if (due && rc == 1) {
        atomic_fetch_add(&w->again, 1);
        rc = settle(&l, l.was.digest, e);
        rc = rc < 0 ? rc : 1;
    }
    look_end(&l);
    return rc < 0 ? err_wrap(e, "%.*s", STR_ARG(reference)) : due && rc == 1;
}

/* ---- from the image ----------------------------------------------------------------------------
 */

static bool unwanted(void *ctx)
{
    return atomic_load(&((struct watch *)ctx)->stop);
}

/* The image of that very digest: a tag that moves meanwhile is seen the next time. */
static int scan(struct look *l, const struct reference *ref, const char *digest,
                struct inventory **out, struct err *e)
{
    struct watch *w = l->w;
    struct reference exact = *ref;
    char name[1024], source[1100];
    snprintf(exact.digest, sizeof exact.digest, "%s", digest);
    reference_format(&exact, name, sizeof name);
    snprintf(source, sizeof source, "registry:%s", name);
    const struct scan_options o = {
        .source = source,
        .data_dir = w->o->no_cache ? NULL : w->o->data_dir,
        .cache_max = w->o->cache_max,
        .platform = w->o->platform,
        .threads = w->o->threads,
        .registry = &w->o->registry,
        .facts = w->settings ? &w->settings->facts : NULL,
        .zygote = w->o->zygote,
        .progress = {.unwanted = unwanted, .ctx = w},
    };
    pthread_mutex_t *turn = &w->scans[atomic_fetch_add(&w->next_scan, 1) % 2];
    pthread_mutex_lock(turn);
    int rc = atomic_load(&w->stop) ? err_set(e, ERR_CONFLICT, "interrupted")
                                   : inventory_scan(&o, out, e);
    pthread_mutex_unlock(turn);
    atomic_fetch_add(&w->scanned, rc >= 0);
    return rc;
}

static int judge_scanned(struct look *l, struct inventory *inv, struct err *e)
{
    const struct judge_input in = {.w = l->w, .inv = inv, .tag = l->reference};
    int rc = judged_image_new(&in, &l->a, &l->now, e);
    if (rc >= 0)
        rc = inventory_document_write(inv, &l->now.document, e);
    return rc;
}

static int look_image(struct look *l, const struct reference *ref, const char *digest,
                      struct err *e)
{
    struct err why = {0};
    struct inventory *inv = NULL;
    int rc = judge_kept(l, str_z(digest), e); /* another tag may have led to it */
    if (rc < 0)
        return rc;
    if (rc == 1)
        return settle(l, str_z(digest), e);
    rc = scan(l, ref, digest, &inv, &why);
    if (rc >= 0)
        rc = judge_scanned(l, inv, &why);
    if (rc >= 0)
        rc = settle(l, str_z(digest), e);
    else if (!atomic_load(&l->w->stop))
        rc = trouble(l, kind_of(rc), str_z(why.text), e);
    if (inv)
        inventory_free(inv);
    return rc;
}

static int write_wanted(struct db_tx *tx, void *ctx, struct err *e)
{
    struct look *l = ctx;
    int rc = l->was.trouble.n ? change_trouble(tx, &l->a, &l->was, STR(""), STR(""), e) : 0;
    return rc < 0 ? rc : remembered_wanted(tx, l->reference, watch_platform(l->w), e);
}

int look_at(struct watch *w, struct registry *registry, const struct reference *ref,
            bool listed_before, bool *unreachable, struct err *e)
{
    char name[1024], digest[SHA256_TEXT];
    struct look l;
    struct err why = {0};
    reference_format(ref, name, sizeof name);
    *unreachable = false;
    int rc = look_begin(&l, w, str_z(name), e);
    l.fresh = listed_before && !l.was.image.n;
    int found =
        rc < 0 ? rc
               : registry_digest(registry, ref->digest[0] ? ref->digest : ref->tag, digest, &why);
    atomic_fetch_add(&w->looked, 1);
    l.answered = found >= 0;
    if (rc >= 0 && found < 0) {
        *unreachable = found == ERR_NET;
        rc = trouble(&l, kind_of(found), str_z(why.text), e);
    } else if (rc >= 0 && (!str_eq(l.was.digest, str_z(digest)) || is_old(&l))) {
        rc = look_image(&l, ref, digest, e);
    } else if (rc >= 0) {
        atomic_fetch_add(&w->gaps, l.was.gaps.n > 0);
        rc = db_run(watch_state_db(w->state), DB_WRITE, write_wanted, &l, e);
    }
    look_end(&l);
    return rc < 0 ? err_wrap(e, "%s", name) : 0;
}
