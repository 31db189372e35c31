#include "services/call.h"

#include <stdarg.h>

static const char json_type[] = "application/json";
static const char problem_type[] = "application/problem+json";
static const size_t answer_max = (size_t)512 << 20;

/* ---- parameters */

str call_param(const struct call *c, const char *name)
{
    str want = str_z(name);
    for (size_t i = 0; i < c->n_params; i++) {
        if (str_eq(c->params[i].name, want))
            return c->params[i].value;
    }
    return (str){0};
}

bool call_flag(const struct call *c, const char *name, bool fallback)
{
    str v = call_param(c, name);
    if (str_eq_nocase(v, STR("true")))
        return true;
    return str_eq_nocase(v, STR("false")) ? false : fallback;
}

int64_t call_int(const struct call *c, const char *name, int64_t fallback)
{
    str v = call_param(c, name);
    bool negative = v.n && v.p[0] == '-';
    uint64_t n;
    if (!str_to_u64(negative ? str_from(v, 1) : v, &n) || n > INT64_MAX)
        return fallback;
    return negative ? -(int64_t)n : (int64_t)n;
}

/* ---- documents in the call's arena */

static void *arena_json_malloc(void *ctx, size_t size)
{
    return arena_alloc(ctx, size);
}

static void *arena_json_realloc(void *ctx, void *old, size_t old_size, size_t size)
{
    void *p = arena_alloc(ctx, size);
    if (p && old)
        memcpy(p, old, old_size < size ? old_size : size);
    return p;
}

static void arena_json_free(void *ctx, void *p)
{
}

yyjson_mut_doc *call_doc(struct call *c)
{
    const yyjson_alc alc = {arena_json_malloc, arena_json_realloc, arena_json_free, &c->arena};
    return yyjson_mut_doc_new(&alc);
}

/* ---- answers */

static struct buf *answer_of(struct call *c)
{
    if (!c->answer.max)
        buf_init(&c->answer, answer_max);
    buf_clear(&c->answer);
    return &c->answer;
}

static int send_json(struct call *c, int status, const char *type, yyjson_mut_val *root)
{
    if (!root)
        return err_no_memory(c->err);
    int r = json_pretty(root, answer_of(c), c->err);
    if (r < 0)
        return r;
    c->status = status;
    c->answer_type = type;
    return 0;
}

int call_send(struct call *c, int status, yyjson_mut_doc *doc, yyjson_mut_val *root)
{
    if (c->arena.full)
        return err_set(c->err, ERR_NO_MEMORY,
                       "the answer needs more memory than a request may use");
    return send_json(c, status, json_type, root);
}

int call_send_text(struct call *c, int status, const char *content_type, str text)
{
    struct buf *out = answer_of(c);
    buf_add_str(out, text);
    c->status = status;
    c->answer_type = content_type;
    return buf_check(out, "the answer", c->err);
}

struct buf *call_text(struct call *c)
{
    return answer_of(c);
}

int call_text_end(struct call *c, int status, const char *content_type)
{
    c->status = status;
    c->answer_type = content_type;
    return buf_check(&c->answer, "the answer", c->err);
}

int call_empty(struct call *c, int status)
{
    answer_of(c);
    c->status = status;
    c->answer_type = json_type;
    return 0;
}

static str vtext(struct call *c, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *p = n < 0 ? NULL : arena_alloc(&c->arena, (size_t)n + 1);
    if (!p)
        return (str){0};
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    return (str){p, (size_t)n};
}

int call_error(struct call *c, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    str message = vtext(c, fmt, ap);
    va_end(ap);
    return call_error_detail(c, status, message, NULL, NULL);
}

int call_error_detail(struct call *c, int status, str message, yyjson_mut_doc *doc,
                      yyjson_mut_val *detail)
{
    yyjson_mut_doc *d = doc ? doc : call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    if (!detail)
        detail = yyjson_mut_obj(d);
    if (yyjson_mut_is_obj(detail) && !yyjson_mut_obj_get(detail, "error_codes"))
        yyjson_mut_obj_add_val(d, detail, "error_codes", yyjson_mut_arr(d));
    yyjson_mut_obj_add_val(d, root, "detail", detail);
    put_int(d, root, "httpcode", status);
    put_str(d, root, "message", message.p ? message : STR(""));
    return send_json(c, status, json_type, root);
}

int call_problem(struct call *c, int status, const char *title, const char *fmt, ...)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    str detail = {0};
    if (fmt) {
        va_list ap;
        va_start(ap, fmt);
        detail = vtext(c, fmt, ap);
        va_end(ap);
    }
    put_str(d, root, "detail", detail);
    put_int(d, root, "status", status);
    put_str(d, root, "title", str_z(title));
    put_str(d, root, "type", STR("about:blank"));
    return send_json(c, status, problem_type, root);
}

/* ---- members */

void put_str(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, str v)
{
    yyjson_mut_val *k = yyjson_mut_strcpy(d, key);
    yyjson_mut_obj_add(o, k, v.p ? yyjson_mut_strncpy(d, v.p, v.n) : yyjson_mut_null(d));
}

void put_int(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, int64_t v)
{
    yyjson_mut_obj_add(o, yyjson_mut_strcpy(d, key), yyjson_mut_sint(d, v));
}

void put_bool(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, bool v)
{
    yyjson_mut_obj_add(o, yyjson_mut_strcpy(d, key), yyjson_mut_bool(d, v));
}

void put_null(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key)
{
    yyjson_mut_obj_add(o, yyjson_mut_strcpy(d, key), yyjson_mut_null(d));
}

void put_json(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, str json_text)
{
    auto_json *doc = NULL;
    if (json_text.n && json_parse(json_text, key, &doc, NULL) == 0)
        yyjson_mut_obj_add(o, yyjson_mut_strcpy(d, key),
                           yyjson_val_mut_copy(d, yyjson_doc_get_root(doc)));
    else
        put_null(d, o, key);
}

void put_time(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, int64_t us)
{
    struct arena a;
    arena_init(&a, 64 << 10);
    put_str(d, o, key, us ? time_text(&a, us) : (str){0});
    arena_done(&a);
}
