/* ruby.c - specifications of installed gems.
 *
 * Format: Ruby source as Gem::Specification#to_ruby writes it (RubyGems), or written by hand. It is
 * not run: a small scanner knows comments and string literals, and picks assignments to attributes
 * whose value is a literal. What it cannot read so (a constant, an interpolation) is taken from the
 * "# stub:" line, then from the file's name. */
#include "packages/cataloguer.h"

#include "packages/licence.h"

enum { FILE_MAX = 4 << 20, VALUES_MAX = 8, LICENCE_TEXT_MAX = 300 };

static bool ruby_wants(str path, uint64_t size, uint32_t mode)
{
    if (!str_ends(path, STR(".gemspec")))
        return false;
    return str_starts(path, STR("specifications/")) || str_contains(path, STR("/specifications/"));
}

struct gem {
    str name, version, author;
    str licences[VALUES_MAX];
    size_t n_licences;
};

/* ---- Ruby's literals ----------------------------------------------------------------------------
 */

struct scanner {
    const char *p, *end;
};

static bool is_word(char c)
{
    return ke_isalnum(c) || c == '_';
}

static char closing(char open)
{
    switch (open) {
    case '(':
        return ')';
    case '<':
        return '>';
    case '[':
        return ']';
    case '{':
        return '}';
    default:
        return open;
    }
}

/* Passes a literal whose opening delimiter was just read. False when it does not end. *out is its
 * text when it is plain: without escapes and interpolation. */
static bool literal_body(struct scanner *s, char open, bool interpolates, str *out)
{
    char close = closing(open);
    const char *start = s->p;
    bool plain = true;
    int depth = 1;
    for (; s->p < s->end; s->p++) {
        char c = *s->p;
        if (c == '\\' && s->p + 1 < s->end) {
            s->p++;
            plain = false;
        } else if (c == '#' && interpolates && s->p + 1 < s->end && s->p[1] == '{') {
            plain = false;
        } else if (c == close && --depth == 0) {
            *out = plain ? (str){start, (size_t)(s->p - start)} : (str){0};
            s->p++;
            return true;
        } else if (c == open && open != close) {
            depth++;
        }
    }
    return false;
}

/* A string literal at the scanner: "x", 'x', %q<x>, %Q(x), %(x). 1: passed, 0: none here, -1: it
 * does not end (the scanner is then at the end). */
static int literal(struct scanner *s, str *out)
{
    char c = s->p < s->end ? *s->p : 0;
    *out = (str){0};
    if (c == '"' || c == '\'') {
        s->p++;
        return literal_body(s, c, c == '"', out) ? 1 : -1;
    }
    if (c != '%' || s->end - s->p < 3)
        return 0;
    const char *q = s->p + 1;
    bool interpolates = *q != 'q';
    if (*q == 'q' || *q == 'Q')
        q++;
    if (is_word(*q) || ke_isspace(*q) || *q == '=')
        return 0;
    s->p = q + 1;
    return literal_body(s, *q, interpolates, out) ? 1 : -1;
}

static void skip_line(struct scanner *s)
{
    const char *nl = memchr(s->p, '\n', (size_t)(s->end - s->p));
    s->p = nl ? nl : s->end;
}

/* The string literals of one value: up to the end of the line, or of the array that it opens. */
static size_t value_literals(struct scanner *s, str values[VALUES_MAX])
{
    size_t n = 0;
    int depth = 0;
    while (s->p < s->end) {
        str text;
        char c = *s->p;
        if ((c == '\n' || c == ';') && depth <= 0)
            break;
        if (c == '#') {
            skip_line(s);
            continue;
        }
        int r = literal(s, &text);
        if (r < 0)
            break;
        if (r > 0) {
            if (text.n && n < VALUES_MAX)
                values[n++] = text;
            continue;
        }
        depth += c == '[' || c == '(';
        depth -= c == ']' || c == ')';
        s->p++;
        /* a modifier: what follows is a condition, not the value */
        if (depth <= 0 && ke_isspace(c) && s->end - s->p > 3 && memcmp(s->p, "if ", 3) == 0) {
            skip_line(s);
            break;
        }
    }
    return n;
}

/* ---- assignments --------------------------------------------------------------------------------
 */

static bool version_like(str v)
{
    if (v.n == 0 || !ke_isdigit(v.p[0]))
        return false;
    for (size_t i = 0; i < v.n; i++)
        if (!ke_isalnum(v.p[i]) && v.p[i] != '.' && v.p[i] != '-' && v.p[i] != '_')
            return false;
    return true;
}

static void attribute_set(struct gem *g, str attribute, struct scanner *s)
{
    str values[VALUES_MAX];
    size_t n = value_literals(s, values);
    if (n == 0)
        return;
    if (str_eq(attribute, STR("name")) && g->name.n == 0)
        g->name = values[0];
    else if (str_eq(attribute, STR("version")) && g->version.n == 0 && version_like(values[0]))
        g->version = values[0];
    else if ((str_eq(attribute, STR("author")) || str_eq(attribute, STR("authors"))) &&
             g->author.n == 0)
        g->author = str_sub(values[0], 0, LICENCE_TEXT_MAX);
    else if ((str_eq(attribute, STR("license")) || str_eq(attribute, STR("licenses"))) &&
             g->n_licences == 0)
        for (size_t i = 0; i < n; i++)
            g->licences[g->n_licences++] = values[i];
}

/* At a word: `var.attribute = value` is noted, anything else is passed. */
static void word(struct gem *g, struct scanner *s, bool fresh)
{
    const char *start = s->p;
    while (s->p < s->end && is_word(*s->p))
        s->p++;
    if (!fresh || !ke_isalpha(*start) || s->p == s->end || *s->p != '.')
        return;
    const char *name = ++s->p;
    while (s->p < s->end && is_word(*s->p))
        s->p++;
    str attribute = {name, (size_t)(s->p - name)};
    const char *q = s->p;
    while (q < s->end && (*q == ' ' || *q == '\t'))
        q++;
    if (s->end - q < 2 || *q != '=' || q[1] == '=' || q[1] == '~' || q[1] == '>')
        return;
    s->p = q + 1;
    attribute_set(g, attribute, s);
}

static void gemspec_scan(str text, struct gem *g)
{
    struct scanner s = {text.p, text.p + text.n};
    char before = '\n';
    while (s.p < s.end) {
        str ignored;
        char c = *s.p;
        if (c == '#') {
            skip_line(&s);
        } else if (is_word(c)) {
            word(g, &s, before != '.' && before != '@' && before != ':' && before != '$');
        } else if (literal(&s, &ignored) == 0) {
            s.p++;
        }
        before = s.p > text.p ? s.p[-1] : '\n';
    }
}

/* "# stub: rake 13.0.3 ruby lib" */
static void gemspec_stub(str text, struct gem *g)
{
    str line;
    for (int i = 0; i < 10 && str_line(&text, &line); i++) {
        if (!str_starts(line, STR("# stub: ")))
            continue;
        str rest = str_from(line, 8);
        str name = str_split(&rest, ' '), version = str_split(&rest, ' ');
        if (g->name.n == 0)
            g->name = name;
        if (g->version.n == 0 && str_eq(g->name, name) && version_like(version))
            g->version = version;
    }
}

/* "nokogiri-1.10.0-java.gemspec": the platform is cut off, it starts with a letter behind a dash.
 */
static void gemspec_file_name(str path, struct gem *g)
{
    str base = str_basename(path);
    base = str_sub(base, 0, base.n - strlen(".gemspec"));
    for (size_t i = 1; i + 1 < base.n; i++) {
        if (base.p[i] != '-' || !ke_isdigit(base.p[i + 1]))
            continue;
        str name = str_sub(base, 0, i), version = str_from(base, i + 1);
        ptrdiff_t dash = str_index(version, '-');
        version = dash > 0 ? str_sub(version, 0, (size_t)dash) : version;
        if (g->name.n && !str_eq(g->name, name))
            continue;
        if (version_like(version)) {
            g->name = name;
            g->version = g->version.n ? g->version : version;
            return;
        }
    }
}

static int ruby_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    str text;
    int r = cat_read_all(c, f, FILE_MAX, &text, e);
    if (r != 0)
        return r < 0 ? r : 0;
    struct gem g = {0};
    gemspec_scan(text, &g);
    if (g.name.n == 0 || g.version.n == 0)
        gemspec_stub(text, &g);
    if (g.name.n == 0 || g.version.n == 0)
        gemspec_file_name(f->path, &g);
    if (g.name.n == 0 || g.version.n == 0)
        return err_set(e, ERR_FORMAT, "no %s in the specification of a gem",
                       g.name.n ? "version" : "name");
    auto_buf licence;
    buf_init(&licence, LICENCE_TEXT_MAX);
    for (size_t i = 0; i < g.n_licences; i++)
        licence_list_add(&licence, g.licences[i]);
    struct package p = {
        .type = package_type_find(STR("gem")),
        .name = g.name,
        .version = g.version,
        .licence = buf_view(&licence),
        .vendor = g.author,
    };
    return cat_package(c, &p, e);
}

const struct cataloguer cataloguer_ruby = {
    .name = "ruby", .wants = ruby_wants, .parse = ruby_parse};
