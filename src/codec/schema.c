#include "codec/schema.h"

#include "base/arena.h"
#include "base/auto.h"
#include "base/map.h"
#include "base/text.h"
#include "base/vec.h"
#include "codec/regex.h"

#include <math.h>

enum { depth_max = 64, repr_max = 4096, where_max = 200 };

struct schema_set {
    yyjson_val *definitions;
    struct map names;    /* "#/definitions/X" -> yyjson_val */
    struct map patterns; /* text -> struct regex */
    struct arena texts;
};

struct where { /* the way from the root, outermost first when printed */
    const struct where *up;
    str key;
    size_t index;
};

struct check {
    const struct schema_set *set;
    struct err *why;
    unsigned depth;
    uint64_t steps; /* of all branches: anyOf in anyOf ... cannot take for ever */
    bool quiet;     /* the message will not be used */
};

static int check_value(struct check *c, yyjson_val *schema, yyjson_val *v, const struct where *w);

/* ---- a set */

static int add_pattern(struct schema_set *s, str pattern, struct err *e)
{
    if (map_get(&s->patterns, pattern))
        return 0;
    struct regex *r;
    int k = regex_compile(pattern, REGEX_UTF, &r, e);
    if (k < 0)
        return err_wrap(e, "pattern %.*s", STR_ARG(pattern));
    if (map_put(&s->patterns, pattern, r))
        return 0;
    regex_free(r);
    return err_no_memory(e);
}

static int find_patterns(struct schema_set *s, yyjson_val *v, unsigned depth, struct err *e)
{
    size_t i, n;
    yyjson_val *key, *item;
    int k = 0;
    if (depth > depth_max)
        return err_set(e, ERR_LIMIT, "the schemas are nested too deeply");
    yyjson_arr_foreach(v, i, n, item)
    {
        if ((k = find_patterns(s, item, depth + 1, e)) < 0)
            return k;
    }
    yyjson_obj_foreach(v, i, n, key, item)
    {
        bool pattern = yyjson_is_str(item) && (str_eq(json_text(key), STR("pattern")) ||
                                               str_eq(json_text(key), STR("x-pattern-too")));
        k = pattern ? add_pattern(s, json_text(item), e) : find_patterns(s, item, depth + 1, e);
        if (k < 0)
            return k;
    }
    return 0;
}

static int find_definitions(struct schema_set *s, struct err *e)
{
    size_t i, n;
    yyjson_val *key, *item;
    yyjson_obj_foreach(s->definitions, i, n, key, item)
    {
        str name = arena_printf(&s->texts, "#/definitions/%.*s", STR_ARG(json_text(key)));
        if (!name.p || !map_put(&s->names, name, item))
            return err_no_memory(e);
    }
    return 0;
}

int schema_set_new(yyjson_val *doc, struct schema_set **out, struct err *e)
{
    struct schema_set *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(e);
    map_init(&s->names);
    map_init(&s->patterns);
    arena_init(&s->texts, (size_t)4 << 20);
    s->definitions = json_get(doc, "definitions");
    int k = find_definitions(s, e);
    if (k == 0)
        k = find_patterns(s, doc, 0, e);
    if (k < 0) {
        schema_set_free(s);
        return k;
    }
    *out = s;
    return 0;
}

void schema_set_free(struct schema_set *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->patterns.cap; i++) {
        if (s->patterns.slots[i].used)
            regex_free(s->patterns.slots[i].value);
    }
    map_done(&s->patterns);
    map_done(&s->names);
    arena_done(&s->texts);
    free(s);
}

/* ---- Python's repr */

static void repr_text(str s, struct buf *out)
{
    char quote = str_index(s, '\'') >= 0 && str_index(s, '"') < 0 ? '"' : '\'';
    buf_add_char(out, quote);
    while (s.n && out->n < repr_max) {
        uint32_t ch = 0;
        size_t used = text_utf8(s, &ch);
        if (!used) {
            used = 1;
            ch = 0xfffd;
        }
        if (ch == '\\' || ch == (unsigned char)quote)
            buf_addf(out, "\\%c", (int)ch);
        else if (ch == '\n' || ch == '\r' || ch == '\t')
            buf_add_str(out, ch == '\n' ? STR("\\n") : ch == '\r' ? STR("\\r") : STR("\\t"));
        else if (ch < ' ' || (ch >= 0x7f && ch <= 0xa0))
            buf_addf(out, "\\x%02x", (unsigned)ch);
        else
            buf_add(out, s.p, used);
        s = str_from(s, used);
    }
    buf_add_char(out, quote);
}

static void repr_value(yyjson_val *v, struct buf *out, unsigned depth);

static void repr_list(yyjson_val *v, struct buf *out, unsigned depth)
{
    size_t i, n;
    yyjson_val *item;
    buf_add_char(out, '[');
    yyjson_arr_foreach(v, i, n, item)
    {
        if (out->n > repr_max)
            return;
        if (i)
            buf_add_str(out, STR(", "));
        repr_value(item, out, depth + 1);
    }
    buf_add_char(out, ']');
}

static void repr_dict(yyjson_val *v, struct buf *out, unsigned depth)
{
    size_t i, n;
    yyjson_val *key, *item;
    buf_add_char(out, '{');
    yyjson_obj_foreach(v, i, n, key, item)
    {
        if (out->n > repr_max)
            return;
        if (i)
            buf_add_str(out, STR(", "));
        repr_text(json_text(key), out);
        buf_add_str(out, STR(": "));
        repr_value(item, out, depth + 1);
    }
    buf_add_char(out, '}');
}

static void repr_real(double d, struct buf *out)
{
    char text[40];
    int digits = 1;
    do {
        snprintf(text, sizeof text, "%.*g", digits, d);
    } while (strtod(text, NULL) != d && ++digits <= 17);
    buf_add_str(out, str_z(text));
    if (!strpbrk(text, ".en"))
        buf_add_str(out, STR(".0"));
}

static void repr_value(yyjson_val *v, struct buf *out, unsigned depth)
{
    if (depth > depth_max || out->n > repr_max)
        return;
    if (yyjson_is_str(v))
        repr_text(json_text(v), out);
    else if (yyjson_is_arr(v))
        repr_list(v, out, depth);
    else if (yyjson_is_obj(v))
        repr_dict(v, out, depth);
    else if (yyjson_is_bool(v))
        buf_add_str(out, yyjson_get_bool(v) ? STR("True") : STR("False"));
    else if (yyjson_is_uint(v))
        buf_addf(out, "%llu", (unsigned long long)yyjson_get_uint(v));
    else if (yyjson_is_sint(v))
        buf_addf(out, "%lld", (long long)yyjson_get_sint(v));
    else if (yyjson_is_real(v))
        repr_real(yyjson_get_real(v), out);
    else
        buf_add_str(out, STR("None"));
}

void schema_repr(yyjson_val *v, struct buf *out)
{
    size_t before = out->n;
    repr_value(v, out, 0);
    if (out->n - before > repr_max)
        out->n = before + repr_max;
}

/* ---- messages */

static void print_where(const struct where *w, struct buf *out)
{
    if (w->up) {
        print_where(w->up, out);
        if (w->up->up)
            buf_add_char(out, '.');
    } else {
        return;
    }
    if (w->key.p)
        buf_add_str(out, str_sub(w->key, 0, 60));
    else
        buf_addf(out, "%zu", w->index);
}

/* "<value> <what><detail> - 'path'"; 0, so that callers return it. */
static int invalid(struct check *c, const struct where *w, yyjson_val *value, const char *what,
                   yyjson_val *detail)
{
    if (c->quiet)
        return 0;
    auto_buf left, right, place;
    buf_init(&left, repr_max * 2);
    buf_init(&right, repr_max * 2);
    buf_init(&place, 64 << 10);
    if (value)
        schema_repr(value, &left);
    if (detail)
        schema_repr(detail, &right);
    print_where(w, &place);
    str at = str_sub(buf_view(&place), 0, where_max);
    size_t used = strlen(what) + right.n + at.n + 8, room = sizeof c->why->text - 1;
    size_t most = used < room ? room - used : 0; /* the rest matters more than a long value */
    err_set(c->why, ERR_USAGE, "%.*s%s%.*s%s%.*s%s", (int)(left.n < most ? left.n : most),
            left.p ? left.p : "", what, (int)right.n, right.p ? right.p : "", at.n ? " - '" : "",
            STR_ARG(at), at.n ? "'" : "");
    return 0;
}

/* ---- keywords: each 1 valid, 0 not, negative broken */

static bool has_type(yyjson_val *v, str type)
{
    if (str_eq(type, STR("object")))
        return yyjson_is_obj(v);
    if (str_eq(type, STR("array")))
        return yyjson_is_arr(v);
    if (str_eq(type, STR("string")))
        return yyjson_is_str(v);
    if (str_eq(type, STR("boolean")))
        return yyjson_is_bool(v);
    if (str_eq(type, STR("number")))
        return yyjson_is_num(v);
    if (str_eq(type, STR("integer")))
        return yyjson_is_int(v);
    if (str_eq(type, STR("null")))
        return yyjson_is_null(v);
    return true;
}

static int key_type(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                    const struct where *w)
{
    if (yyjson_is_str(k))
        return has_type(v, json_text(k)) ? 1 : invalid(c, w, v, " is not of type ", k);
    size_t i, n;
    yyjson_val *one;
    yyjson_arr_foreach(k, i, n, one)
    {
        if (has_type(v, json_text(one)))
            return 1;
    }
    return invalid(c, w, v, " is not of any of the types ", k);
}

static int key_enum(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                    const struct where *w)
{
    size_t i, n;
    yyjson_val *one;
    yyjson_arr_foreach(k, i, n, one)
    {
        if (yyjson_equals(one, v))
            return 1;
    }
    return invalid(c, w, v, " is not one of ", k);
}

static int key_required(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                        const struct where *w)
{
    size_t i, n;
    yyjson_val *one;
    if (!yyjson_is_obj(v))
        return 1;
    yyjson_arr_foreach(k, i, n, one)
    {
        str name = json_text(one);
        if (!yyjson_obj_getn(v, name.p, name.n))
            return invalid(c, w, one, " is a required property", NULL);
    }
    return 1;
}

static int key_properties(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                          const struct where *w)
{
    size_t i, n;
    yyjson_val *name, *sub;
    if (!yyjson_is_obj(v))
        return 1;
    yyjson_obj_foreach(k, i, n, name, sub)
    {
        str key = json_text(name);
        yyjson_val *member = yyjson_obj_getn(v, key.p, key.n);
        struct where below = {w, key, 0};
        int r = member ? check_value(c, sub, member, &below) : 1;
        if (r != 1)
            return r;
    }
    return 1;
}

static int key_additional(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                          const struct where *w)
{
    size_t i, n;
    yyjson_val *name, *member, *known = json_get(schema, "properties");
    if (!yyjson_is_obj(v) || yyjson_is_true(k))
        return 1;
    yyjson_obj_foreach(v, i, n, name, member)
    {
        str key = json_text(name);
        if (yyjson_obj_getn(known, key.p, key.n))
            continue;
        if (yyjson_is_false(k))
            return invalid(c, w, name, " was unexpected: additional properties are not allowed",
                           NULL);
        struct where below = {w, key, 0};
        int r = check_value(c, k, member, &below);
        if (r != 1)
            return r;
    }
    return 1;
}

static int key_items(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                     const struct where *w)
{
    size_t i, n;
    yyjson_val *item;
    if (!yyjson_is_arr(v) || !yyjson_is_obj(k))
        return 1;
    yyjson_arr_foreach(v, i, n, item)
    {
        struct where below = {w, {0}, i};
        int r = check_value(c, k, item, &below);
        if (r != 1)
            return r;
    }
    return 1;
}

static size_t characters(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static int key_min_items(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                         const struct where *w)
{
    bool bad = yyjson_is_arr(v) && yyjson_arr_size(v) < yyjson_get_uint(k);
    return bad ? invalid(c, w, v, " is too short", NULL) : 1;
}

static int key_max_items(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                         const struct where *w)
{
    bool bad = yyjson_is_arr(v) && yyjson_arr_size(v) > yyjson_get_uint(k);
    return bad ? invalid(c, w, v, " is too long", NULL) : 1;
}

static int key_min_length(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                          const struct where *w)
{
    bool bad = yyjson_is_str(v) && characters(json_text(v)) < yyjson_get_uint(k);
    return bad ? invalid(c, w, v, " is too short", NULL) : 1;
}

static int key_max_length(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                          const struct where *w)
{
    bool bad = yyjson_is_str(v) && characters(json_text(v)) > yyjson_get_uint(k);
    return bad ? invalid(c, w, v, " is too long", NULL) : 1;
}

static int key_unique(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                      const struct where *w)
{
    size_t i, j, n, m;
    yyjson_val *a, *b;
    if (!yyjson_is_true(k) || !yyjson_is_arr(v))
        return 1;
    yyjson_arr_foreach(v, i, n, a)
    {
        yyjson_arr_foreach(v, j, m, b)
        {
            if (j >= i)
                break;
            if (++c->steps > 10000000)
                return err_set(c->why, ERR_LIMIT, "the value is too large to be checked");
            if (yyjson_equals(a, b))
                return invalid(c, w, v, " has non-unique elements", NULL);
        }
    }
    return 1;
}

static int key_pattern(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                       const struct where *w)
{
    if (!yyjson_is_str(v))
        return 1;
    const struct regex *r = map_get(&c->set->patterns, json_text(k));
    const struct regex *too = map_get(&c->set->patterns, json_str(schema, "x-pattern-too"));
    struct err e = {0};
    if (too && regex_match(too, json_text(v), &e) == 1)
        return 1;
    int found = r ? regex_match(r, json_text(v), &e) : 1;
    return found == 1 ? 1 : invalid(c, w, v, " does not match ", k);
}

static int key_minimum(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                       const struct where *w)
{
    if (!yyjson_is_num(v))
        return 1;
    double have = yyjson_get_num(v), least = yyjson_get_num(k);
    if (yyjson_is_true(json_get(schema, "exclusiveMinimum")))
        return have > least ? 1 : invalid(c, w, v, " is less than or equal to the minimum of ", k);
    return have >= least ? 1 : invalid(c, w, v, " is less than the minimum of ", k);
}

static int key_maximum(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                       const struct where *w)
{
    if (!yyjson_is_num(v))
        return 1;
    double have = yyjson_get_num(v), most = yyjson_get_num(k);
    if (yyjson_is_true(json_get(schema, "exclusiveMaximum")))
        return have < most ? 1
                           : invalid(c, w, v, " is greater than or equal to the maximum of ", k);
    return have <= most ? 1 : invalid(c, w, v, " is greater than the maximum of ", k);
}

static int key_multiple(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                        const struct where *w)
{
    double by = yyjson_get_num(k);
    if (!yyjson_is_num(v) || by <= 0 || fmod(yyjson_get_num(v), by) == 0)
        return 1;
    return invalid(c, w, v, " is not a multiple of ", k);
}

static int key_format(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                      const struct where *w)
{
    if (!str_eq(json_text(k), STR("int32")) || !yyjson_is_int(v))
        return 1;
    bool fits =
        yyjson_is_uint(v) ? yyjson_get_uint(v) <= INT32_MAX : yyjson_get_sint(v) >= INT32_MIN;
    return fits ? 1 : invalid(c, w, v, " is not a ", k);
}

static int key_all_of(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                      const struct where *w)
{
    size_t i, n;
    yyjson_val *sub;
    yyjson_arr_foreach(k, i, n, sub)
    {
        int r = check_value(c, sub, v, w);
        if (r != 1)
            return r;
    }
    return 1;
}

/* How many of the schemas hold; negative: broken. */
static int count_valid(struct check *c, yyjson_val *k, yyjson_val *v, const struct where *w)
{
    size_t i, n;
    yyjson_val *sub;
    int count = 0;
    bool before = c->quiet;
    c->quiet = true;
    yyjson_arr_foreach(k, i, n, sub)
    {
        int r = check_value(c, sub, v, w);
        if (r < 0)
            return r;
        count += r;
    }
    c->quiet = before;
    return count;
}

static int key_any_of(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                      const struct where *w)
{
    int n = count_valid(c, k, v, w);
    if (n < 0)
        return n;
    return n ? 1 : invalid(c, w, v, " is not valid under any of the given schemas", NULL);
}

static int key_one_of(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                      const struct where *w)
{
    int n = count_valid(c, k, v, w);
    if (n < 0 || n == 1)
        return n;
    return invalid(c, w, v,
                   n ? " is valid under more than one of the given schemas"
                     : " is not valid under any of the given schemas",
                   NULL);
}

static int key_not(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                   const struct where *w)
{
    bool before = c->quiet;
    c->quiet = true;
    int r = check_value(c, k, v, w);
    c->quiet = before;
    if (r < 0)
        return r;
    return r == 0 ? 1 : invalid(c, w, v, " should not be valid under the given schema", NULL);
}

static const struct keyword {
    str name;
    int (*check)(struct check *c, yyjson_val *k, yyjson_val *schema, yyjson_val *v,
                 const struct where *w);
} keywords[] = {
    {STR_INIT("type"), key_type},
    {STR_INIT("enum"), key_enum},
    {STR_INIT("required"), key_required},
    {STR_INIT("properties"), key_properties},
    {STR_INIT("additionalProperties"), key_additional},
    {STR_INIT("items"), key_items},
    {STR_INIT("minItems"), key_min_items},
    {STR_INIT("maxItems"), key_max_items},
    {STR_INIT("uniqueItems"), key_unique},
    {STR_INIT("minLength"), key_min_length},
    {STR_INIT("maxLength"), key_max_length},
    {STR_INIT("pattern"), key_pattern},
    {STR_INIT("minimum"), key_minimum},
    {STR_INIT("maximum"), key_maximum},
    {STR_INIT("multipleOf"), key_multiple},
    {STR_INIT("format"), key_format},
    {STR_INIT("allOf"), key_all_of},
    {STR_INIT("anyOf"), key_any_of},
    {STR_INIT("oneOf"), key_one_of},
    {STR_INIT("not"), key_not},
};

static const struct keyword *find_keyword(str name)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(keywords); i++) {
        if (str_eq(keywords[i].name, name))
            return &keywords[i];
    }
    return NULL;
}

/* ---- one value against one schema */

static yyjson_val *follow(const struct check *c, yyjson_val *schema)
{
    for (unsigned hops = 0; hops < 16; hops++) {
        str ref = json_str(schema, "$ref");
        if (!ref.n)
            return schema;
        schema = map_get(&c->set->names, ref);
    }
    return NULL;
}

static int check_keywords(struct check *c, yyjson_val *schema, yyjson_val *v, const struct where *w)
{
    size_t i, n;
    yyjson_val *name, *value;
    yyjson_obj_foreach(schema, i, n, name, value)
    {
        const struct keyword *k = find_keyword(json_text(name));
        int r = k ? k->check(c, value, schema, v, w) : 1;
        if (r != 1)
            return r;
    }
    return 1;
}

static int check_value(struct check *c, yyjson_val *schema, yyjson_val *v, const struct where *w)
{
    schema = follow(c, schema);
    if (!yyjson_is_obj(schema))
        return err_set(c->why, ERR_FORMAT, "a schema refers to what is not there");
    if (yyjson_is_null(v) && yyjson_is_true(json_get(schema, "x-nullable")))
        return 1;
    if (c->depth == depth_max || ++c->steps > 10000000)
        return err_set(c->why, ERR_LIMIT, "the value is too deep or too large to be checked");
    c->depth++;
    int r = check_keywords(c, schema, v, w);
    c->depth--;
    return r;
}

int schema_check(const struct schema_set *s, yyjson_val *schema, yyjson_val *value, struct err *why)
{
    struct check c = {.set = s, .why = why};
    const struct where root = {0};
    return check_value(&c, schema, value, &root);
}
