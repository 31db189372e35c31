#include "services/policy_engine/subscribed.h"

#include "base/auto.h"
#include "codec/json.h"
#include "services/policy_engine/changes.h"
#include "store/posting.h"

enum { AT_ONCE = 5000, ROUND_MAX = 1 << 30, PLACE_UNKNOWN = 1 };

void subscribed_init(struct subscribed *s, const char *type)
{
    *s = (struct subscribed){.type = type};
    arena_init(&s->a, ROUND_MAX);
    map_init(&s->by_image);
}

void subscribed_done(struct subscribed *s)
{
    vec_done(&s->tags);
    vec_done(&s->newcomers);
    map_done(&s->by_image);
    arena_done(&s->a);
}

/* Takes the struct's texts as they are. */
static int add_entry(struct subscribed *s, const struct subscribed_tag *entry, struct err *e)
{
    struct subscribed_tag *t = arena_new(&s->a, struct subscribed_tag);
    if (!t)
        return err_no_memory(e);
    *t = *entry;
    str key = arena_printf(&s->a, "%.*s %.*s", STR_ARG(t->account), STR_ARG(t->digest));
    void **slot = key.p ? map_slot(&s->by_image, key) : NULL;
    struct subscribed_tag **place = vec_push(&s->tags);
    if (!slot || !place)
        return err_no_memory(e);
    t->next = *slot;
    *slot = *place = t;
    return 0;
}

static int add_tag(struct subscribed *s, const struct db_rows *rows, struct err *e)
{
    struct subscribed_tag *last = s->tags.n ? s->tags.p[s->tags.n - 1] : NULL;
    str account = db_text(rows, 0), fulltag = db_text(rows, 1);
    if (last && str_eq(last->account, account) && str_eq(last->fulltag, fulltag))
        return 0; /* two digests found at the same moment: the first, as everywhere */
    struct subscribed_tag t = {.account = arena_dup(&s->a, account),
                               .fulltag = arena_dup(&s->a, fulltag),
                               .digest = arena_dup(&s->a, db_text(rows, 2)),
                               .annotations = arena_dup(&s->a, db_text(rows, 3)),
                               .told = arena_dup(&s->a, db_text(rows, 4)),
                               .fresh = db_int(rows, 5) >= db_int(rows, 6) * 1000000};
    t.scan_key = t.fulltag;
    return add_entry(s, &t, e);
}

/* ---- older images of a tag
 * ------------------------------------------------------------------------- */

struct older {
    str account, fulltag, value;
};

static int read_values(struct db_tx *tx, struct subscribed *s, struct older **out, size_t *n,
                       struct err *e)
{
    auto_rows *rows = NULL;
    VEC(struct older) list = {0};
    int rc = db_query(tx,
                      "SELECT account, subscription_key, subscription_value FROM subscriptions"
                      " WHERE subscription_type = $1 AND active = 1"
                      " AND subscription_value LIKE '%\"digests\"%' ESCAPE '!'",
                      DB(DBZ(s->type)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        struct older *o = vec_push(&list);
        if (!o)
            rc = err_no_memory(e);
        else
            *o = (struct older){arena_dup(&s->a, db_text(rows, 0)),
                                arena_dup(&s->a, db_text(rows, 1)),
                                arena_dup(&s->a, db_text(rows, 2))};
    }
    *out = list.p;
    *n = list.n;
    return rc;
}

static bool is_listed(struct subscribed *s, const struct older *o, str digest)
{
    str key = arena_printf(&s->a, "%.*s %.*s", STR_ARG(o->account), STR_ARG(digest));
    for (struct subscribed_tag *t = map_get(&s->by_image, key); t; t = t->next)
        if (str_eq(t->fulltag, o->fulltag))
            return true;
    return false;
}

/* One that the tag led to once, and that is analysed. */
static int add_older(struct db_tx *tx, struct subscribed *s, const struct older *o, str digest,
                     struct err *e)
{
    auto_rows *rows = NULL;
    struct subscribed_tag t = {.account = o->account, .fulltag = o->fulltag};
    t.digest = arena_dup(&s->a, digest);
    t.scan_key = arena_printf(&s->a, "%.*s/%.*s", STR_ARG(digest), STR_ARG(o->fulltag));
    int rc = db_query(tx,
                      "SELECT i.annotations, v.image_digest FROM catalog_image_tag t JOIN"
                      " catalog_image i ON i.account = t.account AND i.image_digest ="
                      " t.image_digest LEFT JOIN vuln_scan v ON v.account = t.account AND"
                      " v.fulltag = $4 WHERE t.account = $1 AND t.fulltag = $2 AND"
                      " t.image_digest = $3 AND i.analysis_status = 'analyzed' AND"
                      " i.image_status = 'active'",
                      DB(DBS(t.account), DBS(t.fulltag), DBS(t.digest), DBS(t.scan_key)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    t.annotations = arena_dup(&s->a, db_text(rows, 0));
    t.told = arena_dup(&s->a, db_text(rows, 1));
    return add_entry(s, &t, e);
}

static int read_older(struct db_tx *tx, struct subscribed *s, struct err *e)
{
    struct older *list autofree = NULL;
    size_t count = 0;
    int rc = read_values(tx, s, &list, &count, e);
    for (size_t k = 0; rc >= 0 && k < count; k++) {
        auto_json *doc = NULL;
        yyjson_val *v;
        size_t i, n;
        if (json_parse(list[k].value, "subscription", &doc, NULL) < 0)
            continue;
        yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "digests"), i, n, v)
        {
            str digest = json_text(v);
            if (rc >= 0 && digest.n && !is_listed(s, &list[k], digest))
                rc = add_older(tx, s, &list[k], digest, e);
        }
    }
    return rc;
}

static int read_tags(struct db_tx *tx, struct subscribed *s, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT s.account, s.subscription_key, t.image_digest, i.annotations,"
                      " v.image_digest, i.analyzed_at, s.last_updated_s FROM subscriptions s"
                      " JOIN catalog_image_tag t ON"
                      " t.account = s.account AND t.fulltag = s.subscription_key JOIN"
                      " catalog_image i ON i.account = t.account AND"
                      " i.image_digest = t.image_digest LEFT JOIN vuln_scan v ON"
                      " v.account = s.account AND v.fulltag = s.subscription_key WHERE"
                      " s.subscription_type = $1 AND s.active = 1 AND"
                      " i.analysis_status = 'analyzed' AND i.image_status = 'active' AND"
                      " NOT EXISTS (SELECT 1 FROM catalog_image_tag n WHERE n.account = t.account"
                      " AND n.fulltag = t.fulltag AND n.tag_detected_at > t.tag_detected_at)"
                      " ORDER BY s.account, s.subscription_key, t.image_digest",
                      DB(DBZ(s->type)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1)
        if ((rc = add_tag(s, rows, e)) < 0)
            return rc;
    return rc;
}

static int mark(struct subscribed *s, str account, str digest, struct err *e)
{
    char key[600];
    int len = snprintf(key, sizeof key, "%.*s %.*s", STR_ARG(account), STR_ARG(digest));
    if (len < 0 || (size_t)len >= sizeof key)
        return err_set(e, ERR_LIMIT, "an account's name is too long");
    for (struct subscribed_tag *t = map_get(&s->by_image, str_z(key)); t; t = t->next)
        t->due = true;
    return 0;
}

static int mark_image(void *ctx, str account, str digest, const struct finding_change *const *mine,
                      size_t n, struct err *e)
{
    (void)mine;
    (void)n;
    return mark(ctx, account, digest, e);
}

/* ---- newcomers
 * ------------------------------------------------------------------------------------- */

/* `where`: of the tables s (subscriptions), t (their tags) and p (their images); $1 is the type. */
static int64_t look_again(struct db_tx *tx, const char *type, const char *where,
                          const struct db_value *v, size_t n, struct err *e)
{
    char sql[1024];
    snprintf(sql, sizeof sql,
             "INSERT INTO %s (image, type) SELECT DISTINCT p.id, s.subscription_type FROM"
             " subscriptions s JOIN catalog_image_tag t ON t.account = s.account AND"
             " t.fulltag = s.subscription_key JOIN posting_image p ON p.account = t.account AND"
             " p.image_digest = t.image_digest WHERE s.subscription_type = $1 AND s.active = 1%s",
             strcmp(type, "policy_eval") == 0 ? "finding_newcomer" : "finding_again", where);
    return db_exec(tx, sql, v, n, e);
}

int64_t subscribed_newcomer(struct db_tx *tx, int64_t image, struct err *e)
{
    static const char *const types[] = {"policy_eval", "vuln_update"};
    int64_t n = 0;
    for (size_t i = 0; n >= 0 && i < KE_ARRAY_LEN(types); i++)
        n = look_again(tx, types[i], " AND p.id = $2", DB(DBZ(types[i]), DBI(image)), e);
    return n;
}

int64_t subscribed_began(struct db_tx *tx, str type, str account, str fulltag, struct err *e)
{
    char name[32];
    snprintf(name, sizeof name, "%.*s", STR_ARG(type));
    return look_again(tx, name, " AND s.account = $2 AND s.subscription_key = $3",
                      DB(DBZ(name), DBS(account), DBS(fulltag)), e);
}

int64_t subscribed_account(struct db_tx *tx, str account, struct err *e)
{
    return look_again(tx, "policy_eval", " AND s.account = $2",
                      DB(DBZ("policy_eval"), DBS(account)), e);
}

int64_t subscribed_all(struct db_tx *tx, struct err *e)
{
    int64_t n = look_again(tx, "policy_eval", "", DB(DBZ("policy_eval")), e);
    return n < 0 ? n : look_again(tx, "vuln_update", "", DB(DBZ("vuln_update")), e);
}

static int read_newcomers(struct db_tx *tx, struct subscribed *s, struct posting_set *out,
                          struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT seq, image FROM finding_newcomer WHERE type = $1 UNION ALL"
                      " SELECT -seq, image FROM finding_again WHERE type = $1 LIMIT $2",
                      DB(DBZ(s->type), DBI(AT_ONCE)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        int64_t *row = vec_push(&s->newcomers);
        if (!row || !posting_set_add(out, db_int(rows, 1)))
            return err_no_memory(e);
        *row = db_int(rows, 0);
    }
    return rc;
}

static int mark_newcomer(void *ctx, const struct posting_image *i, struct err *e)
{
    return mark(ctx, i->account, i->digest, e);
}

/* ---- a round
 * --------------------------------------------------------------------------------------- */

static int read_due(struct db_tx *tx, struct subscribed *s, struct posting_set *newcomers,
                    struct err *e)
{
    struct finding_change *changes;
    size_t n = 0;
    arena_done(&s->a);
    map_done(&s->by_image);
    map_init(&s->by_image);
    s->tags.n = 0;
    s->newcomers.n = 0;
    int rc = changes_known(tx, str_z(s->type), &s->from, e);
    if (rc <= 0)
        return rc < 0 ? rc : PLACE_UNKNOWN;
    rc = changes_read(tx, &s->a, s->from, AT_ONCE, &changes, &n, e);
    if (rc >= 0)
        rc = read_newcomers(tx, s, newcomers, e);
    bool wanted = n || s->newcomers.n || s->all;
    if (rc >= 0 && wanted)
        rc = read_tags(tx, s, e);
    if (rc >= 0 && wanted)
        rc = read_older(tx, s, e);
    if (rc >= 0 && n && s->tags.n)
        rc = changes_by_image(tx, STR(""), changes, n, mark_image, s, e);
    if (rc >= 0 && s->newcomers.n && s->tags.n)
        rc = posting_images(tx, newcomers, STR(""), mark_newcomer, s, e);
    s->to = n ? changes[n - 1].seq : s->from;
    s->more = n == AT_ONCE || s->newcomers.n == AT_ONCE;
    return rc < 0 ? rc : 0;
}

static int read_all(struct db_tx *tx, void *ctx, struct err *e)
{
    struct posting_set newcomers;
    posting_set_init(&newcomers);
    int rc = read_due(tx, ctx, &newcomers, e);
    posting_set_done(&newcomers);
    return rc;
}

static int read_place(struct db_tx *tx, void *ctx, struct err *e)
{
    struct subscribed *s = ctx;
    return changes_place(tx, str_z(s->type), &s->from, e);
}

int subscribed_read(struct engine *en, struct subscribed *s, bool all, struct err *e)
{
    s->all = all;
    int rc = db_run(en->db, DB_READ, read_all, s, e);
    if (rc == PLACE_UNKNOWN && (rc = db_run(en->db, DB_WRITE, read_place, s, e)) >= 0)
        rc = db_run(en->db, DB_READ, read_all, s, e);
    return rc;
}

static int move_place(struct db_tx *tx, void *ctx, struct err *e)
{
    struct subscribed *s = ctx;
    int64_t rc = 0;
    for (size_t i = 0; rc >= 0 && i < s->newcomers.n; i++) {
        int64_t seq = s->newcomers.p[i];
        rc = seq < 0 ? db_exec(tx, "DELETE FROM finding_again WHERE seq = $1", DB(DBI(-seq)), e)
                     : db_exec(tx, "DELETE FROM finding_newcomer WHERE seq = $1", DB(DBI(seq)), e);
    }
    if (rc >= 0 && s->to != s->from)
        rc = changes_move(tx, str_z(s->type), s->from, s->to, e);
    return rc < 0 ? (int)rc : 0;
}

int subscribed_move(struct engine *en, struct subscribed *s, struct err *e)
{
    return s->to == s->from && !s->newcomers.n ? 0 : db_run(en->db, DB_WRITE, move_place, s, e);
}
