#include "services/analyzer/cpes.h"

#include <stdlib.h>

enum { WORDS_MAX = 24 };

/* What a candidate may be taken apart into. */
enum { VARY = 1, SHORTEN = 2 };

struct words {
    struct arena *a;
    str w[WORDS_MAX];
    unsigned how[WORDS_MAX];
    size_t n;
};

static void words_add(struct words *ws, str w, unsigned how)
{
    if (!w.n || !w.p || ws->n == WORDS_MAX)
        return;
    for (size_t i = 0; i < ws->n; i++)
        if (str_eq(ws->w[i], w)) {
            ws->how[i] |= how;
            return;
        }
    ws->w[ws->n] = w;
    ws->how[ws->n++] = how;
}

static str replaced(struct arena *a, str s, char from, char to)
{
    str copy = arena_dup(a, s);
    for (size_t i = 0; i < copy.n; i++)
        if (copy.p[i] == from)
            ((char *)copy.p)[i] = to;
    return copy;
}

static void words_vary(struct words *ws)
{
    size_t n = ws->n;
    for (size_t i = 0; i < n; i++) {
        if (!(ws->how[i] & VARY))
            continue;
        if (str_index(ws->w[i], '-') >= 0)
            words_add(ws, replaced(ws->a, ws->w[i], '-', '_'), ws->how[i]);
        if (str_index(ws->w[i], '_') >= 0)
            words_add(ws, replaced(ws->a, ws->w[i], '_', '-'), ws->how[i]);
    }
}

static void words_shorten(struct words *ws)
{
    size_t n = ws->n;
    for (size_t i = 0; i < n; i++) {
        if (!(ws->how[i] & SHORTEN))
            continue;
        for (size_t k = 1; k < ws->w[i].n; k++)
            if (ws->w[i].p[k] == '-' || ws->w[i].p[k] == '_')
                words_add(ws, str_sub(ws->w[i], 0, k), 0);
    }
}

/* "The Apache Software Foundation <x@y>" -> "apache_software_foundation". */
static str person(struct arena *a, str name, char blank)
{
    ptrdiff_t at = str_index(name, '<');
    name = str_trim(at >= 0 ? str_sub(name, 0, (size_t)at) : name);
    if (name.n > 4 && str_eq_nocase(str_sub(name, 0, 4), STR("the ")))
        name = str_from(name, 4);
    str copy = arena_dup(a, name);
    size_t n = 0;
    for (size_t i = 0; i < copy.n; i++) {
        char c = ke_tolower(copy.p[i]);
        if (c == ' ')
            c = blank;
        if (ke_isalnum(c) || c == '_' || c == '-')
            ((char *)copy.p)[n++] = c;
    }
    copy.n = n;
    return copy;
}

static str mailbox(str name)
{
    ptrdiff_t at = str_index(name, '<'), end;
    if (at < 0)
        return (str){0};
    name = str_from(name, (size_t)at + 1);
    end = str_index(name, '@');
    return end > 0 ? str_sub(name, 0, (size_t)end) : (str){0};
}

static void python_words(const struct package *p, struct words *vendors, struct words *products)
{
    words_add(vendors, person(vendors->a, p->vendor, '_'), 0);
    words_add(vendors, mailbox(p->vendor), 0);
    if (str_starts(p->name, STR("python")))
        return;
    str named = arena_printf(vendors->a, "python-%.*s", STR_ARG(p->name));
    words_add(products, named, VARY);
    words_add(vendors, named, VARY | SHORTEN);
}

static bool generic_group_part(str part)
{
    static const char *const parts[] = {"com", "org",    "net", "io", "be",
                                        "de",  "github", "fr",  "uk"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (str_eq(part, str_z(parts[i])))
            return true;
    return false;
}

static void java_words(const struct package *p, struct words *vendors, struct words *products)
{
    words_add(vendors, person(vendors->a, p->vendor, '-'), VARY);
    str rest = p->group, last = {0};
    size_t parts = 0;
    while (rest.n) {
        str part = str_split(&rest, '.');
        if (!generic_group_part(part)) {
            words_add(vendors, part, VARY | SHORTEN);
            last = part;
        }
        parts++;
    }
    if (parts > 2 && last.n)
        words_add(products, last, VARY);
}

static void go_words(const struct package *p, struct words *vendors, struct words *products)
{
    str rest = p->name, host = str_split(&rest, '/'), owner = str_split(&rest, '/');
    vendors->n = products->n = 0;
    if (!rest.n && !owner.n) {
        words_add(vendors, host, 0);
        words_add(products, host, 0);
        return;
    }
    words_add(vendors, owner, 0);
    words_add(products, rest.n ? rest : owner, 0);
}

static void words_of(const struct package *p, struct words *vendors, struct words *products)
{
    str type = str_z(p->type->name);
    words_add(vendors, p->name, VARY | SHORTEN);
    words_add(products, p->name, VARY);
    if (str_eq(type, STR("python"))) {
        python_words(p, vendors, products);
    } else if (str_eq(type, STR("gem"))) {
        words_add(vendors, person(vendors->a, p->vendor, '-'), VARY);
        words_add(vendors, STR("ruby-lang"), VARY | SHORTEN);
    } else if (str_eq(type, STR("java-archive")) || str_eq(type, STR("jenkins-plugin"))) {
        java_words(p, vendors, products);
    } else if (str_eq(type, STR("go-module"))) {
        go_words(p, vendors, products);
    } else if (str_eq(type, STR("rpm"))) {
        words_add(vendors, person(vendors->a, p->vendor, '_'), 0);
    }
    words_vary(products);
    words_vary(vendors);
    words_shorten(vendors);
    if (str_eq(type, STR("gem")) || str_eq(type, STR("npm")))
        words_add(vendors, STR("*"), 0);
}

struct candidate {
    str text;
    size_t length;
    bool any;
};

static int by_specificity(const void *x, const void *y)
{
    const struct candidate *a = x, *b = y;
    if (a->any != b->any)
        return a->any ? 1 : -1;
    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    return str_cmp(a->text, b->text);
}

static str version_text(struct arena *a, str v)
{
    return v.n ? replaced(a, v, ':', '_') : STR("*");
}

size_t cpes_of_package(struct arena *a, const struct package *p, const str **out)
{
    struct words vendors = {.a = a}, products = {.a = a};
    struct candidate found[WORDS_MAX * WORDS_MAX];
    size_t n = 0;
    words_of(p, &vendors, &products);
    str version = version_text(a, p->version);
    for (size_t i = 0; i < vendors.n; i++)
        for (size_t k = 0; k < products.n; k++) {
            str v = vendors.w[i], w = products.w[k];
            str text = arena_printf(a, "cpe:2.3:a:%.*s:%.*s:%.*s:*:*:*:*:*:*:*", STR_ARG(v),
                                    STR_ARG(w), STR_ARG(version));
            if (text.p)
                found[n++] = (struct candidate){
                    .text = text, .length = v.n + w.n, .any = str_eq(v, STR("*"))};
        }
    qsort(found, n, sizeof *found, by_specificity);
    n = n < CPES_MAX ? n : CPES_MAX;
    str *list = arena_calloc(a, n + 1, sizeof *list);
    if (!list)
        return 0;
    for (size_t i = 0; i < n; i++)
        list[i] = found[i].text;
    *out = list;
    return n;
}
