/* archive_rules.c - which images are put aside, and which archived ones are dropped. */
#include "base/auto.h"
#include "base/map.h"
#include "base/vec.h"
#include "services/archive.h"
#include "services/event.h"
#include "services/log.h"

#include <stdlib.h>

#define RULE_COLUMNS                                                                               \
    "account, rule_id, transition, selector_registry, selector_repository, selector_tag, "         \
    "exclude_selector_registry, exclude_selector_repository, exclude_selector_tag, "               \
    "tag_versions_newer, analysis_age_days, exclude_expiration_days, max_images_per_account, "     \
    "system_global, created_at, last_updated"

static void rule_read(struct arena *a, const struct db_rows *rows, struct archive_rule *r)
{
    str *texts[] = {&r->account,    &r->id,  &r->transition,       &r->registry,
                    &r->repository, &r->tag, &r->exclude_registry, &r->exclude_repository,
                    &r->exclude_tag};
    int64_t *numbers[] = {&r->newer, &r->days, &r->exclude_days, &r->max_images};
    for (int i = 0; i < (int)KE_ARRAY_LEN(texts); i++)
        *texts[i] = arena_dup(a, db_text(rows, i));
    for (int i = 0; i < (int)KE_ARRAY_LEN(numbers); i++)
        *numbers[i] = db_int(rows, 9 + i);
    r->global = db_int(rows, 13);
    r->created = db_int(rows, 14);
    r->updated = db_int(rows, 15);
}

int archive_rules(struct db_tx *tx, struct arena *a, str account, bool globals, str id,
                  struct archive_rule **out, size_t *n, struct err *e)
{
    auto_rows *rows = NULL;
    VEC(struct archive_rule) all = {0};
    int r = db_query(tx,
                     "SELECT " RULE_COLUMNS " FROM archive_rule WHERE (account = $1 OR "
                     "(system_global = 1 AND $2 = 1)) AND (rule_id = $3 OR "
                     "$3 = '') ORDER BY created_at, rule_id",
                     DB(DBS(account), DBI(globals), DBS(id.p ? id : STR(""))), &rows, e);
    while (r == 0 && (r = db_next(rows, e)) == 1) {
        struct archive_rule *rule = vec_push(&all);
        r = rule ? 0 : err_no_memory(e);
        if (rule)
            rule_read(a, rows, rule);
    }
    *n = all.n;
    *out = arena_calloc(a, all.n + 1, sizeof **out);
    if (r == 0 && (!*out || a->full))
        r = err_no_memory(e);
    if (r == 0 && all.n)
        memcpy(*out, all.p, all.n * sizeof **out);
    vec_done(&all);
    return r;
}

int archive_rule_add(struct db_tx *tx, const struct archive_rule *r, struct err *e)
{
    int64_t n = db_exec(tx,
                        "INSERT INTO archive_rule (" RULE_COLUMNS ") VALUES ($1, $2, $3, $4, $5, "
                        "$6, $7, $8, $9, $10, $11, $12, $13, $14, now_us(), now_us())",
                        DB(DBS(r->account), DBS(r->id), DBS(r->transition), DBS(r->registry),
                           DBS(r->repository), DBS(r->tag), DBS(r->exclude_registry),
                           DBS(r->exclude_repository), DBS(r->exclude_tag), DBI(r->newer),
                           DBI(r->days), DBI(r->exclude_days),
                           r->max_images ? DBI(r->max_images) : DBNULL, DBI(r->global)),
                        e);
    return n < 0 ? (int)n : 0;
}

int archive_rule_remove(struct db_tx *tx, str account, str id, struct err *e)
{
    int64_t n = db_exec(tx, "DELETE FROM archive_rule WHERE account = $1 AND rule_id = $2",
                        DB(DBS(account), DBS(id)), e);
    return n < 0 ? (int)n : n > 0;
}

/* ---- matching
 * -------------------------------------------------------------------------------------------------
 */

/* "*" stands for any run of characters. */
static bool glob(str pattern, str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

struct candidate { /* a tag of an image, live or archived */
    str digest, registry, repo, tag;
    int64_t age_from; /* analysis (live), archiving (archived) */
    int64_t newer;    /* images that had this tag later */
    bool matched;
};

static bool rule_takes(const struct archive_rule *r, const struct candidate *c, int64_t now)
{
    const int64_t day = 86400ll * 1000000;
    if (!glob(r->registry, c->registry) || !glob(r->repository, c->repo) || !glob(r->tag, c->tag))
        return false;
    if (r->days >= 0 && now - c->age_from < r->days * day)
        return false;
    if (r->newer >= 0 && c->newer < r->newer)
        return false;
    bool expired = r->exclude_days >= 0 && now - r->created >= r->exclude_days * day;
    bool excluded = r->exclude_registry.n && glob(r->exclude_registry, c->registry) &&
                    glob(r->exclude_repository, c->repo) && glob(r->exclude_tag, c->tag);
    return !excluded || expired;
}

/* ---- one account
 * ---------------------------------------------------------------------------------------------- */

struct round {
    struct engine *engine;
    struct arena arena;
    str account;
    int64_t now;
    VEC(struct candidate) tags;
    struct archive_rule *rules;
    size_t n_rules;
};

static int round_read(struct db_tx *tx, void *ctx, struct err *e)
{
    struct round *rd = ctx;
    auto_rows *rows = NULL;
    rd->tags.n = 0;
    int r = db_query_int(tx, "SELECT now_us()", DB0, &rd->now, e);
    if (r == 0)
        r = archive_rules(tx, &rd->arena, rd->account, true, STR(""), &rd->rules, &rd->n_rules, e);
    if (r == 0 && rd->n_rules)
        r = db_query(tx,
                     "SELECT t.image_digest, t.registry, t.repo, t.tag, i.analyzed_at, "
                     "(SELECT COUNT(*) FROM catalog_image_tag n WHERE n.account = t.account AND "
                     "n.fulltag = t.fulltag AND n.tag_detected_at > t.tag_detected_at) "
                     "FROM catalog_image_tag t JOIN catalog_image i ON i.account = t.account AND "
                     "i.image_digest = t.image_digest WHERE t.account = $1 AND "
                     "i.analysis_status = 'analyzed' AND i.image_status = 'active'",
                     DB(DBS(rd->account)), &rows, e);
    while (rows && r == 0 && (r = db_next(rows, e)) == 1) {
        struct candidate *c = vec_push(&rd->tags);
        if (!c)
            return err_no_memory(e);
        *c = (struct candidate){.digest = arena_dup(&rd->arena, db_text(rows, 0)),
                                .registry = arena_dup(&rd->arena, db_text(rows, 1)),
                                .repo = arena_dup(&rd->arena, db_text(rows, 2)),
                                .tag = arena_dup(&rd->arena, db_text(rows, 3)),
                                .age_from = db_int(rows, 4),
                                .newer = db_int(rows, 5)};
        r = 0;
    }
    return r;
}

struct move {
    struct round *round;
    str digest;
};

static int move_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct move *m = ctx;
    struct round *rd = m->round;
    enum image_deletion done;
    str why = {0};
    int r = archive_add(tx, rd->engine->documents, &rd->arena, rd->account, m->digest, &why, e);
    if (r <= 0)
        return r;
    r = image_delete(tx, &rd->arena, rd->account, m->digest, true, &done, &why, e);
    struct event ev = {.engine = rd->engine,
                       .service = SERVICE_CATALOG,
                       .type = "system.analysis_archive.image_archived",
                       .account = rd->account,
                       .resource_id = m->digest};
    return r < 0 ? r : event_add(tx, &ev, e);
}

/* An image moves when each of its tags is taken by some rule. */
static int round_archive(struct round *rd, struct err *e)
{
    struct map open KE_CLEANUP(map_done);
    map_init(&open);
    for (size_t i = 0; i < rd->tags.n; i++) {
        struct candidate *c = &rd->tags.p[i];
        for (size_t k = 0; k < rd->n_rules && !c->matched; k++)
            c->matched = str_eq(rd->rules[k].transition, STR("archive")) &&
                         !rd->rules[k].max_images && rule_takes(&rd->rules[k], c, rd->now);
        if (!c->matched && !map_put(&open, c->digest, c))
            return err_no_memory(e);
    }
    for (size_t i = 0; i < rd->tags.n && !engine_stopping(rd->engine); i++) {
        struct move m = {rd, rd->tags.p[i].digest};
        if (map_get(&open, m.digest))
            continue;
        if (!map_put(&open, m.digest, &m)) /* once for all its tags */
            return err_no_memory(e);
        int r = db_run(rd->engine->db, DB_WRITE, move_one, &m, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int drop_old(struct db_tx *tx, void *ctx, struct err *e)
{
    struct round *rd = ctx;
    struct archived_image *images;
    size_t n;
    int r = archive_list(tx, &rd->arena, rd->account, &images, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        auto_json *doc = NULL;
        size_t k, count, taken = 0;
        yyjson_val *t;
        r = json_parse(images[i].record, "an archived record", &doc, e);
        yyjson_val *tags = r == 0 ? json_get(yyjson_doc_get_root(doc), "tags") : NULL;
        yyjson_arr_foreach(tags, k, count, t)
        {
            struct candidate c = {.registry = json_str(t, "registry"),
                                  .repo = json_str(t, "repo"),
                                  .tag = json_str(t, "tag"),
                                  .age_from = images[i].created};
            for (size_t j = 0; j < rd->n_rules; j++)
                if (str_eq(rd->rules[j].transition, STR("delete")) &&
                    rule_takes(&rd->rules[j], &c, rd->now)) {
                    taken++;
                    break;
                }
        }
        if (taken && taken == yyjson_arr_size(tags))
            r = archive_remove(tx, rd->engine->documents, rd->account, images[i].digest, e);
        r = r < 0 ? r : 0;
    }
    return r;
}

/* The global limit of images per account: the oldest beyond it are put aside. */
static int over_limit(struct db_tx *tx, struct round *rd, int64_t max, struct err *e)
{
    auto_rows *rows = NULL;
    VEC(str) digests = {0};
    int r = db_query(tx,
                     "SELECT image_digest FROM catalog_image WHERE account = $1 AND "
                     "analysis_status = 'analyzed' AND image_status = 'active' "
                     "ORDER BY analyzed_at DESC LIMIT 1000 OFFSET $2",
                     DB(DBS(rd->account), DBI(max)), &rows, e);
    while (r == 0 && (r = db_next(rows, e)) == 1) {
        str *slot = vec_push(&digests);
        r = slot ? 0 : err_no_memory(e);
        if (slot)
            *slot = arena_dup(&rd->arena, db_text(rows, 0));
    }
    for (size_t i = 0; r == 0 && i < digests.n; i++) {
        struct move m = {rd, digests.p[i]};
        r = move_one(tx, &m, e);
        r = r < 0 ? r : 0;
    }
    vec_done(&digests);
    return r;
}

static int round_finish(struct db_tx *tx, void *ctx, struct err *e)
{
    struct round *rd = ctx;
    int r = drop_old(tx, rd, e);
    for (size_t i = 0; r == 0 && i < rd->n_rules; i++)
        if (rd->rules[i].max_images > 0)
            r = over_limit(tx, rd, rd->rules[i].max_images, e);
    return r;
}

struct names {
    struct arena *a;
    VEC(str) items;
};

static int account_names(struct db_tx *tx, void *ctx, struct err *e)
{
    struct names *out = ctx;
    auto_rows *rows = NULL;
    out->items.n = 0;
    int r = db_query(tx, "SELECT name FROM accounts WHERE state = 'enabled' ORDER BY name", DB0,
                     &rows, e);
    while (r == 0 && (r = db_next(rows, e)) == 1) {
        str *slot = vec_push(&out->items);
        r = slot ? 0 : err_no_memory(e);
        if (slot)
            *slot = arena_dup(out->a, db_text(rows, 0));
    }
    return r;
}

int archive_watch(struct engine *en, struct err *e)
{
    struct arena a;
    struct names names = {.a = &a};
    arena_init(&a, 64 << 20);
    int r = db_run(en->db, DB_READ, account_names, &names, e);
    for (size_t i = 0; r >= 0 && i < names.items.n && !engine_stopping(en); i++) {
        struct round rd = {.engine = en, .account = names.items.p[i]};
        arena_init(&rd.arena, 512 << 20);
        r = db_run(en->db, DB_READ, round_read, &rd, e);
        if (r >= 0 && rd.n_rules)
            r = round_archive(&rd, e);
        if (r >= 0 && rd.n_rules)
            r = db_run(en->db, DB_WRITE, round_finish, &rd, e);
        vec_done(&rd.tags);
        arena_done(&rd.arena);
    }
    vec_done(&names.items);
    arena_done(&a);
    return r < 0 ? r : 0;
}
