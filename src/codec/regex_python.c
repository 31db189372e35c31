#include "codec/regex_python.h"

struct reader {
    str in;
    size_t at;
    struct buf *out;
    struct buf flags; /* global ones, each once */
    bool ascii;
};

static bool is_hex(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ke_isdigit(s.p[i]) && !(ke_tolower(s.p[i]) >= 'a' && ke_tolower(s.p[i]) <= 'f'))
            return false;
    return true;
}

/* At a backslash. */
static void escape(struct reader *r, bool in_set)
{
    char c = r->at + 1 < r->in.n ? r->in.p[r->at + 1] : '\0';
    size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    str code = str_sub(r->in, r->at + 2, r->at + 2 + digits);
    if (c == 'Z' && !in_set) {
        buf_add(r->out, "\\z", 2);
        r->at += 2;
    } else if (digits && code.n == digits && is_hex(code)) {
        buf_addf(r->out, "\\x{%.*s}", STR_ARG(code));
        r->at += 2 + digits;
    } else {
        buf_add_str(r->out, str_sub(r->in, r->at, r->at + 2));
        r->at += 2;
    }
}

/* At "[". */
static void set(struct reader *r)
{
    buf_add_char(r->out, r->in.p[r->at++]);
    if (r->at < r->in.n && r->in.p[r->at] == '^')
        buf_add_char(r->out, r->in.p[r->at++]);
    if (r->at < r->in.n && r->in.p[r->at] == ']') {
        buf_add(r->out, "\\]", 2);
        r->at++;
    }
    while (r->at < r->in.n && r->in.p[r->at] != ']') {
        char c = r->in.p[r->at];
        if (c == '\\') {
            escape(r, true);
            continue;
        }
        if (c == '[')
            buf_add_char(r->out, '\\');
        buf_add_char(r->out, c);
        r->at++;
    }
    if (r->at < r->in.n)
        buf_add_char(r->out, r->in.p[r->at++]);
}

/* At "(?": flags for the whole are collected and left out. True when they were. */
static bool flags(struct reader *r)
{
    size_t i = r->at + 2;
    while (i < r->in.n && str_index(STR("aiLmsux"), r->in.p[i]) >= 0)
        i++;
    if (i == r->at + 2 || i >= r->in.n || r->in.p[i] != ')')
        return false;
    for (size_t k = r->at + 2; k < i; k++) {
        char c = r->in.p[k];
        r->ascii |= c == 'a';
        if (str_index(STR("imsx"), c) >= 0 && str_index(buf_view(&r->flags), c) < 0)
            buf_add_char(&r->flags, c);
    }
    r->at = i + 1;
    return true;
}

/* At "{": "{,n}" is "{0,n}". */
static void count(struct reader *r)
{
    size_t i = r->at + 2;
    buf_add_char(r->out, '{');
    while (i < r->in.n && ke_isdigit(r->in.p[i]))
        i++;
    bool open = r->at + 1 < r->in.n && r->in.p[r->at + 1] == ',' && i > r->at + 2 && i < r->in.n &&
                r->in.p[i] == '}';
    if (open)
        buf_add_char(r->out, '0');
    r->at++;
}

void regex_from_python(str pattern, struct buf *out, bool *ascii)
{
    auto_buf body;
    struct reader r = {.in = pattern, .out = &body};
    buf_init(&body, out->max);
    buf_init(&r.flags, 16);
    while (r.at < pattern.n) {
        char c = pattern.p[r.at];
        if (c == '\\')
            escape(&r, false);
        else if (c == '[')
            set(&r);
        else if (c == '{')
            count(&r);
        else if (c != '(' || !str_starts(str_from(pattern, r.at), STR("(?")) || !flags(&r))
            buf_add_char(&body, pattern.p[r.at++]);
    }
    if (r.flags.n)
        buf_addf(out, "(?%.*s)", STR_ARG(buf_view(&r.flags)));
    buf_add_str(out, buf_view(&body));
    if (!buf_ok(&body))
        out->failed = true;
    *ascii = r.ascii;
    buf_done(&r.flags);
}
