#include "services/router_table.h"

#include "base/text.h"

enum { query_pairs_max = 256 };

/* ---- collecting */

/* What cannot be decoded, or is no text then, stays as it was sent. */
static str decoded(struct call *c, str s)
{
    if (str_index(s, '%') < 0 && str_index(s, '+') < 0)
        return s.p && text_is_utf8(s) ? s : STR("");
    auto_buf text;
    buf_init(&text, s.n + 1);
    if (!httpd_decode(s, true, &text) || !text_is_utf8(buf_view(&text)))
        return text_is_utf8(s) ? s : STR("");
    return arena_dup(&c->arena, buf_view(&text));
}

/* Of a name that occurs twice the last value counts; those of the path are never replaced. */
static void set_param(struct call *c, size_t fixed, str name, str value, bool keep)
{
    for (size_t i = 0; i < c->n_params; i++) {
        if (str_eq(c->params[i].name, name)) {
            if (i >= fixed && !keep)
                c->params[i].value = value;
            return;
        }
    }
    c->params[c->n_params++] = (struct call_param){name, value};
}

static bool is_array(const struct operation_spec *spec, str name)
{
    for (size_t i = 0; spec && i < spec->n_params; i++)
        if (str_eq(spec->params[i].name, name))
            return spec->params[i].type == TYPE_ARRAY;
    return false;
}

/* Of a list that is given twice the first counts, of a single value the last. */
static void collect_pairs(struct call *c, const struct operation_spec *spec, size_t fixed, str text,
                          size_t room)
{
    while (text.n && c->n_params < room) {
        str value = str_split(&text, '&');
        str name = decoded(c, str_split(&value, '='));
        if (name.n)
            set_param(c, fixed, name, decoded(c, value), is_array(spec, name));
    }
}

static str joined(struct call *c, const struct path_parts *p, size_t from)
{
    if (from + 1 == p->n)
        return p->parts[from];
    auto_buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = from; i < p->n; i++) {
        if (i > from)
            buf_add_char(&text, '/');
        buf_add_str(&text, p->parts[i]);
    }
    return arena_dup(&c->arena, buf_view(&text));
}

static bool is_form(str type)
{
    return str_eq_nocase(type, STR("application/x-www-form-urlencoded"));
}

static str media_type(str header)
{
    return str_trim(str_split(&header, ';'));
}

static void add_form(struct call *c, const struct operation_spec *spec, size_t fixed, size_t room)
{
    if (is_form(media_type(c->content_type)))
        collect_pairs(c, spec, fixed, c->raw, room);
    for (size_t i = 0; i < spec->n_params; i++) {
        str content;
        if (spec->params[i].place == IN_FORM && c->n_params < room &&
            multipart_find(c->content_type, c->raw, spec->params[i].name, &content))
            set_param(c, fixed, spec->params[i].name, content, false);
    }
}

static bool has_form(const struct operation_spec *spec)
{
    for (size_t i = 0; i < spec->n_params; i++) {
        if (spec->params[i].place == IN_FORM)
            return true;
    }
    return false;
}

int router_collect(struct call *c, const struct entry *t, const struct path_parts *p, str query)
{
    size_t specs = t->spec ? t->spec->n_params : 0, room = t->n + query_pairs_max;
    c->params = arena_calloc(&c->arena, room + specs, sizeof *c->params);
    if (!c->params)
        return err_no_memory(c->err);
    for (size_t i = 0; i < t->n; i++) {
        if (t->segments[i].kind == SEGMENT_PARAM)
            c->params[c->n_params++] = (struct call_param){t->segments[i].text, p->parts[i]};
        else if (t->segments[i].kind == SEGMENT_REST)
            c->params[c->n_params++] = (struct call_param){t->segments[i].text, joined(c, p, i)};
    }
    size_t fixed = c->n_params;
    collect_pairs(c, t->spec, fixed, query, room);
    if (t->spec && has_form(t->spec))
        add_form(c, t->spec, fixed, room);
    for (size_t i = 0; i < specs; i++) {
        const struct param_spec *s = &t->spec->params[i];
        if (s->place == IN_QUERY && s->fallback.p && !call_param(c, s->name.p).p)
            c->params[c->n_params++] = (struct call_param){s->name, s->fallback};
    }
    return 0;
}

/* ---- checking parameters */

static bool to_json(const struct param_spec *s, str value, struct buf *out)
{
    str v = str_trim(value);
    uint64_t n;
    switch (s->type) {
    case TYPE_BOOLEAN:
        if (!str_eq_nocase(value, STR("true")) && !str_eq_nocase(value, STR("false")))
            return false;
        buf_add_str(out, ke_tolower(value.p[0]) == 't' ? STR("true") : STR("false"));
        return true;
    case TYPE_INTEGER: {
        bool sign = v.n && (v.p[0] == '-' || v.p[0] == '+');
        if (!str_to_u64(sign ? str_from(v, 1) : v, &n) || n > INT64_MAX)
            return false;
        buf_addf(out, "%s%llu", v.p[0] == '-' ? "-" : "", (unsigned long long)n);
        return true;
    }
    case TYPE_NUMBER:
        buf_add_str(out, v);
        return v.n && (ke_isdigit(v.p[0]) || v.p[0] == '-');
    case TYPE_ARRAY:
        buf_add_char(out, '[');
        do {
            str item = str_split(&v, ',');
            json_put_string(out, item);
            buf_add_str(out, v.n ? STR(",") : STR(""));
        } while (v.n);
        buf_add_char(out, ']');
        return true;
    default:
        json_put_string(out, value);
        return true;
    }
}

static const char *place_word(enum param_place p)
{
    return p == IN_QUERY ? "query" : p == IN_PATH ? "path" : "formdata";
}

static int check_param(const struct router *r, struct call *c, const struct param_spec *s)
{
    str value = call_param(c, s->name.p);
    if (!value.p) {
        if (!s->required)
            return 0;
        call_problem(c, 400, "Bad Request", "Missing %s parameter '%.*s'", place_word(s->place),
                     STR_ARG(s->name));
        return 1;
    }
    if (s->type == TYPE_FILE)
        return 0;
    auto_buf text;
    buf_init(&text, value.n * 6 + 64);
    auto_json *doc = NULL;
    if (!to_json(s, value, &text) || json_parse(buf_view(&text), "parameter", &doc, NULL) < 0) {
        call_problem(c, 400, "Bad Request", "Wrong type, expected '%.*s' for %s parameter '%.*s'",
                     STR_ARG(s->type_name), place_word(s->place), STR_ARG(s->name));
        return 1;
    }
    struct err why = {0};
    int k = schema_check(r->schemas, s->schema, yyjson_doc_get_root(doc), &why);
    if (k < 0)
        return err_set(c->err, k, "%s", why.text);
    if (k == 1)
        return 0;
    /* The place inside of a parameter's list is not told. */
    ptrdiff_t place = s->type == TYPE_ARRAY ? str_find(str_z(why.text), STR("] - '")) : -1;
    call_problem(c, 400, "Bad Request", "%.*s", place < 0 ? (int)strlen(why.text) : (int)place + 1,
                 why.text);
    return 1;
}

static int check_params(const struct router *r, struct call *c, const struct operation_spec *spec)
{
    static const enum param_place order[] = {IN_QUERY, IN_PATH, IN_FORM};
    for (size_t o = 0; o < KE_ARRAY_LEN(order); o++) {
        for (size_t i = 0; i < spec->n_params; i++) {
            int k = spec->params[i].place == order[o] ? check_param(r, c, &spec->params[i]) : 0;
            if (k)
                return k;
        }
    }
    return 0;
}

/* ---- checking the body */

static bool is_json(str type)
{
    return str_eq_nocase(type, STR("application/json")) ||
           (type.n > 12 && str_eq_nocase(str_sub(type, 0, 12), STR("application/")) &&
            str_ends(type, STR("+json")));
}

static int not_json(struct call *c)
{
    call_problem(c, 400, "Bad Request", "Request body is not valid JSON");
    return 1;
}

static int check_described(const struct router *r, struct call *c,
                           const struct operation_spec *spec)
{
    str type = media_type(c->content_type);
    if (c->raw.n && !is_json(type)) {
        str title = arena_printf(&c->arena, "Invalid Content-type (%.*s), expected JSON data",
                                 STR_ARG(c->content_type));
        call_problem(c, 415, title.p ? title.p : "Invalid Content-type", NULL);
        return 1;
    }
    bool empty = !c->raw.n;
    if (json_parse(empty ? STR("null") : c->raw, "body", &c->body_doc, NULL) < 0)
        return not_json(c);
    c->body = yyjson_doc_get_root(c->body_doc);
    if (!empty && yyjson_is_null(c->body))
        return not_json(c);
    struct err why = {0};
    int k = schema_check(r->schemas, spec->body, c->body, &why);
    if (k < 0)
        return err_set(c->err, k, "%s", why.text);
    if (k == 1)
        return 0;
    call_problem(c, 400, "Bad Request", "%s", why.text);
    return 1;
}

/* A body that nothing is known about: JSON when it says or can be. */
static int take_free_body(struct call *c, bool strict)
{
    str type = media_type(c->content_type);
    if (!c->raw.n || (type.n && !is_json(type)))
        return 0;
    if (json_parse(c->raw, "body", &c->body_doc, NULL) < 0)
        return strict ? not_json(c) : 0;
    c->body = yyjson_doc_get_root(c->body_doc);
    return 0;
}

int router_check(const struct router *r, struct call *c, const struct entry *t)
{
    int k = 0;
    bool raw = t->flags & ROUTE_RAW;
    if (t->spec && t->spec->body && t->spec->json_only && !raw)
        k = check_described(r, c, t->spec);
    else if (!raw)
        k = take_free_body(c, !t->spec);
    return k || !t->spec ? k : check_params(r, c, t->spec);
}
