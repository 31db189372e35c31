/* gem.c - RubyGems versions, as Gem::Version orders them.
 *
 * A version is a row of numbers and words ("-" is the word "pre"), as if followed by zeros without
 * end; a word is less than any number. Zeros that end the numbers before the first word do not
 * count. The reader gives the row with its runs of zeros counted, so that order is decided
 * item by item, and keys are the items written down. */
#include "version/digits.h"
#include "version/schemes.h"

/* In the order of what follows a run of zeros; the values go into keys. */
enum gem_kind { GEM_WORD = 1, GEM_END, GEM_NUMBER };

struct gem_item {
    enum gem_kind kind;
    size_t zeros; /* before it */
    str text;
};

struct gem_reader {
    str rest;
    bool seen_word;
};

static struct gem_item gem_next(struct gem_reader *r)
{
    struct gem_item item = {.kind = GEM_END};
    while (r->rest.n) {
        str s = r->rest;
        size_t n = digits_run(s).n;
        if (n) {
            r->rest = str_from(s, n);
            item.text = str_sub(s, 0, n);
            item.kind = GEM_NUMBER;
            if (!digits_zero(item.text))
                return item;
            item.zeros++;
            continue;
        }
        bool dash = *s.p == '-';
        while (n < s.n && ke_isalpha(s.p[n]))
            n++;
        r->rest = str_from(s, n ? n : 1);
        if (!n && !dash)
            continue;
        item.kind = GEM_WORD;
        item.text = dash ? STR("pre") : str_sub(s, 0, n);
        if (!r->seen_word)
            item.zeros = 0;
        r->seen_word = true;
        return item;
    }
    return (struct gem_item){.kind = GEM_END};
}

static int gem_compare(str a, str b)
{
    struct gem_reader left = {.rest = a}, right = {.rest = b};
    for (;;) {
        struct gem_item x = gem_next(&left), y = gem_next(&right);
        if (x.kind != y.kind)
            return x.kind < y.kind ? -1 : 1;
        if (x.kind == GEM_END)
            return 0;
        if (x.zeros != y.zeros)
            return (x.zeros < y.zeros) == (x.kind == GEM_WORD) ? -1 : 1;
        int order = x.kind == GEM_WORD ? str_cmp(x.text, y.text) : digits_compare(x.text, y.text);
        if (order)
            return order < 0 ? -1 : 1;
    }
}

static bool gem_key(str v, struct buf *out)
{
    struct gem_reader r = {.rest = v};
    for (;;) {
        struct gem_item item = gem_next(&r);
        buf_add_char(out, (char)item.kind);
        if (item.kind == GEM_END)
            return buf_ok(out);
        key_count(out, item.zeros, item.kind == GEM_NUMBER);
        if (item.kind == GEM_WORD)
            key_text(out, item.text);
        else
            key_number(out, item.text);
    }
}

static bool gem_parts(str v, bool dashes)
{
    for (bool start = true;; v = str_from(v, 1)) {
        bool part = v.n && (ke_isalnum(*v.p) || (dashes && *v.p == '-'));
        if (!part && start)
            return false;
        if (!v.n)
            return true;
        if (!part && *v.p != '.')
            return false;
        start = !part;
    }
}

static bool gem_valid(str v)
{
    v = str_trim(v);
    if (!v.n)
        return true;
    ptrdiff_t dash = str_index(v, '-');
    str numbers = dash < 0 ? v : str_sub(v, 0, (size_t)dash);
    str first = digits_run(numbers);
    if (!first.n || (first.n < numbers.n && numbers.p[first.n] != '.'))
        return false;
    return gem_parts(numbers, false) &&
           (dash < 0 || gem_parts(str_from(v, (size_t)dash + 1), true));
}

const struct version_ops version_gem = {
    .name = "gem",
    .valid = gem_valid,
    .compare = gem_compare,
    .key = gem_key,
};
