#include "codec/json.h"

#include "base/vec.h"

#include <stdlib.h>

/* The tokenizer knows strings, brackets and separators, and no more: what lies inside an element is
 * checked when the caller parses it. */

enum { SEEN_VALUE = 4096, SEEN_MAX = 64, KEY_MAX = 1 << 20 };

struct seen {
    char *key, *value;
};

struct json_pull {
    struct stream *below;
    char *name;
    size_t max_element;
    size_t outer; /* objects open around the container */
    bool is_object, first, ended;
    struct buf key, element;
    VEC(struct seen) seen;
};

static int pull_fail(const struct json_pull *j, const char *what, struct err *e)
{
    return err_set(e, ERR_FORMAT, "%s: at byte %llu: %s", j->name,
                   (unsigned long long)j->below->consumed, what);
}

static int pull_truncated(const struct json_pull *j, struct err *e)
{
    return pull_fail(j, "the JSON text ends in the middle", e);
}

/* The next byte that is not white space, not consumed; -1000 at the end, or a negative code. */
enum { PULL_END = -1000 };
static int pull_peek(struct json_pull *j, struct err *e)
{
    for (;;) {
        const uint8_t *p;
        int64_t n = stream_view(j->below, &p, e);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return PULL_END;
        int64_t i = 0;
        while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t'))
            i++;
        stream_consume(j->below, (size_t)i);
        if (i < n)
            return p[i];
    }
}

/* Consumes `c`, which must come next. */
static int pull_expect(struct json_pull *j, char c, const char *what, struct err *e)
{
    int got = pull_peek(j, e);
    if (got == PULL_END)
        return pull_truncated(j, e);
    if (got < 0)
        return got;
    if (got != c)
        return pull_fail(j, what, e);
    stream_consume(j->below, 1);
    return 0;
}

struct scan {
    size_t depth;
    bool in_string, escaped, started;
};

/* How many of the n bytes belong to the value; *done when it ends with them. */
static size_t scan_bytes(struct scan *s, const uint8_t *p, size_t n, bool *done)
{
    *done = false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = p[i];
        if (s->in_string) {
            if (s->escaped)
                s->escaped = false;
            else if (c == '\\')
                s->escaped = true;
            else if (c == '"')
                s->in_string = false;
            else
                continue;
            if (!s->in_string && s->depth == 0) {
                *done = true;
                return i + 1;
            }
            continue;
        }
        if (c == '"') {
            s->in_string = true;
        } else if (c == '{' || c == '[') {
            s->depth++;
        } else if (c == '}' || c == ']') {
            *done = s->depth <= 1;
            if (s->depth == 0) /* closes what is around a number or a word */
                return i;
            s->depth--;
            if (*done)
                return i + 1;
        } else if (s->depth == 0 && (c == ',' || c <= ' ')) {
            *done = true;
            return i;
        }
    }
    return n;
}

/* Reads the value that comes next, into *to or (NULL) to nowhere. */
static int pull_value(struct json_pull *j, struct buf *to, const char *what, struct err *e)
{
    int c = pull_peek(j, e);
    if (c == PULL_END)
        return pull_truncated(j, e);
    if (c < 0)
        return c;
    if (c == ',' || c == ':' || c == '}' || c == ']')
        return pull_fail(j, "a JSON value is missing", e);
    bool word = c != '"' && c != '{' && c != '[', done = false;
    struct scan scan = {0};
    while (!done) {
        const uint8_t *p;
        int64_t n = stream_view(j->below, &p, e);
        if (n < 0)
            return (int)n;
        if (n == 0) /* a bare word may end with the text */
            return word ? 0 : pull_truncated(j, e);
        size_t used = scan_bytes(&scan, p, (size_t)n, &done);
        if (to && used > to->max - to->n)
            return err_set(e, ERR_LIMIT,
                           "%s: at byte %llu: %s is larger than the limit of %zu bytes", j->name,
                           (unsigned long long)j->below->consumed, what, to->max);
        if (to)
            buf_add(to, p, used);
        stream_consume(j->below, used);
    }
    return to && !buf_ok(to) ? err_no_memory(e) : 0;
}

/* Reads `"key" :`; *key is valid until the next call. */
static int pull_key(struct json_pull *j, str *key, struct err *e)
{
    int c = pull_peek(j, e);
    if (c != '"')
        return c == PULL_END ? pull_truncated(j, e)
               : c < 0       ? c
                             : pull_fail(j, "expected a member name", e);
    buf_clear(&j->key);
    int r = pull_value(j, &j->key, "a member name", e);
    if (r < 0)
        return r;
    str raw = buf_view(&j->key);
    *key = str_sub(raw, 1, raw.n - 1);
    if (memchr(raw.p, '\\', raw.n)) { /* escapes: let the parser resolve them, in place */
        auto_json *doc = NULL;
        r = json_parse(raw, j->name, &doc, e);
        if (r < 0)
            return r;
        str text = json_text(yyjson_doc_get_root(doc));
        buf_clear(&j->key);
        buf_add_str(&j->key, text);
        *key = buf_view(&j->key);
    }
    return pull_expect(j, ':', "expected ':' after a member name", e);
}

/* 1: another element or member follows (separator consumed); 0: the closing bracket was consumed.
 */
static int pull_more(struct json_pull *j, bool first, char close, struct err *e)
{
    int c = pull_peek(j, e);
    if (c == PULL_END)
        return pull_truncated(j, e);
    if (c < 0)
        return c;
    if (c == close) {
        stream_consume(j->below, 1);
        return 0;
    }
    if (first)
        return 1;
    int r = pull_expect(j, ',', "expected ',' or the closing bracket", e);
    if (r < 0)
        return r;
    return pull_peek(j, e) == close ? pull_fail(j, "nothing follows a ','", e) : 1;
}

static int seen_add(struct json_pull *j, str key, str value, struct err *e)
{
    if (j->seen.n >= SEEN_MAX || key.n > SEEN_VALUE || value.n > SEEN_VALUE)
        return 0;
    struct seen *s = vec_push(&j->seen);
    if (!s || !(s->key = strndup(key.p, key.n)) || !(s->value = strndup(value.p, value.n)))
        return err_no_memory(e);
    return 0;
}

/* Passes a member around the container, remembering short strings and numbers. */
static int pull_pass_member(struct json_pull *j, str key, struct err *e)
{
    int c = pull_peek(j, e);
    if (c == '{' || c == '[' || c < 0)
        return pull_value(j, NULL, "", e);
    buf_clear(&j->element);
    int r = pull_value(j, &j->element, "a member", e);
    if (r < 0)
        return r;
    auto_json *doc = NULL;
    r = json_parse(buf_view(&j->element), j->name, &doc, e);
    if (r < 0)
        return r;
    str text = json_text(yyjson_doc_get_root(doc));
    return seen_add(j, key, c == '"' ? text : buf_view(&j->element), e);
}

/* Steps into the member `want` of the object that comes next. */
static int pull_descend(struct json_pull *j, str want, struct err *e)
{
    int r = pull_expect(j, '{', "expected a JSON object", e);
    for (bool first = true; r == 0; first = false) {
        str key;
        int more = pull_more(j, first, '}', e);
        if (more < 0)
            return more;
        if (more == 0)
            return err_set(e, ERR_FORMAT, "%s: has no member \"%.*s\"", j->name, STR_ARG(want));
        r = pull_key(j, &key, e);
        if (r == 0 && str_eq(key, want))
            break;
        if (r == 0)
            r = pull_pass_member(j, key, e);
    }
    j->outer++;
    return r;
}

int json_pull_open(struct stream *below, const char *path, const char *name,
                   const struct json_pull_limits *limits, struct json_pull **out, struct err *e)
{
    struct json_pull *j = calloc(1, sizeof *j);
    *out = NULL;
    if (!j || !(j->name = strdup(name))) {
        free(j);
        return err_no_memory(e);
    }
    j->below = below;
    j->max_element = limits && limits->max_element ? limits->max_element : 256u << 20;
    j->first = true;
    buf_init(&j->key, KEY_MAX);
    buf_init(&j->element, j->max_element);
    int r = 0, c = pull_peek(j, e);
    const uint8_t *p;
    if (c == 0xEF && stream_view(below, &p, e) >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
        stream_consume(below, 3);
    str rest = str_z(path);
    while (r == 0 && rest.n)
        r = pull_descend(j, str_split(&rest, '/'), e);
    if (r == 0) {
        c = pull_peek(j, e);
        j->is_object = c == '{';
        r = c == '{' || c == '[' ? 0
            : c == PULL_END      ? pull_truncated(j, e)
            : c < 0              ? c
                                 : pull_fail(j, "expected a JSON array or object", e);
    }
    if (r < 0) {
        json_pull_close(j);
        return r;
    }
    stream_consume(below, 1);
    *out = j;
    return 0;
}

/* After the container: what is around it must end properly, or the text was cut short. */
static int pull_finish(struct json_pull *j, struct err *e)
{
    for (; j->outer; j->outer--) {
        int more;
        while ((more = pull_more(j, false, '}', e)) == 1) {
            str key;
            int r = pull_key(j, &key, e);
            if (r == 0)
                r = pull_pass_member(j, key, e);
            if (r < 0)
                return r;
        }
        if (more < 0)
            return more;
    }
    int c = pull_peek(j, e);
    if (c != PULL_END)
        return c < 0 ? c : pull_fail(j, "something follows the end of the JSON text", e);
    j->ended = true;
    return 0;
}

int json_pull_next(struct json_pull *j, str *key, str *text, struct err *e)
{
    *key = *text = (str){NULL, 0};
    if (j->ended)
        return 0;
    int more = pull_more(j, j->first, j->is_object ? '}' : ']', e);
    j->first = false;
    if (more <= 0)
        return more < 0 ? more : pull_finish(j, e);
    int r = j->is_object ? pull_key(j, key, e) : 0;
    if (r < 0)
        return r;
    buf_clear(&j->element);
    r = pull_value(j, &j->element, "one element", e);
    if (r < 0)
        return r;
    *text = buf_view(&j->element);
    return 1;
}

str json_pull_seen(const struct json_pull *j, const char *key)
{
    for (size_t i = 0; i < j->seen.n; i++)
        if (strcmp(j->seen.p[i].key, key) == 0)
            return str_z(j->seen.p[i].value);
    return (str){NULL, 0};
}

void json_pull_close(struct json_pull *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->seen.n; i++) {
        free(j->seen.p[i].key);
        free(j->seen.p[i].value);
    }
    vec_done(&j->seen);
    buf_done(&j->key);
    buf_done(&j->element);
    free(j->name);
    free(j);
}
