/* rpm.c - rpm's version comparison of one part, and of [epoch:]version[-release]. */
#include "version/digits.h"
#include "version/schemes.h"

/* In their order; the values are the first bytes of keys too. */
enum rpm_token_kind { RPM_TILDE = 1, RPM_END, RPM_CARET, RPM_LETTERS, RPM_NUMBER };

struct rpm_token {
    enum rpm_token_kind kind;
    str text;
};

static bool rpm_is_separator(char c)
{
    return !ke_isalnum(c) && c != '~' && c != '^';
}

static struct rpm_token rpm_next(str *rest)
{
    while (rest->n && rpm_is_separator(*rest->p))
        rest->p++, rest->n--;
    struct rpm_token t = {RPM_END, {rest->p, 0}};
    if (!rest->n)
        return t;
    char first = *rest->p;
    t.text.n = 1;
    if (first == '~' || first == '^') {
        t.kind = first == '~' ? RPM_TILDE : RPM_CARET;
    } else if (ke_isdigit(first)) {
        t.kind = RPM_NUMBER;
        t.text = digits_run(*rest);
    } else {
        t.kind = RPM_LETTERS;
        while (t.text.n < rest->n && ke_isalpha(t.text.p[t.text.n]))
            t.text.n++;
    }
    *rest = str_from(*rest, t.text.n);
    return t;
}

static int rpm_compare_part(str a, str b)
{
    for (;;) {
        struct rpm_token x = rpm_next(&a), y = rpm_next(&b);
        if (x.kind != y.kind)
            return x.kind < y.kind ? -1 : 1;
        if (x.kind == RPM_END)
            return 0;
        int order = 0;
        if (x.kind == RPM_NUMBER)
            order = digits_compare(x.text, y.text);
        else if (x.kind == RPM_LETTERS)
            order = str_cmp(x.text, y.text);
        if (order)
            return order < 0 ? -1 : 1;
    }
}

static void rpm_key_part(str v, struct buf *out)
{
    struct rpm_token t;
    do {
        t = rpm_next(&v);
        buf_add_char(out, (char)t.kind);
        if (t.kind == RPM_NUMBER)
            key_number(out, t.text);
        else if (t.kind == RPM_LETTERS)
            key_text(out, t.text);
    } while (t.kind != RPM_END);
}

static bool rpm_part_key(str v, struct buf *out)
{
    rpm_key_part(v, out);
    return buf_ok(out);
}

struct rpm_evr {
    str epoch, version, release;
    bool has_release;
};

static struct rpm_evr rpm_split(str v)
{
    struct rpm_evr evr = {0};
    str epoch = digits_run(v);
    if (epoch.n < v.n && v.p[epoch.n] == ':') {
        evr.epoch = epoch;
        v = str_from(v, epoch.n + 1);
    }
    ptrdiff_t dash = str_rindex(v, '-');
    evr.has_release = dash >= 0;
    evr.version = dash < 0 ? v : str_sub(v, 0, (size_t)dash);
    evr.release = dash < 0 ? (str){NULL, 0} : str_from(v, (size_t)dash + 1);
    return evr;
}

static int rpm_compare_evr(str a, str b)
{
    struct rpm_evr x = rpm_split(a), y = rpm_split(b);
    int order = digits_compare(x.epoch, y.epoch);
    if (!order)
        order = rpm_compare_part(x.version, y.version);
    if (!order)
        order = x.has_release - y.has_release;
    return order ? order : rpm_compare_part(x.release, y.release);
}

static bool rpm_evr_key(str v, struct buf *out)
{
    struct rpm_evr evr = rpm_split(v);
    key_number(out, evr.epoch);
    rpm_key_part(evr.version, out);
    buf_add_char(out, (char)evr.has_release);
    if (evr.has_release)
        rpm_key_part(evr.release, out);
    return buf_ok(out);
}

static bool rpm_any(str v)
{
    return true;
}

const struct version_ops version_rpmvercmp = {
    .name = "rpmvercmp",
    .valid = rpm_any,
    .compare = rpm_compare_part,
    .key = rpm_part_key,
};

const struct version_ops version_rpm_evr = {
    .name = "rpm-evr",
    .valid = rpm_any,
    .compare = rpm_compare_evr,
    .key = rpm_evr_key,
};
