#include "services/router_table.h"

#include "base/text.h"

#include "base/vec.h"
#include "services/common.h"
#include "services/swagger_json.h"

/* ---- templates */

static int add_segment(struct router *r, struct entry *t, str part, struct err *e)
{
    if (t->n == 12)
        return err_set(e, ERR_USAGE, "the route %s has too many parts", t->path);
    struct segment *s = &t->segments[t->n++];
    s->text = part;
    if (part.p[0] == '{') {
        s->text = str_sub(part, 1, part.n - 1);
        s->kind = SEGMENT_PARAM;
        if (str_ends(s->text, STR("..."))) {
            s->text.n -= 3;
            s->kind = SEGMENT_REST;
        }
    }
    t->rank |= (uint64_t)s->kind << (2 * (31 - t->n));
    return 0;
}

static bool same_template(const struct entry *a, const struct entry *b)
{
    if (a->n != b->n || a->rank != b->rank || strcmp(a->method, b->method) != 0)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->segments[i].kind == SEGMENT_TEXT &&
            !str_eq(a->segments[i].text, b->segments[i].text))
            return false;
    }
    return true;
}

static const struct entry *find_same(const struct router *r, const struct entry *t)
{
    for (size_t i = 0; i < r->n; i++) {
        if (same_template(&r->entries[i], t))
            return &r->entries[i];
    }
    return NULL;
}

static int new_entry(struct router *r, const struct route *route, struct entry *out, struct err *e)
{
    *out =
        (struct entry){route->method, route->path, .handle = route->handle, .flags = route->flags};
    out->segments = arena_calloc(&r->arena, 12, sizeof *out->segments);
    if (!out->segments)
        return err_no_memory(e);
    str rest = str_z(route->path);
    while (rest.n) {
        str part = str_split(&rest, '/');
        int k = part.n ? add_segment(r, out, part, e) : 0;
        if (k < 0)
            return k;
    }
    return 0;
}

static int append(struct router *r, const struct entry *t, struct err *e)
{
    struct entry *slot = vec_grow((void **)&r->entries, &r->n, &r->cap, sizeof *r->entries);
    if (!slot)
        return err_no_memory(e);
    *slot = *t;
    return 0;
}

static int add_routes(struct router *r, const struct route *routes, unsigned more, struct err *e)
{
    for (const struct route *p = routes; p && p->path; p++) {
        struct entry t;
        int k = new_entry(r, p, &t, e);
        if (k < 0)
            return k;
        if (find_same(r, &t))
            return err_set(e, ERR_USAGE, "there are two routes %s %s", p->method, p->path);
        if (!(t.flags & ROUTE_OPEN))
            t.flags |= more;
        if (strcmp(p->path, "/metrics") == 0 && r->engine->config->metrics_auth_disabled)
            t.flags |= ROUTE_OPEN;
        if ((k = append(r, &t, e)) < 0)
            return k;
    }
    return 0;
}

/* ---- the Swagger document */

static enum param_type type_of(str word)
{
    static const str words[] = {
        [TYPE_STRING] = STR_INIT("string"),   [TYPE_BOOLEAN] = STR_INIT("boolean"),
        [TYPE_INTEGER] = STR_INIT("integer"), [TYPE_NUMBER] = STR_INIT("number"),
        [TYPE_ARRAY] = STR_INIT("array"),     [TYPE_FILE] = STR_INIT("file")};
    for (size_t i = 0; i < KE_ARRAY_LEN(words); i++) {
        if (str_eq(word, words[i]))
            return (enum param_type)i;
    }
    return TYPE_STRING;
}

static str default_of(struct arena *a, yyjson_val *v)
{
    if (yyjson_is_bool(v))
        return yyjson_get_bool(v) ? STR("true") : STR("false");
    if (yyjson_is_int(v))
        return arena_printf(a, "%lld", (long long)yyjson_get_sint(v));
    return yyjson_is_str(v) ? json_text(v) : (str){0};
}

static void read_parameter(struct router *r, yyjson_val *p, struct operation_spec *spec)
{
    str in = json_str(p, "in");
    if (str_eq(in, STR("body"))) {
        spec->body = json_get(p, "schema");
        return;
    }
    if (!in.n || str_eq(in, STR("header")))
        return;
    struct param_spec *to = &spec->params[spec->n_params++];
    to->place = str_eq(in, STR("path")) ? IN_PATH : str_eq(in, STR("query")) ? IN_QUERY : IN_FORM;
    to->name = json_str(p, "name");
    to->type_name = json_str(p, "type");
    to->type = type_of(to->type_name);
    to->required = yyjson_get_bool(json_get(p, "required"));
    to->fallback = default_of(&r->arena, json_get(p, "default"));
    to->schema = p;
}

static bool consumes_json_only(yyjson_val *types)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(types, i, n, v)
    {
        str t = json_text(v);
        if (!str_eq(t, STR("application/json")) && !str_ends(t, STR("+json")))
            return false;
    }
    return true;
}

static int read_operation(struct router *r, yyjson_val *o, struct operation_spec **out,
                          struct err *e)
{
    struct operation_spec *spec = arena_new(&r->arena, struct operation_spec);
    yyjson_val *params = json_get(o, "parameters"), *p;
    size_t i, n;
    if (spec)
        spec->params = arena_calloc(&r->arena, yyjson_arr_size(params) + 1, sizeof *spec->params);
    if (!spec || !spec->params)
        return err_no_memory(e);
    spec->id = json_str(o, "operationId");
    yyjson_val *action = json_get(o, "x-anchore-authz-action");
    spec->action = yyjson_is_str(action) ? json_text(action) : (str){0};
    yyjson_arr_foreach(params, i, n, p)
    {
        read_parameter(r, p, spec);
    }
    spec->json_only = consumes_json_only(json_get(o, "consumes"));
    yyjson_val *security = json_get(o, "security");
    spec->authenticated = !security || yyjson_arr_size(security) > 0;
    *out = spec;
    return 0;
}

static const struct operation *find_handler(const struct service_ops *ops, str id)
{
    for (const struct operation *const *list = ops->operations; list && *list; list++) {
        for (const struct operation *o = *list; o->id; o++) {
            if (str_eq(str_z(o->id), id))
                return o;
        }
    }
    return NULL;
}

static int no_handler(struct call *c)
{
    return call_problem(c, 501, "Not Implemented", "This operation is not implemented.");
}

/* "/registries/{registry}" of a parameter with format path takes slashes too. */
static const char *template_of(struct router *r, yyjson_val *path, yyjson_val *o)
{
    yyjson_val *p, *params = json_get(o, "parameters");
    size_t i, n;
    yyjson_arr_foreach(params, i, n, p)
    {
        if (str_eq(json_str(p, "format"), STR("path"))) {
            str t = json_text(path);
            return arena_printf(&r->arena, "%.*s...}", (int)t.n - 1, t.p).p;
        }
    }
    return arena_dup(&r->arena, json_text(path)).p;
}

static const char *upper_method(str m)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
    for (size_t i = 0; i < KE_ARRAY_LEN(methods); i++) {
        if (str_eq_nocase(m, str_z(methods[i])))
            return methods[i];
    }
    return NULL;
}

static int add_operation(struct router *r, yyjson_val *path, yyjson_val *method, yyjson_val *o,
                         struct err *e)
{
    struct operation_spec *spec = NULL;
    struct route route = {upper_method(json_text(method)), template_of(r, path, o), no_handler, 0};
    int k = read_operation(r, o, &spec, e);
    if (k < 0)
        return k;
    if (!route.method || !route.path)
        return err_set(e, ERR_USAGE, "the API's description has an unknown method");
    const struct operation *bound = find_handler(r->ops, spec->id);
    if (bound) {
        route.handle = bound->handle;
        route.flags = bound->flags;
    }
    if (!spec->authenticated)
        route.flags |= ROUTE_OPEN;
    struct entry t;
    if ((k = new_entry(r, &route, &t, e)) < 0)
        return k;
    if (find_same(r, &t))
        return 0;
    t.spec = spec;
    return append(r, &t, e);
}

static int swagger(struct call *c)
{
    c->plain = true;
    return call_send_text(c, 200, "application/json", (str){swagger_json, swagger_json_size});
}

static const struct route document_routes[] = {{"GET", "/swagger.json", swagger, ROUTE_OPEN}, {0}};

static int add_operations(struct router *r, struct err *e)
{
    int k = json_parse((str){swagger_json, swagger_json_size}, "swagger.json", &r->document, e);
    if (k < 0)
        return k;
    yyjson_val *root = yyjson_doc_get_root(r->document), *path, *item, *method, *o;
    if ((k = schema_set_new(root, &r->schemas, e)) < 0)
        return k;
    size_t i, j, n, m;
    yyjson_obj_foreach(json_get(root, "paths"), i, n, path, item)
    {
        yyjson_obj_foreach(item, j, m, method, o)
        {
            if ((k = add_operation(r, path, method, o, e)) < 0)
                return k;
        }
    }
    return add_routes(r, document_routes, 0, e);
}

static bool in_document(const struct router *r, str id)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->entries[i].spec && str_eq(r->entries[i].spec->id, id))
            return true;
    }
    return false;
}

static int check_handlers(const struct router *r, struct err *e)
{
    for (const struct operation *const *list = r->ops->operations; list && *list; list++) {
        for (const struct operation *o = *list; o->id; o++) {
            if (!in_document(r, str_z(o->id)))
                return err_set(e, ERR_USAGE, "no operation of the API is called %s", o->id);
        }
    }
    return 0;
}

int router_fill(struct router *r, struct err *e)
{
    static const unsigned inner = 1U << SERVICE_CATALOG | 1U << SERVICE_SIMPLEQUEUE |
                                  1U << SERVICE_POLICY_ENGINE | 1U << SERVICE_ANALYZER;
    unsigned own = inner >> r->ops->id & 1 ? ROUTE_INTERNAL : 0;
    int k = add_routes(r, common_routes, 0, e);
    if (k == 0)
        k = add_routes(r, r->ops->routes, own, e);
    if (k < 0 || r->ops->id != SERVICE_APIEXT)
        return k;
    if ((k = add_operations(r, e)) < 0)
        return k;
    return check_handlers(r, e);
}

const char *router_unbound(const struct router *r, size_t *from)
{
    while (*from < r->n) {
        const struct entry *t = &r->entries[(*from)++];
        if (t->handle == no_handler)
            return t->spec->id.p;
    }
    return NULL;
}

/* ---- matching */

static bool other_version(str part)
{
    if (part.n < 2 || part.p[0] != 'v')
        return false;
    for (size_t i = 1; i < part.n; i++) {
        if (!ke_isdigit(part.p[i]))
            return false;
    }
    return true;
}

static bool decode_part(str part, struct arena *a, str *out)
{
    if (str_index(part, '%') < 0) {
        *out = part;
        return text_is_utf8(part);
    }
    auto_buf text;
    buf_init(&text, part.n + 1);
    if (!httpd_decode(part, false, &text) || !text_is_utf8(buf_view(&text)))
        return false;
    *out = arena_dup(a, buf_view(&text));
    return out->p != NULL;
}

void path_split(str path, struct arena *a, struct path_parts *out)
{
    out->n = 0;
    out->bad = false;
    while (path.n && !out->bad) {
        str part = str_split(&path, '/');
        if (!part.n)
            continue;
        if (out->n == route_segments_max || !decode_part(part, a, &out->parts[out->n++]))
            out->bad = true;
    }
    if (out->bad || !out->n || !other_version(out->parts[0]))
        return;
    if (!str_eq(out->parts[0], STR("v1"))) {
        out->bad = true;
        return;
    }
    out->n--;
    memmove(out->parts, out->parts + 1, out->n * sizeof *out->parts);
}

static bool fits(const struct entry *t, const struct path_parts *p)
{
    bool open = t->n && t->segments[t->n - 1].kind == SEGMENT_REST;
    if (open ? p->n < t->n : p->n != t->n)
        return false;
    for (size_t i = 0; i < t->n; i++) {
        if (t->segments[i].kind == SEGMENT_TEXT && !str_eq(t->segments[i].text, p->parts[i]))
            return false;
    }
    return true;
}

static bool lists(str allow, str method)
{
    while (allow.n) {
        if (str_eq(str_trim(str_split(&allow, ',')), method))
            return true;
    }
    return false;
}

static void allow_method(struct arena *a, str *allow, const char *method)
{
    if (lists(*allow, str_z(method)))
        return;
    *allow = arena_printf(a, "%.*s%s%s", STR_ARG(*allow), allow->n ? ", " : "", method);
    if (strcmp(method, "GET") == 0)
        allow_method(a, allow, "HEAD");
}

const struct entry *router_match(const struct router *r, str method, const struct path_parts *p,
                                 struct arena *a, str *allow)
{
    const struct entry *best = NULL;
    str wanted = str_eq(method, STR("HEAD")) ? STR("GET") : method;
    *allow = (str){0};
    for (size_t i = 0; i < r->n && !p->bad; i++) {
        const struct entry *t = &r->entries[i];
        if (fits(t, p) && str_eq(str_z(t->method), wanted) && (!best || t->rank < best->rank))
            best = t;
    }
    for (size_t i = 0; i < r->n && !p->bad && !best; i++) {
        if (fits(&r->entries[i], p))
            allow_method(a, allow, r->entries[i].method);
    }
    if (allow->n)
        allow_method(a, allow, "OPTIONS");
    return best;
}
