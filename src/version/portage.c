/* portage.c - Gentoo versions, as portage orders them: numbers [letter] {_suffix[number]} [-rN].
 *
 * A component behind the first that begins with 0 is compared as a fraction (1.02 < 1.1), a longer
 * row of components is greater (1.0 < 1.0.0), no revision is revision 0. What cannot be read comes
 * last and is ordered naturally. */
#include "version/digits.h"
#include "version/schemes.h"

/* In their order at one place; the values go into keys. */
enum portage_suffix {
    PORTAGE_ALPHA = 1,
    PORTAGE_BETA,
    PORTAGE_PRE,
    PORTAGE_RC,
    PORTAGE_NONE,
    PORTAGE_P,
};

struct portage {
    str first, components, suffixes, revision, rest; /* components, suffixes: with separators */
    char letter;                                     /* 0: none */
};

/* [_suffix[number]] at the start of *s, taken off; PORTAGE_NONE when there is none. */
static enum portage_suffix portage_take(str *s, str *number)
{
    static const struct {
        str word;
        enum portage_suffix suffix;
    } words[] = {
        {STR_INIT("_alpha"), PORTAGE_ALPHA}, {STR_INIT("_beta"), PORTAGE_BETA},
        {STR_INIT("_pre"), PORTAGE_PRE},     {STR_INIT("_rc"), PORTAGE_RC},
        {STR_INIT("_p"), PORTAGE_P},
    };
    *number = (str){NULL, 0};
    for (size_t i = 0; i < KE_ARRAY_LEN(words); i++)
        if (str_starts(*s, words[i].word)) {
            *number = digits_run(str_from(*s, words[i].word.n));
            *s = str_from(*s, words[i].word.n + number->n);
            return words[i].suffix;
        }
    return PORTAGE_NONE;
}

static void portage_read(str v, struct portage *out)
{
    str number;
    *out = (struct portage){.first = digits_run(v), .rest = v};
    if (!out->first.n)
        return;
    v = str_from(v, out->first.n);
    size_t at = 0;
    while (at + 1 < v.n && v.p[at] == '.' && ke_isdigit(v.p[at + 1]))
        at += 1 + digits_run(str_from(v, at + 1)).n;
    out->components = str_sub(v, 0, at);
    v = str_from(v, at);
    if (v.n && *v.p >= 'a' && *v.p <= 'z') {
        out->letter = *v.p;
        v = str_from(v, 1);
    }
    str suffixes = v;
    while (portage_take(&v, &number) != PORTAGE_NONE)
        ;
    out->suffixes = str_sub(suffixes, 0, suffixes.n - v.n);
    if (str_starts(v, STR("-r"))) {
        out->revision = digits_run(str_from(v, 2));
        v = str_from(v, out->revision.n ? out->revision.n + 2 : 0);
    }
    out->rest = v;
}

static str portage_component(str *rest)
{
    str number = digits_run(str_from(*rest, 1));
    *rest = str_from(*rest, number.n + 1);
    return number;
}

static str portage_fraction(str digits)
{
    while (digits.n && digits.p[digits.n - 1] == '0')
        digits.n--;
    return digits;
}

static int portage_compare_components(str a, str b)
{
    while (a.n && b.n) {
        str x = portage_component(&a), y = portage_component(&b);
        bool fraction = *x.p == '0' || *y.p == '0';
        int order =
            fraction ? str_cmp(portage_fraction(x), portage_fraction(y)) : digits_compare(x, y);
        if (order)
            return order;
    }
    return (a.n > 0) - (b.n > 0);
}

static int portage_compare_suffixes(str a, str b)
{
    for (;;) {
        str x, y;
        enum portage_suffix s = portage_take(&a, &x), t = portage_take(&b, &y);
        if (s != t)
            return s < t ? -1 : 1;
        if (s == PORTAGE_NONE)
            return 0;
        int order = digits_compare(x, y);
        if (order)
            return order;
    }
}

static int portage_compare(str a, str b)
{
    struct portage x, y;
    portage_read(a, &x);
    portage_read(b, &y);
    int order = digits_compare(x.first, y.first);
    if (!order)
        order = portage_compare_components(x.components, y.components);
    if (!order)
        order = x.letter - y.letter;
    if (!order)
        order = portage_compare_suffixes(x.suffixes, y.suffixes);
    if (!order)
        order = digits_compare(x.revision, y.revision);
    return order ? order : natural_compare(x.rest, y.rest);
}

static bool portage_key(str v, struct buf *out)
{
    struct portage p;
    portage_read(v, &p);
    key_number(out, p.first);
    while (p.components.n) {
        str component = portage_component(&p.components);
        bool fraction = *component.p == '0';
        buf_add_char(out, fraction ? 1 : 2);
        if (fraction)
            key_text(out, portage_fraction(component));
        else
            key_number(out, component);
    }
    buf_add_char(out, 0);
    buf_add_char(out, p.letter);
    enum portage_suffix suffix;
    do {
        str number;
        suffix = portage_take(&p.suffixes, &number);
        buf_add_char(out, (char)suffix);
        if (suffix != PORTAGE_NONE)
            key_number(out, number);
    } while (suffix != PORTAGE_NONE);
    key_number(out, p.revision);
    key_natural(out, p.rest);
    return buf_ok(out);
}

static bool portage_valid(str v)
{
    struct portage p;
    portage_read(v, &p);
    return p.first.n && !p.rest.n;
}

static bool portage_comparable(str a, str b)
{
    return str_eq(a, b) || (portage_valid(a) && portage_valid(b));
}

const struct version_ops version_portage = {
    .name = "portage",
    .valid = portage_valid,
    .compare = portage_compare,
    .key = portage_key,
    .comparable = portage_comparable,
};
