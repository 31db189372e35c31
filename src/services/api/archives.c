/* archives.c - the API of the analysis archive: archived images, rules, the summary, restoring. */
#include "base/auto.h"
#include "codec/digest.h"
#include "services/archive.h"
#include "services/image_json.h"

#include <sodium.h>

/* ---- images
 * ---------------------------------------------------------------------------------------------------
 */

static yyjson_mut_val *detail(yyjson_mut_doc *d, const struct archived_image *im)
{
    auto_json *record = NULL;
    size_t i, n;
    yyjson_val *t;
    yyjson_mut_val *list = yyjson_mut_arr(d);
    json_parse(im->record, "the archived record", &record, NULL);
    yyjson_arr_foreach(json_get(record ? yyjson_doc_get_root(record) : NULL, "tags"), i, n, t)
    {
        yyjson_mut_val *o = yyjson_mut_obj(d);
        put_time(d, o, "created_at", im->created);
        put_time(d, o, "last_updated", im->created);
        put_time(d, o, "detected_at", yyjson_get_sint(json_get(t, "detected")));
        put_str(d, o, "pullstring", json_str(t, "fulltag"));
        put_str(d, o, "registry", json_str(t, "registry"));
        put_str(d, o, "repository", json_str(t, "repo"));
        put_str(d, o, "tag", json_str(t, "tag"));
        yyjson_mut_arr_append(list, o);
    }
    return list;
}

static yyjson_mut_val *archived(yyjson_mut_doc *d, const struct archived_image *im)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_time(d, o, "analyzed_at", im->analyzed);
    put_json(d, o, "annotations", im->annotations.n ? im->annotations : STR("{}"));
    put_int(d, o, "archive_size_bytes", im->size);
    put_time(d, o, "created_at", im->created);
    put_time(d, o, "last_updated", im->updated);
    put_str(d, o, "imageDigest", im->digest);
    put_str(d, o, "parentDigest", im->parent_digest);
    put_str(d, o, "status", im->status);
    yyjson_mut_obj_add_val(d, o, "image_detail", detail(d, im));
    return o;
}

struct listing {
    struct call *c;
    struct archived_image *images;
    struct archive_rule *rules;
    size_t n, n_rules;
};

static int read_list(struct db_tx *tx, void *ctx, struct err *e)
{
    struct listing *l = ctx;
    int r = archive_list(tx, &l->c->arena, l->c->account, &l->images, &l->n, e);
    return r < 0 ? r
                 : archive_rules(tx, &l->c->arena, l->c->account,
                                 call_flag(l->c, "system_global", true), STR(""), &l->rules,
                                 &l->n_rules, e);
}

static int list_images(struct call *c)
{
    struct listing l = {.c = c};
    int r = db_run(c->engine->db, DB_READ, read_list, &l, c->err);
    if (r < 0)
        return r;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *all = yyjson_mut_arr(d);
    for (size_t i = 0; i < l.n; i++)
        yyjson_mut_arr_append(all, archived(d, &l.images[i]));
    return call_send(c, 200, d, all);
}

static int summary(struct call *c)
{
    struct listing l = {.c = c};
    int64_t bytes = 0, tags = 0, updated = 0, rules_updated = 0;
    int r = db_run(c->engine->db, DB_READ, read_list, &l, c->err);
    if (r < 0)
        return r;
    yyjson_mut_doc *d = call_doc(c);
    for (size_t i = 0; i < l.n; i++) {
        bytes += l.images[i].size;
        tags += (int64_t)yyjson_mut_arr_size(detail(d, &l.images[i]));
        updated = l.images[i].updated > updated ? l.images[i].updated : updated;
    }
    for (size_t i = 0; i < l.n_rules; i++)
        rules_updated = l.rules[i].updated > rules_updated ? l.rules[i].updated : rules_updated;
    yyjson_mut_val *o = yyjson_mut_obj(d), *images = yyjson_mut_obj(d), *rules = yyjson_mut_obj(d);
    put_str(d, images, "last_updated", updated ? time_text(&c->arena, updated) : STR(""));
    put_int(d, images, "total_data_bytes", bytes);
    put_int(d, images, "total_image_count", (int64_t)l.n);
    put_int(d, images, "total_tag_count", tags);
    put_int(d, rules, "count", (int64_t)l.n_rules);
    put_time(d, rules, "last_updated", rules_updated);
    yyjson_mut_obj_add_val(d, o, "images", images);
    yyjson_mut_obj_add_val(d, o, "rules", rules);
    return call_send(c, 200, d, o);
}

struct one {
    struct call *c;
    str digest, why;
    struct archived_image image;
};

static int read_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct one *o = ctx;
    return archive_get(tx, &o->c->arena, o->c->account, o->digest, &o->image, e);
}

static int get_image(struct call *c)
{
    struct one o = {.c = c, .digest = call_param(c, "imageDigest")};
    int r = db_run(c->engine->db, DB_READ, read_one, &o, c->err);
    if (r < 0)
        return r;
    if (r == 0)
        return call_error(c, 404, "Not found in archive");
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, archived(d, &o.image));
}

static int remove_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct one *o = ctx;
    return archive_remove(tx, o->c->engine->documents, o->c->account, o->digest, e);
}

static int delete_image(struct call *c)
{
    struct one o = {.c = c, .digest = call_param(c, "imageDigest")};
    int r = db_run(c->engine->db, DB_WRITE, remove_one, &o, c->err);
    if (r < 0)
        return r;
    if (r == 0)
        return call_error(c, 404, "Not found in archive");
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_obj(d));
}

static int add_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct one *o = ctx;
    return archive_add(tx, o->c->engine->documents, &o->c->arena, o->c->account, o->digest, &o->why,
                       e);
}

static int add_images(struct call *c)
{
    size_t i, n = yyjson_arr_size(c->body);
    yyjson_val *v;
    if (n < 1 || n > 100)
        return call_error(c, 400,
                          "Bad Request. Must include a list of digests between 1 and 100 entries "
                          "long");
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *all = yyjson_mut_arr(d);
    yyjson_arr_foreach(c->body, i, n, v)
    {
        struct one one = {.c = c, .digest = json_text(v)};
        int r = db_run(c->engine->db, DB_WRITE, add_one, &one, c->err);
        if (r < 0)
            return r;
        yyjson_mut_val *o = yyjson_mut_obj(d);
        put_str(d, o, "detail", r == 1 ? STR("Completed successfully") : one.why);
        put_str(d, o, "digest", one.digest);
        put_str(d, o, "status", r ? STR("archived") : STR("error"));
        yyjson_mut_arr_append(all, o);
    }
    return call_send(c, 200, d, all);
}

/* ---- restoring
 * ------------------------------------------------------------------------------------------------
 */

struct restoring {
    struct call *c;
    str digest;
    struct image_record record;
};

static int restore(struct db_tx *tx, void *ctx, struct err *e)
{
    struct restoring *r = ctx;
    struct arena *a = &r->c->arena;
    int rc = archive_restore(tx, r->c->engine->documents, a, r->c->account, r->digest, e);
    return rc < 0 ? rc : image_get(tx, a, r->c->account, r->digest, &r->record, e);
}

int archive_restore_answer(struct call *c, str digest)
{
    struct restoring r = {.c = c, .digest = digest};
    int rc = db_run(c->engine->db, DB_WRITE, restore, &r, c->err);
    if (rc == ERR_CONFLICT) {
        yyjson_mut_doc *d = call_doc(c);
        yyjson_mut_val *o = yyjson_mut_obj(d);
        put_null(d, o, "detail");
        put_int(d, o, "httpcode", 409);
        put_str(d, o, "message",
                STR("Conflict: Image already exists in system. No restore possible"));
        return call_send(c, 409, d, o);
    }
    if (rc == ERR_NOT_FOUND)
        return call_error(c, 404, "Not found in archive");
    return rc < 0 ? rc : image_json_send(c, &r.record);
}

/* ---- rules
 * ----------------------------------------------------------------------------------------------------
 */

static yyjson_mut_val *selector(yyjson_mut_doc *d, str registry, str repository, str tag)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "registry", registry);
    put_str(d, o, "repository", repository);
    put_str(d, o, "tag", tag);
    return o;
}

static yyjson_mut_val *rule_json(yyjson_mut_doc *d, const struct archive_rule *r)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *exclude = yyjson_mut_obj(d);
    put_int(d, o, "analysis_age_days", r->days);
    put_time(d, o, "created_at", r->created);
    put_time(d, o, "last_updated", r->updated);
    if (r->max_images)
        put_int(d, o, "max_images_per_account", r->max_images);
    else
        put_null(d, o, "max_images_per_account");
    put_str(d, o, "rule_id", r->id);
    put_bool(d, o, "system_global", r->global);
    put_int(d, o, "tag_versions_newer", r->newer);
    put_str(d, o, "transition", r->transition);
    yyjson_mut_obj_add_val(d, o, "selector", selector(d, r->registry, r->repository, r->tag));
    put_int(d, exclude, "expiration_days", r->exclude_days);
    yyjson_mut_obj_add_val(d, exclude, "selector",
                           selector(d, r->exclude_registry, r->exclude_repository, r->exclude_tag));
    yyjson_mut_obj_add_val(d, o, "exclude", exclude);
    return o;
}

static int list_rules(struct call *c)
{
    struct listing l = {.c = c};
    int r = db_run(c->engine->db, DB_READ, read_list, &l, c->err);
    if (r < 0)
        return r;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *all = yyjson_mut_arr(d);
    for (size_t i = 0; i < l.n_rules; i++)
        yyjson_mut_arr_append(all, rule_json(d, &l.rules[i]));
    return call_send(c, 200, d, all);
}

struct ruling {
    struct call *c;
    struct archive_rule rule, *found;
    size_t n;
};

static int read_rule(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ruling *r = ctx;
    return archive_rules(tx, &r->c->arena, r->c->account, true, r->rule.id, &r->found, &r->n, e);
}

static int get_rule(struct call *c)
{
    struct ruling ruling = {.c = c, .rule.id = call_param(c, "ruleId")};
    int r = ruling.rule.id.n ? db_run(c->engine->db, DB_READ, read_rule, &ruling, c->err) : 0;
    if (r < 0)
        return r;
    if (ruling.n == 0)
        return call_error(c, 404, "Rule not found");
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, rule_json(d, &ruling.found[0]));
}

static int64_t number(yyjson_val *o, const char *key, int64_t fallback)
{
    yyjson_val *v = json_get(o, key);
    return yyjson_is_int(v) ? yyjson_get_sint(v) : fallback;
}

static str text_or_empty(yyjson_val *o, const char *key)
{
    str s = json_str(o, key);
    return s.p ? s : STR("");
}

static bool is_admin(const struct call *c)
{
    return !str_eq(c->who.account_type, STR("user"));
}

/* 0, or 1 when it has answered why the rule is none. */
static int refuse_rule(struct call *c, const struct archive_rule *r, bool has_max, bool has_more)
{
    if (r->global && !is_admin(c)) {
        call_error(c, 403,
                   "Not authorized. Requires permissions: domain=system "
                   "action=createArchiveTransitionRule target=*");
    } else if (has_max && !r->global) {
        call_error(c, 400, "Cannot set max_images_per_account on a rule that isn't system_global");
    } else if (has_max && has_more) {
        call_error(c, 400,
                   "Cannot set a selector or exclude on a rule with max_images_per_account");
    } else if (!has_max && (!r->registry.n || !r->repository.n || !r->tag.n)) {
        call_error(c, 400, "Selector fields cannot be empty");
    } else {
        return 0;
    }
    return 1;
}

static int write_rule(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ruling *r = ctx;
    int rc = archive_rule_add(tx, &r->rule, e);
    return rc < 0 ? rc : read_rule(tx, ctx, e);
}

static int add_rule(struct call *c)
{
    yyjson_val *b = c->body, *s = json_get(b, "selector"), *x = json_get(b, "exclude");
    yyjson_val *max = json_get(b, "max_images_per_account");
    uint8_t random[16];
    char id[33];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(id, sizeof id, random, sizeof random);
    struct ruling r = {
        .c = c,
        .rule = {
            .account = c->account,
            .id = str_z(id),
            .transition = json_str(b, "transition"),
            .registry = text_or_empty(s, "registry"),
            .repository = text_or_empty(s, "repository"),
            .tag = text_or_empty(s, "tag"),
            .exclude_registry = text_or_empty(json_get(x, "selector"), "registry"),
            .exclude_repository = text_or_empty(json_get(x, "selector"), "repository"),
            .exclude_tag = text_or_empty(json_get(x, "selector"), "tag"),
            .newer = number(b, "tag_versions_newer", -1),
            .days = number(b, "analysis_age_days", -1),
            .exclude_days = number(x, "expiration_days", -1),
            .max_images = number(b, "max_images_per_account", 0),
            .global = yyjson_get_bool(json_get(b, "system_global")),
        }};
    if (refuse_rule(c, &r.rule, yyjson_is_int(max), s || x))
        return 0;
    int rc = db_run(c->engine->db, DB_WRITE, write_rule, &r, c->err);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, rule_json(d, &r.found[0]));
}

static int remove_rule(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ruling *r = ctx;
    return archive_rule_remove(tx, r->c->account, r->rule.id, e);
}

static int delete_rule(struct call *c)
{
    struct ruling r = {.c = c, .rule.id = call_param(c, "ruleId")};
    int rc = db_run(c->engine->db, DB_WRITE, remove_rule, &r, c->err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return call_error(c, 404, "Rule not found");
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_obj(d));
}

const struct operation archive_operations[] = {
    {"list_archives", summary, 0},
    {"list_analysis_archive_rules", list_rules, 0},
    {"create_analysis_archive_rule", add_rule, 0},
    {"get_analysis_archive_rule", get_rule, 0},
    {"delete_analysis_archive_rule", delete_rule, 0},
    {"list_analysis_archive", list_images, 0},
    {"archive_image_analysis", add_images, 0},
    {"get_archived_analysis", get_image, 0},
    {"delete_archived_analysis", delete_image, 0},
    {NULL, NULL, 0},
};
