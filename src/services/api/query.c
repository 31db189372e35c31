/* query.c - /query: what the data say about vulnerabilities, and which images have what; in pages.
 *
 * Without a limit all is on page 1, in the policy engine's order. */
#include "base/vec.h"
#include "services/api/policy_engine.h"
#include "services/image.h"

struct page {
    int64_t number, limit; /* limit 0: all */
    size_t from, to, total;
};

/* ---- pages -------------------------------------------------------------------------------------
 */

/* 1, or an answer was given: 0 or negative. */
static int page_of(struct call *c, struct page *p)
{
    str text = call_param(c, "page");
    uint64_t number = 1;
    bool negative = text.n > 1 && text.p[0] == '-';
    if (text.p && !str_to_u64(negative ? str_from(text, 1) : text, &number))
        return call_error(c, 400, "page must be an integer, not '%.*s'",
                          STR_ARG(str_sub(text, 0, 200)));
    p->number = negative || number < 1 ? 1 : number > INT32_MAX ? INT32_MAX : (int64_t)number;
    p->limit = call_int(c, "limit", 0);
    if (p->limit > INT32_MAX)
        p->limit = INT32_MAX;
    return 1;
}

static void page_bounds(struct page *p, size_t total)
{
    p->total = total;
    p->from = 0;
    p->to = total;
    if (p->limit > 0) {
        uint64_t from = (uint64_t)(p->number - 1) * (uint64_t)p->limit;
        p->from = from < total ? (size_t)from : total;
        p->to = total - p->from < (uint64_t)p->limit ? total : p->from + (size_t)p->limit;
    } else if (p->limit < 0) { /* all but so many of the last */
        uint64_t less = (uint64_t)-p->limit;
        p->to = less < total ? total - (size_t)less : 0;
    }
}

struct item {
    yyjson_val *val;
    str key;
};

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

/* Adds an element to the page's list. */
typedef int item_fn(struct call *c, yyjson_mut_doc *d, yyjson_mut_val *list, yyjson_val *item);

static int send_page(struct call *c, struct page *p, const char *key, struct item *items, size_t n,
                     item_fn *add)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d), *list = yyjson_mut_arr(d);
    char number[24];
    int r = 0;
    page_bounds(p, n);
    for (size_t i = p->from; r >= 0 && i < p->to; i++)
        r = add(c, d, list, items[i].val);
    if (r < 0)
        return r;
    snprintf(number, sizeof number, "%lld", (long long)p->number);
    put_str(d, root, "page", str_z(number));
    put_int(d, root, "returned_count", (int64_t)(p->to - p->from));
    put_int(d, root, "total_count", (int64_t)n);
    yyjson_mut_obj_add_val(d, root, key, list);
    if (p->limit > 0 && p->to < n) {
        snprintf(number, sizeof number, "%lld", (long long)p->number + 1);
        put_str(d, root, "next_page", str_z(number));
    }
    return call_send(c, 200, d, root);
}

/* Fills items with the list's elements, sorted when there is a limit. */
static int order_items(struct call *c, yyjson_val *list, const struct page *p, bool images,
                       struct item *items)
{
    size_t i, n;
    yyjson_val *val;
    yyjson_arr_foreach(list, i, n, val)
    {
        items[i].val = val;
        items[i].key = json_str(val, "imageDigest");
        if (!p->limit || images)
            continue;
        size_t length;
        char *text = yyjson_val_write(val, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &length);
        items[i].key = arena_dup(&c->arena, (str){text, text ? length : 0});
        free(text);
    }
    if (p->limit && n > 1)
        qsort(items, n, sizeof *items, by_key);
    return c->arena.full ? err_no_memory(c->err) : 0;
}

static int ask_and_page(struct call *c, const char *path, const char *key, item_fn *add)
{
    auto_buf body = {0};
    auto_json *doc = NULL;
    struct page page = {0};
    int status = 0;
    int r = page_of(c, &page);
    if (r != 1)
        return r;
    r = policy_engine_ask(c, "GET", path, &status, &body);
    if (r == 0 && status != 200)
        return call_send_text(c, status, "application/json", buf_view(&body));
    if (r == 0)
        r = json_parse(buf_view(&body), "the policy engine's answer", &doc, c->err);
    if (r < 0)
        return r;
    yyjson_val *list = json_get(yyjson_doc_get_root(doc), key);
    size_t n = yyjson_arr_size(list);
    struct item *items = arena_calloc(&c->arena, n + 1, sizeof *items);
    r = items ? order_items(c, list, &page, strcmp(key, "images") == 0, items)
              : err_no_memory(c->err);
    return r < 0 ? r : send_page(c, &page, key, items, n, add);
}

/* ---- elements ----------------------------------------------------------------------------------
 */

static int add_as_it_is(struct call *c, yyjson_mut_doc *d, yyjson_mut_val *list, yyjson_val *item)
{
    yyjson_mut_arr_append(list, yyjson_val_mut_copy(d, item));
    return 0;
}

struct lookup {
    struct call *c;
    str digest;
    struct image_record record;
    int found;
};

static int read_image(struct db_tx *tx, void *ctx, struct err *e)
{
    struct lookup *l = ctx;
    l->found = image_get(tx, &l->c->arena, l->c->account, l->digest, &l->record, e);
    return l->found;
}

static void put_image(yyjson_mut_doc *d, yyjson_mut_val *o, const struct image_record *r)
{
    put_str(d, o, "imageDigest", r->digest);
    put_str(d, o, "imageId", r->id);
    put_time(d, o, "analyzed_at", r->analyzed);
    yyjson_mut_val *history = yyjson_mut_obj_add_arr(d, o, "tag_history");
    for (size_t i = 0; i < r->n_tags; i++) {
        yyjson_mut_val *t = yyjson_mut_arr_add_obj(d, history);
        put_str(d, t, "fulltag", r->tags[i].fulltag);
        put_str(d, t, "registry", r->tags[i].registry);
        put_str(d, t, "repo", r->tags[i].repo);
        put_str(d, t, "tag", r->tags[i].tag);
        put_time(d, t, "tag_detected_at", r->tags[i].detected);
    }
}

static int add_image(struct call *c, yyjson_mut_doc *d, yyjson_mut_val *list, yyjson_val *item)
{
    static const char *const members[] = {"packages", "vulnerable_packages"};
    struct lookup l = {.c = c, .digest = json_str(item, "imageDigest")};
    int r = db_run(c->engine->db, DB_READ, read_image, &l, c->err);
    if (r < 0)
        return r;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    yyjson_mut_val *image = yyjson_mut_obj_add_obj(d, o, "image");
    if (l.found)
        put_image(d, image, &l.record);
    else
        put_str(d, image, "imageDigest", l.digest);
    for (size_t i = 0; i < KE_ARRAY_LEN(members); i++) {
        yyjson_val *v = json_get(item, members[i]);
        if (v)
            yyjson_mut_obj_add_val(d, o, members[i], yyjson_val_mut_copy(d, v));
    }
    return 0;
}

/* ---- operations --------------------------------------------------------------------------------
 */

static int query_vulnerabilities(struct call *c)
{
    auto_buf path;
    buf_init(&path, 1 << 20);
    buf_add_str(&path, STR("/query/vulnerabilities?of=all"));
    policy_engine_param(c, &path, "id");
    policy_engine_param(c, &path, "affected_package");
    policy_engine_param(c, &path, "affected_package_version");
    policy_engine_param(c, &path, "namespace");
    return ask_and_page(c, buf_z(&path), "vulnerabilities", add_as_it_is);
}

static int query_images(struct call *c, const char *what, const char *const *params)
{
    auto_buf path;
    buf_init(&path, 1 << 20);
    buf_add_str(&path, STR("/users/"));
    policy_engine_escape(&path, c->account);
    buf_addf(&path, "/query/images/%s?of=all", what);
    for (; *params; params++)
        policy_engine_param(c, &path, *params);
    return ask_and_page(c, buf_z(&path), "images", add_image);
}

static int query_by_vulnerability(struct call *c)
{
    static const char *const params[] = {"vulnerability_id", "namespace",   "affected_package",
                                         "severity",         "vendor_only", NULL};
    return query_images(c, "by_vulnerability", params);
}

static int query_by_package(struct call *c)
{
    static const char *const params[] = {"name", "version", "package_type", NULL};
    return query_images(c, "by_package", params);
}

const struct operation query_operations[] = {
    {"query_vulnerabilities", query_vulnerabilities, ROUTE_SLOW},
    {"query_images_by_vulnerability", query_by_vulnerability, ROUTE_SLOW},
    {"query_images_by_package", query_by_package, ROUTE_SLOW},
    {0},
};
