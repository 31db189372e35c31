#include "base/auto.h"
#include "codec/json.h"
#include "services/catalog/add.h"
#include "services/catalog/repo.h"
#include "services/catalog/watchers.h"
#include "services/event.h"
#include "services/log.h"
#include "services/subscription.h"

static const char log_name[] = "catalog";

struct subscriptions {
    struct arena a;
    str type;
    struct subscription *list;
    size_t n;
};

static int read_subscriptions(struct db_tx *tx, void *ctx, struct err *e)
{
    struct subscriptions *s = ctx;
    return subscription_list(tx, &s->a, STR(""), STR(""), s->type, true, &s->list, &s->n, e);
}

/* One thing to look at: a subscription, with memory of its own. */
struct watch_one {
    struct engine *en;
    struct arena a;
    const struct subscription *s;
};

/* Calls fn for each active subscription of the type; a failure of one does not keep the others from
 * their turn. */
static int for_subscriptions(struct engine *en, str type,
                             int (*fn)(struct watch_one *w, struct err *e), struct err *e)
{
    struct subscriptions s = {.type = type};

    arena_init(&s.a, 256 << 20);
    int rc = db_run(en->db, DB_READ, read_subscriptions, &s, e);
    for (size_t i = 0; rc >= 0 && i < s.n && !engine_stopping(en); i++) {
        struct watch_one w = {.en = en, .s = &s.list[i]};
        struct err why = {0};
        arena_init(&w.a, 64 << 20);
        if (fn(&w, &why) < 0)
            log_warn(log_name, "%.*s of %.*s: %s", STR_ARG(w.s->key), STR_ARG(w.s->account),
                     why.text);
        arena_done(&w.a);
    }
    arena_done(&s.a);
    return rc < 0 ? rc : 0;
}

static void tell(struct watch_one *w, const char *type, const struct err *why)
{
    const struct event ev = {
        .engine = w->en,
        .service = SERVICE_CATALOG,
        .type = type,
        .account = w->s->account,
        .resource_id = w->s->key,
        .details = event_details(&w->a, (const char *const[]){"cause"},
                                 (const str[]){str_z(why->text)}, 1),
    };
    struct err ignored;
    event_tell(w->en, &ev, &ignored);
}

/* ---- image_watcher -----------------------------------------------------------------------------
 */

struct now {
    struct watch_one *w;
    str fulltag;
    struct image_record record;
    int found;
};

static int read_now(struct db_tx *tx, void *ctx, struct err *e)
{
    struct now *n = ctx;

    n->found = image_get_by_tag(tx, &n->w->a, n->w->s->account, n->fulltag, &n->record, e);
    return n->found;
}

static int watch_tag(struct watch_one *w, struct err *e)
{
    struct now now = {.w = w};
    struct fulltag name;
    struct catalog_lookup found;
    struct image_record record;
    int rc = fulltag_parse(w->s->key, &w->a, &name, e);
    if (rc < 0)
        return rc;
    rc = catalog_lookup(w->en, &w->a, w->s->account, &name, &found, e);
    if (rc < 0) {
        tell(w, "system.image_analysis.registry_lookup_failed", e);
        return rc;
    }
    now.fulltag = name.fulltag;
    rc = db_run(w->en->db, DB_READ, read_now, &now, e);
    if (rc < 0 || (now.found && str_eq(now.record.digest, found.digest)))
        return rc;
    const struct catalog_add add = {
        .account = w->s->account,
        .name = name,
        .annotations = now.found ? now.record.annotations : (str){0},
        .watch = true,
        .why = STR("its tag has moved"),
    };
    return catalog_add_found(w->en, &w->a, &add, &found, &record, e);
}

int image_watcher_run(struct engine *en, struct err *e)
{
    return for_subscriptions(en, STR("tag_update"), watch_tag, e);
}

/* ---- repo_watcher ------------------------------------------------------------------------------
 */

struct seen {
    struct watch_one *w;
    str fulltag;
    size_t n;
};

/* A tag that was added once has subscriptions, also after its image is gone. */
static int read_seen(struct db_tx *tx, void *ctx, struct err *e)
{
    struct seen *s = ctx;
    struct subscription *list;
    return subscription_list(tx, &s->w->a, s->w->s->account, s->fulltag, STR("analysis_update"),
                             false, &list, &s->n, e);
}

static int add_tag(struct watch_one *w, str tag, bool autosubscribe, struct err *e)
{
    struct fulltag name;
    struct catalog_lookup found;
    struct image_record record;
    str text = arena_printf(&w->a, "%.*s:%.*s", STR_ARG(w->s->key), STR_ARG(tag));
    struct seen seen = {.w = w};
    int rc = fulltag_parse(text, &w->a, &name, e);
    if (rc < 0)
        return rc;
    seen.fulltag = name.fulltag;
    rc = db_run(w->en->db, DB_READ, read_seen, &seen, e);
    if (rc < 0 || seen.n)
        return rc;
    rc = catalog_lookup(w->en, &w->a, w->s->account, &name, &found, e);
    const struct catalog_add add = {
        .account = w->s->account,
        .name = name,
        .autosubscribe = autosubscribe,
        .watch = true,
        .why = STR("a new tag of a watched repository"),
    };
    return rc < 0 ? rc : catalog_add_found(w->en, &w->a, &add, &found, &record, e);
}

struct value {
    struct watch_one *w;
    str text;
};

static int write_value(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct value *v = ctx;
    int64_t n = db_exec(tx,
                        "UPDATE subscriptions SET subscription_value = $3 WHERE account = $1 AND "
                        "subscription_id = $2",
                        DB(DBS(v->w->s->account), DBS(v->w->s->id), DBS(v->text)), e);
    return n < 0 ? (int)n : 0;
}

static int keep_value(struct watch_one *w, bool autosubscribe, str lookup, size_t count,
                      struct err *e)
{
    auto_buf b;

    buf_init(&b, 64 << 10);
    buf_addf(&b, "{\"autosubscribe\": %s, \"lookuptag\": ", autosubscribe ? "true" : "false");
    json_put_string(&b, lookup);
    buf_addf(&b, ", \"tagcount\": %zu}", count);
    struct value v = {w, buf_view(&b)};
    if (str_eq(v.text, w->s->value) || !buf_ok(&b))
        return 0;
    return db_run(w->en->db, DB_WRITE, write_value, &v, e);
}

static int watch_repo(struct watch_one *w, struct err *e)
{
    struct fulltag name;
    auto_json *doc = NULL;
    str *tags = NULL;
    size_t n = 0;
    int rc = fulltag_parse(w->s->key, &w->a, &name, e);
    if (rc < 0)
        return rc;
    json_parse(w->s->value.n ? w->s->value : STR("{}"), "subscription value", &doc, NULL);
    yyjson_val *value = doc ? yyjson_doc_get_root(doc) : NULL;
    bool autosubscribe = yyjson_get_bool(json_get(value, "autosubscribe"));
    str lookup = json_str(value, "lookuptag");
    rc = catalog_tags(w->en, &w->a, w->s->account, name.registry, name.repo, &tags, &n, e);
    if (rc < 0) {
        tell(w, "system.repository.list_tags_fail", e);
        return rc;
    }
    for (size_t i = 0; i < n && !engine_stopping(w->en); i++) {
        struct err why = {0};
        if (add_tag(w, tags[i], autosubscribe, &why) < 0)
            log_warn(log_name, "%.*s:%.*s: %s", STR_ARG(w->s->key), STR_ARG(tags[i]), why.text);
    }
    return keep_value(w, autosubscribe, lookup.n ? lookup : STR("latest"), n, e);
}

int repo_watcher_run(struct engine *en, struct err *e)
{
    return for_subscriptions(en, STR("repo_update"), watch_repo, e);
}
