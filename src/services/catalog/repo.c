#include "services/catalog/repo.h"

#include "base/auto.h"
#include "services/catalog/lookup.h"
#include "services/subscription.h"

str repo_value(struct arena *a, const str *tags, size_t n, bool autosubscribe)
{
    auto_buf b;
    str lookup = n ? tags[0] : STR("latest");

    buf_init(&b, 16 << 20);
    buf_addf(&b, "{\"autosubscribe\": %s, \"repotags\": [", autosubscribe ? "true" : "false");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_str(&b, STR(", "));
        json_put_ascii(&b, tags[i]);
        if (str_eq(tags[i], STR("latest")))
            lookup = tags[i];
    }
    buf_addf(&b, "], \"tagcount\": %zu, \"lookuptag\": ", n);
    json_put_ascii(&b, lookup);
    buf_add_char(&b, '}');
    return buf_ok(&b) ? arena_dup(a, buf_view(&b)) : (str){0};
}

struct post {
    struct call *c;
    str key, value;
    struct subscription *found;
    size_t n;
};

static int subscribe(struct db_tx *tx, void *ctx, struct err *e)
{
    struct post *p = ctx;
    struct call *c = p->c;
    int rc = subscription_list(tx, &c->arena, c->account, p->key, STR("repo_update"), false,
                               &p->found, &p->n, e);
    if (rc < 0 || p->n)
        return rc;
    const struct subscription s = {.account = c->account,
                                   .key = p->key,
                                   .type = STR("repo_update"),
                                   .value = p->value,
                                   .active = true};
    rc = subscription_add(tx, &s, e);
    if (rc < 0)
        return rc;
    return subscription_list(tx, &c->arena, c->account, p->key, STR("repo_update"), false,
                             &p->found, &p->n, e);
}

static int send_record(struct post *p, bool real)
{
    struct call *c = p->c;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d), *o = yyjson_mut_obj(d);
    char id[33];

    subscription_id(c->account, p->key, STR("repo_update"), id);
    put_bool(d, o, "active", real && p->found->active);
    if (real) {
        put_int(d, o, "created_at", p->found->created / 1000000);
        put_int(d, o, "last_updated", p->found->updated / 1000000);
        put_str(d, o, "record_state_key", STR("active"));
        put_null(d, o, "record_state_val");
    }
    put_str(d, o, "subscription_id", str_z(id));
    put_str(d, o, "subscription_key", p->key);
    put_str(d, o, "subscription_type", STR("repo_update"));
    put_str(d, o, "subscription_value", real ? p->found->value : p->value);
    put_str(d, o, "userId", c->account);
    yyjson_mut_arr_append(list, o);
    return call_send(c, 200, d, list);
}

static int no_tags(struct call *c, str repo)
{
    return call_error(c, 404, "no tags could be added from input regrepo (%.*s)", STR_ARG(repo));
}

/* As if its latest tag were meant: that is what the message of a bad character shows. */
static int bad_name(struct call *c, const struct err *why)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *detail = yyjson_mut_obj(d);

    put_str(d, detail, "raw_exception_message", str_z(why->text));
    return call_error_detail(c, 400, STR("cannot handle image input string"), d, detail);
}

int repo_post(struct call *c)
{
    struct post p = {.c = c};
    struct fulltag name;
    struct err why = {0};
    str repo = call_param(c, "regrepo"), *tags = NULL;
    size_t n = 0;
    bool has_tag = str_rindex(repo, ':') > str_rindex(repo, '/') || str_index(repo, '@') >= 0;

    str text = arena_printf(&c->arena, "%.*s%s", STR_ARG(repo), has_tag ? "" : ":latest");
    if (fulltag_parse(text, &c->arena, &name, &why) < 0)
        return bad_name(c, &why);
    if (has_tag ||
        catalog_tags(c->engine, &c->arena, c->account, name.registry, name.repo, &tags, &n, &why) <
            0 ||
        !n)
        return no_tags(c, repo);
    p.key = arena_printf(&c->arena, "%.*s/%.*s", STR_ARG(name.registry), STR_ARG(name.repo));
    p.value = repo_value(&c->arena, tags, n, call_flag(c, "autosubscribe", false));
    if (!p.key.p || !p.value.p)
        return err_no_memory(c->err);
    if (call_flag(c, "dryrun", false))
        return send_record(&p, false);
    int rc = db_run(c->engine->db, DB_WRITE, subscribe, &p, c->err);
    if (rc < 0)
        return rc;
    return p.n ? send_record(&p, true)
               : err_set(c->err, ERR_IO, "the subscription is gone while it is added");
}
