#include "services/policy_engine/subscribe.h"

#include "base/auto.h"
#include "base/vec.h"
#include "codec/json.h"
#include "services/log.h"
#include "services/policy_engine/evaluations.h"
#include "services/policy_engine/policy_update.h"
#include "services/policy_engine/vuln_update.h"
#include "services/policy_engine/vulndata.h"

struct begun {
    str digest, scan_key;
};

struct subscribing {
    const struct subscription *s;
    struct arena a;
    yyjson_val *named; /* the array of digests in the subscription's value */
    bool active;       /* already */
    VEC(struct begun) images;
};

static bool is_named(const struct subscribing *g, str digest)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(g->named, i, n, v)
    {
        if (str_eq(json_text(v), digest))
            return true;
    }
    return false;
}

static int add_image(struct subscribing *g, str digest, bool newest, struct err *e)
{
    struct begun *b = vec_push(&g->images);
    if (!b)
        return err_no_memory(e);
    b->digest = arena_dup(&g->a, digest);
    b->scan_key =
        newest ? g->s->key : arena_printf(&g->a, "%.*s/%.*s", STR_ARG(digest), STR_ARG(g->s->key));
    return b->digest.p && b->scan_key.p ? 0 : err_no_memory(e);
}

static int read_images(struct db_tx *tx, void *ctx, struct err *e)
{
    struct subscribing *g = ctx;
    auto_rows *rows = NULL;
    g->images.n = 0;
    int rc = subscription_active(tx, g->s->account, g->s->key, g->s->type, e);
    if (rc < 0)
        return rc;
    g->active = rc == 1;
    rc = db_query(tx,
                  "SELECT t.image_digest, i.analysis_status, i.image_status FROM"
                  " catalog_image_tag t JOIN catalog_image i ON i.account = t.account AND"
                  " i.image_digest = t.image_digest WHERE t.account = $1 AND t.fulltag = $2"
                  " ORDER BY t.tag_detected_at DESC, t.image_digest",
                  DB(DBS(g->s->account), DBS(g->s->key)), &rows, e);
    for (bool newest = true; rc >= 0 && (rc = db_next(rows, e)) == 1; newest = false)
        if (str_eq(db_text(rows, 1), STR("analyzed")) && str_eq(db_text(rows, 2), STR("active")) &&
            (newest || is_named(g, db_text(rows, 0))))
            rc = add_image(g, db_text(rows, 0), newest, e);
    return rc;
}

/* A verdict that cannot be had now is the first one later. */
static int judge(struct engine *en, const struct subscription *s, str digest, struct err *e)
{
    struct err why = {0};
    int rc = policy_update_evaluate(en, s->account, digest, s->key, &why);
    if (rc < 0)
        log_warn("policy_engine", "evaluation of %.*s of %.*s: %s", STR_ARG(s->key),
                 STR_ARG(s->account), why.text);
    if (rc < 0)
        return rc != ERR_IO ? err_set(e, rc, "%s", why.text) : 0;
    return evaluation_known(en, s->account, digest, s->key, e);
}

int subscribe_begin(struct engine *en, struct vuln_reports *reports, const struct subscription *s,
                    struct err *e)
{
    struct subscribing g = {.s = s};
    auto_json *value = NULL;
    bool findings = str_eq(s->type, STR("vuln_update")),
         verdict = str_eq(s->type, STR("policy_eval"));
    if (!findings && !verdict)
        return 0;
    arena_init(&g.a, 64 << 20);
    if (s->value.n && json_parse(s->value, "subscription", &value, NULL) == 0)
        g.named = json_get(yyjson_doc_get_root(value), "digests");
    int rc = vulndata_newest(en, e);
    if (rc >= 0)
        rc = db_run(en->db, DB_READ, read_images, &g, e);
    for (size_t i = 0; rc >= 0 && i < g.images.n; i++)
        if (findings)
            rc = vuln_update_begin(en, reports, s->account, g.images.p[i].scan_key,
                                   g.images.p[i].digest, !g.active, e);
        else if (!g.active)
            rc = judge(en, s, g.images.p[i].digest, e);
    vec_done(&g.images);
    arena_done(&g.a);
    return rc < 0 ? rc : 0;
}
