#include "base/auto.h"
#include "base/text.h"
#include "services/call.h"

#include <math.h>

enum { deepest = 600, few_members = 32 };

struct writer {
    struct buf *out;
    struct err *e;
};

struct member {
    str key;
    yyjson_mut_val *value;
};

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void put_unit(struct buf *b, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {
        '\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};
    buf_add(b, text, sizeof text);
}

static void put_wide(struct buf *b, uint32_t c)
{
    if (c < 0x10000) {
        put_unit(b, c);
        return;
    }
    c -= 0x10000;
    put_unit(b, 0xd800 + (c >> 10));
    put_unit(b, 0xdc00 + (c & 0x3ff));
}

static void put_ascii(struct buf *b, char c)
{
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    const char *at = c ? memchr(from, c, sizeof from - 1) : NULL;
    if (at) {
        buf_add_char(b, '\\');
        buf_add_char(b, to[at - from]);
    } else {
        put_unit(b, (unsigned char)c);
    }
}

static bool plain(char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

void json_put_ascii(struct buf *b, str s)
{
    buf_add_char(b, '"');
    while (s.n) {
        size_t n = 0;
        while (n < s.n && plain(s.p[n]))
            n++;
        buf_add(b, s.p, n);
        s = str_from(s, n);
        if (!s.n)
            break;
        uint32_t c;
        size_t used = (unsigned char)s.p[0] < 0x80 ? 0 : text_utf8(s, &c);
        if (used)
            put_wide(b, c);
        else if ((unsigned char)s.p[0] < 0x80)
            put_ascii(b, s.p[0]);
        else
            put_unit(b, 0xfffd);
        s = str_from(s, used ? used : 1);
    }
    buf_add_char(b, '"');
}

/* The shortest digits that read back as the same number, with an exponent only where Python's repr
 * has one. */
static void put_real(struct buf *b, double d)
{
    char text[40];
    if (!isfinite(d)) {
        buf_add_str(b, isnan(d) ? STR("NaN") : d > 0 ? STR("Infinity") : STR("-Infinity"));
        return;
    }
    int precision = 1;
    do {
        snprintf(text, sizeof text, "%.*e", precision - 1, d);
    } while (strtod(text, NULL) != d && ++precision <= 17);
    long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) {
        buf_add_str(b, str_z(text));
        return;
    }
    int decimals = precision - 1 - (int)exponent;
    buf_addf(b, "%.*f", decimals < 1 ? 1 : decimals, d);
}

static void put_line(struct buf *b, unsigned depth)
{
    buf_add_char(b, '\n');
    for (unsigned i = 0; i < depth; i++)
        buf_add(b, "  ", 2);
}

static int put_value(struct writer *w, yyjson_mut_val *v, unsigned depth);

static int put_array(struct writer *w, yyjson_mut_val *v, unsigned depth)
{
    if (!yyjson_mut_arr_size(v)) {
        buf_add_str(w->out, STR("[]"));
        return 0;
    }
    char sep = '[';
    size_t i, n;
    yyjson_mut_val *item;
    yyjson_mut_arr_foreach(v, i, n, item)
    {
        buf_add_char(w->out, sep);
        sep = ',';
        put_line(w->out, depth + 1);
        int r = put_value(w, item, depth + 1);
        if (r < 0)
            return r;
    }
    put_line(w->out, depth);
    buf_add_char(w->out, ']');
    return 0;
}

static int put_members(struct writer *w, struct member *members, size_t n, unsigned depth)
{
    qsort(members, n, sizeof *members, by_key);
    char sep = '{';
    for (size_t i = 0; i < n; i++) {
        buf_add_char(w->out, sep);
        sep = ',';
        put_line(w->out, depth + 1);
        json_put_ascii(w->out, members[i].key);
        buf_add(w->out, ": ", 2);
        int r = put_value(w, members[i].value, depth + 1);
        if (r < 0)
            return r;
    }
    put_line(w->out, depth);
    buf_add_char(w->out, '}');
    return 0;
}

static int put_object(struct writer *w, yyjson_mut_val *v, unsigned depth)
{
    size_t count = yyjson_mut_obj_size(v), i, n;
    if (!count) {
        buf_add_str(w->out, STR("{}"));
        return 0;
    }
    struct member few[few_members], *members = few;
    autofree struct member *many = NULL;
    if (count > few_members) {
        members = many = calloc(count, sizeof *many);
        if (!many)
            return err_no_memory(w->e);
    }
    yyjson_mut_val *key, *value;
    yyjson_mut_obj_foreach(v, i, n, key, value)
    {
        members[i] = (struct member){{yyjson_mut_get_str(key), yyjson_mut_get_len(key)}, value};
    }
    return put_members(w, members, count, depth);
}

static void put_scalar(struct buf *b, yyjson_mut_val *v)
{
    if (yyjson_mut_is_str(v))
        json_put_ascii(b, (str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)});
    else if (yyjson_mut_is_bool(v))
        buf_add_str(b, yyjson_mut_get_bool(v) ? STR("true") : STR("false"));
    else if (yyjson_mut_is_uint(v))
        buf_addf(b, "%llu", (unsigned long long)yyjson_mut_get_uint(v));
    else if (yyjson_mut_is_sint(v))
        buf_addf(b, "%lld", (long long)yyjson_mut_get_sint(v));
    else if (yyjson_mut_is_real(v))
        put_real(b, yyjson_mut_get_real(v));
    else if (yyjson_mut_is_raw(v))
        buf_add(b, yyjson_mut_get_raw(v), yyjson_mut_get_len(v));
    else
        buf_add_str(b, STR("null"));
}

static int put_value(struct writer *w, yyjson_mut_val *v, unsigned depth)
{
    if (depth > deepest)
        return err_set(w->e, ERR_LIMIT, "the answer is nested deeper than %d levels", deepest);
    if (yyjson_mut_is_obj(v))
        return put_object(w, v, depth);
    if (yyjson_mut_is_arr(v))
        return put_array(w, v, depth);
    put_scalar(w->out, v);
    return 0;
}

int json_pretty_at(yyjson_mut_val *v, unsigned depth, struct buf *out, struct err *e)
{
    struct writer w = {out, e};
    return put_value(&w, v, depth);
}

int json_pretty(yyjson_mut_val *root, struct buf *out, struct err *e)
{
    int r = json_pretty_at(root, 0, out, e);
    if (r < 0)
        return r;
    buf_add_char(out, '\n');
    return buf_check(out, "the answer", e);
}
