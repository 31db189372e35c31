#include "policy/pattern.h"

enum { PARTS_MAX = 10000 };

static int compile_expression(str text, struct pattern *out, struct err *e)
{
    struct err why = {0};
    int rc = regex_compile(text, REGEX_UTF | REGEX_ANCHORED, &out->regex, &why);
    if (rc == ERR_NO_MEMORY)
        return err_no_memory(e);
    if (rc < 0)
        out->regex = NULL;
    return 0;
}

int pattern_compile(str text, struct arena *a, struct pattern *out, struct err *e)
{
    static const str prefix = STR_INIT("regexp:");
    *out = (struct pattern){.text = text};
    if (str_starts(str_trim(text), prefix))
        return compile_expression(str_from(str_trim(text), prefix.n), out, e);
    size_t n = 1, used = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '*';
    if (n > PARTS_MAX)
        return 0;
    str *parts = arena_calloc(a, n, sizeof *parts);
    if (!parts)
        return err_no_memory(e);
    for (; used < n; used++)
        parts[used] = str_split(&text, '*');
    out->parts = parts;
    out->n_parts = n;
    return 0;
}

void pattern_done(struct pattern *p)
{
    regex_free(p->regex);
    p->regex = NULL;
}

/* Literals between stars, leftmost first: stars may stand for anything but newlines. */
static bool match_middle(const struct pattern *p, str s)
{
    for (size_t i = 1; i + 1 < p->n_parts; i++) {
        if (!p->parts[i].n)
            continue;
        ptrdiff_t at = str_find(s, p->parts[i]);
        if (at < 0 || str_index(str_sub(s, 0, (size_t)at), '\n') >= 0)
            return false;
        s = str_from(s, (size_t)at + p->parts[i].n);
    }
    return str_index(s, '\n') < 0;
}

static bool match_parts(const struct pattern *p, str s)
{
    str first = p->parts[0], last = p->parts[p->n_parts - 1];
    if (p->n_parts == 1)
        return str_eq(first, s);
    if (s.n < first.n + last.n || !str_starts(s, first) || !str_ends(s, last))
        return false;
    return match_middle(p, str_sub(s, first.n, s.n - last.n));
}

int pattern_match(const struct pattern *p, str subject, struct err *e)
{
    if (p->regex)
        return regex_match(p->regex, subject, e);
    if (!p->parts)
        return err_set(e, ERR_USAGE, "\"%.*s\" is no expression", STR_ARG(p->text));
    if (match_parts(p, subject))
        return 1;
    bool line = subject.n && subject.p[subject.n - 1] == '\n';
    return line && match_parts(p, str_sub(subject, 0, subject.n - 1));
}
