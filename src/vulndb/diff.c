#include "vulndb/diff.h"

#include "base/auto.h"
#include "base/cursor.h"

static const char magic[] = "KLP1";

struct print_part {
    str platform, ecosystem;
    const uint8_t *rows;
    uint64_t n;
};

static uint64_t row_word(const struct print_part *p, uint64_t row, int word)
{
    struct cursor c = cursor_over(p->rows + row * 16 + 8 * word, 8);
    return cursor_u64le(&c);
}

static int bad(struct err *e)
{
    return err_set(e, ERR_FORMAT, "damaged prints of a vulnerability database");
}

static int open_prints(str bytes, struct cursor *c, struct err *e)
{
    *c = cursor_over(bytes.p, bytes.n);
    if (bytes.n && !str_eq(cursor_bytes(c, sizeof magic - 1), str_z(magic)))
        return bad(e);
    return 0;
}

/* 1 and the next part, 0 at the end. */
static int next_part(struct cursor *c, struct print_part *p, struct err *e)
{
    if (!cursor_left(c))
        return cursor_ok(c) ? 0 : bad(e);
    p->platform = cursor_bytes(c, cursor_varint(c));
    p->ecosystem = cursor_bytes(c, cursor_varint(c));
    p->n = cursor_varint(c);
    if (!cursor_ok(c) || p->n > cursor_left(c) / 16)
        return bad(e);
    p->rows = (const uint8_t *)cursor_bytes(c, p->n * 16).p;
    return 1;
}

struct differ {
    int (*fn)(void *ctx, const struct vulndb_change *c, struct err *e);
    void *ctx;
};

static int tell(const struct differ *d, const struct print_part *p, uint64_t row, struct err *e)
{
    const struct vulndb_change c = {p->platform, p->ecosystem, row_word(p, row, 0)};
    return d->fn(d->ctx, &c, e);
}

static int diff_part(const struct differ *d, const struct print_part *a, const struct print_part *b,
                     struct err *e)
{
    uint64_t i = 0, k = 0;
    int r = 0;
    while (r >= 0 && (i < a->n || k < b->n)) {
        uint64_t x = i < a->n ? row_word(a, i, 0) : UINT64_MAX;
        uint64_t y = k < b->n ? row_word(b, k, 0) : UINT64_MAX;
        bool both = i < a->n && k < b->n && x == y;
        if (both && row_word(a, i, 1) != row_word(b, k, 1))
            r = tell(d, b, k, e);
        if (!both && (k >= b->n || (i < a->n && x < y)))
            r = tell(d, a, i++, e);
        else if (!both)
            r = tell(d, b, k++, e);
        else
            i++, k++;
    }
    return r;
}

static int part_cmp(const struct print_part *a, const struct print_part *b)
{
    int d = str_cmp(a->platform, b->platform);
    return d ? d : str_cmp(a->ecosystem, b->ecosystem);
}

int vulndb_prints_diff(str before, str now,
                       int (*fn)(void *ctx, const struct vulndb_change *c, struct err *e),
                       void *ctx, struct err *e)
{
    const struct differ d = {fn, ctx};
    struct cursor x, y;
    struct print_part a, b;
    static const struct print_part none;
    bool others = false;
    int r = open_prints(before, &x, e), ra = 0, rb = 0;
    if (r == 0)
        r = open_prints(now, &y, e);
    if (r == 0)
        r = ra = next_part(&x, &a, e);
    if (r >= 0)
        r = rb = next_part(&y, &b, e);
    while (r >= 0 && (ra > 0 || rb > 0)) {
        int order = ra <= 0 ? 1 : rb <= 0 ? -1 : part_cmp(&a, &b);
        others |= order != 0;
        r = diff_part(&d, order <= 0 ? &a : &none, order >= 0 ? &b : &none, e);
        if (r >= 0 && order <= 0)
            r = ra = next_part(&x, &a, e);
        if (r >= 0 && order >= 0)
            r = rb = next_part(&y, &b, e);
    }
    return r < 0 ? r : others;
}
