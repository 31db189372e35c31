#include "codec/json.h"

#include <stdarg.h>

enum { JSON_DEPTH = 512 };

/* ---- whole documents ---------------------------------------------------------------------------
 */

/* Line and column (both from 1, columns in bytes) of an offset. */
static void json_place(str text, size_t offset, size_t *line, size_t *column)
{
    size_t start = 0;
    *line = 1;
    for (size_t i = 0; i < offset && i < text.n; i++)
        if (text.p[i] == '\n') {
            (*line)++;
            start = i + 1;
        }
    *column = offset - start + 1;
}

static int json_fail(str text, size_t offset, const char *name, int code, const char *what,
                     struct err *e)
{
    size_t line, column;
    json_place(text, offset, &line, &column);
    return err_set(e, code, "%s:%zu:%zu: %s", name, line, column, what);
}

/* Past the string whose opening quote is at `i`; n when it does not end. */
static size_t json_past_string(str text, size_t i)
{
    for (i++; i < text.n; i++) {
        if (text.p[i] == '"')
            return i + 1;
        if (text.p[i] == '\\')
            i++;
    }
    return text.n;
}

static int json_check_depth(str text, const char *name, struct err *e)
{
    size_t depth = 0;
    for (size_t i = 0; i < text.n;) {
        char c = text.p[i];
        if (c == '"') {
            i = json_past_string(text, i);
            continue;
        }
        if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH)
                return json_fail(text, i, name, ERR_LIMIT,
                                 "JSON is nested deeper than the limit of 512 levels", e);
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
        i++;
    }
    return 0;
}

int json_parse(str text, const char *name, yyjson_doc **out, struct err *e)
{
    *out = NULL;
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_from(text, 3);
    int r = json_check_depth(text, name, e);
    if (r < 0)
        return r;
    if (str_trim(text).n == 0)
        return err_set(e, ERR_FORMAT, "%s: is empty, not JSON", name);
    yyjson_read_err bad;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.p, text.n, 0, NULL, &bad);
    if (!doc && bad.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return err_no_memory(e);
    if (!doc)
        return json_fail(text, bad.pos, name, ERR_FORMAT, bad.msg, e);
    *out = doc;
    return 0;
}

str json_text(yyjson_val *v)
{
    return (str){yyjson_get_str(v), yyjson_is_str(v) ? yyjson_get_len(v) : 0};
}

str json_str(yyjson_val *obj, const char *key)
{
    return json_text(json_get(obj, key));
}

yyjson_val *json_get(yyjson_val *obj, const char *key)
{
    return yyjson_obj_get(obj, key);
}

yyjson_val *json_at(yyjson_val *v, ...)
{
    va_list ap;
    va_start(ap, v);
    for (const char *key; v && (key = va_arg(ap, const char *));)
        v = json_get(v, key);
    va_end(ap);
    return v;
}

/* ---- writing ------------------------------------------------------------------------------------
 */

/* Length of the valid UTF-8 character at p (1 to 4), or 0. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : (p[0] >> 5) == 6 ? 2 : (p[0] >> 4) == 14 ? 3 : 4;
    if (len == 1)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4 || len > n)
        return 0;
    uint32_t code = p[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3F);
    }
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code >= least[len] && code <= 0x10FFFF && !surrogate ? len : 0;
}

static void json_put_control(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        buf_add_str(b, STR("\\\""));
        return;
    case '\\':
        buf_add_str(b, STR("\\\\"));
        return;
    case '\n':
        buf_add_str(b, STR("\\n"));
        return;
    case '\r':
        buf_add_str(b, STR("\\r"));
        return;
    case '\t':
        buf_add_str(b, STR("\\t"));
        return;
    default:
        buf_addf(b, "\\u%04x", c);
    }
}

void json_put_string(struct buf *b, str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0, plain = 0;
    buf_add_char(b, '"');
    while (i < s.n) {
        bool escape = p[i] < 0x20 || p[i] == '"' || p[i] == '\\' || p[i] == 0x7F;
        size_t len = utf8_length(p + i, s.n - i);
        if (len && !escape) {
            i += len;
            continue;
        }
        buf_add(b, s.p + plain, i - plain);
        if (escape)
            json_put_control(b, p[i]);
        else
            buf_add_str(b, STR("\xEF\xBF\xBD"));
        plain = ++i;
    }
    if (s.n)
        buf_add(b, s.p + plain, i - plain);
    buf_add_char(b, '"');
}
