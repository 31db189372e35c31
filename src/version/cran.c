/* cran.c - versions that are rows of numbers, where a longer row is greater (1.8 < 1.8.0): R's
 * packages (dots and hyphens) and Haskell's (dots). What is not a row of numbers comes last and is
 * ordered naturally. */
#include "version/digits.h"
#include "version/schemes.h"

/* The row of numbers at the start of v; the rest is for *rest. */
static str cran_row(str v, str *rest)
{
    v = str_trim(v);
    size_t at = digits_run(v).n;
    while (at && at + 1 < v.n && (v.p[at] == '.' || v.p[at] == '-') && ke_isdigit(v.p[at + 1]))
        at += 1 + digits_run(str_from(v, at + 1)).n;
    *rest = str_from(v, at);
    return str_sub(v, 0, at);
}

static str cran_next(str *row)
{
    str number = digits_run(*row);
    *row = str_from(*row, number.n + 1);
    return number;
}

static int cran_compare(str a, str b)
{
    str rest_a, rest_b, x = cran_row(a, &rest_a), y = cran_row(b, &rest_b);
    while (x.n && y.n) {
        int order = digits_compare(cran_next(&x), cran_next(&y));
        if (order)
            return order;
    }
    int order = (x.n > 0) - (y.n > 0);
    return order ? order : natural_compare(rest_a, rest_b);
}

static bool cran_key(str v, struct buf *out)
{
    str rest, row = cran_row(v, &rest);
    while (row.n)
        key_number(out, cran_next(&row));
    buf_add_char(out, 0);
    key_natural(out, rest);
    return buf_ok(out);
}

static bool cran_valid(str v)
{
    str rest;
    return cran_row(v, &rest).n && !rest.n;
}

static bool hackage_valid(str v)
{
    return cran_valid(v) && str_index(v, '-') < 0;
}

const struct version_ops version_cran = {
    .name = "cran",
    .valid = cran_valid,
    .compare = cran_compare,
    .key = cran_key,
};

static bool hackage_comparable(str a, str b)
{
    return cran_valid(a) && cran_valid(b);
}

const struct version_ops version_hackage = {
    .name = "hackage",
    .valid = hackage_valid,
    .compare = cran_compare,
    .key = cran_key,
    .comparable = hackage_comparable,
};
