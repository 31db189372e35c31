/* Every pair of ../shared/data/versions, compared and by key, and what the tools call valid. */
#include "unit.h"

#include "base/buf.h"
#include "base/vec.h"
#include "version/version.h"

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

/* The orders of two keys must agree with the compared one; says so when they do not. */
static bool key_agrees(const struct version_ops *ops, str a, str b, int order)
{
    auto_buf x, y;
    buf_init(&x, 1 << 16);
    buf_init(&y, 1 << 16);
    if (!ops->key)
        return true;
    assert_true(ops->key(a, &x) && ops->key(b, &y));
    if (sign(str_cmp(buf_view(&x), buf_view(&y))) == order)
        return true;
    printf("%s: keys of \"%.*s\" and \"%.*s\" are ordered otherwise\n", ops->name, STR_ARG(a),
           STR_ARG(b));
    return false;
}

static bool pair_holds(const struct version_ops *ops, str a, str op, str b)
{
    int order = sign(ops->compare(a, b));
    char got = !version_comparable(ops, a, b) ? '!' : "<=>"[order + 1];
    bool right = op.n == 1 && *op.p == got && sign(ops->compare(b, a)) == -order;
    if (!right)
        printf("%s: \"%.*s\" %c \"%.*s\", the table says %.*s\n", ops->name, STR_ARG(a), got,
               STR_ARG(b), STR_ARG(op));
    return right && key_agrees(ops, a, b, order);
}

static void pairs_come_out_right(void **state)
{
    size_t wrong = 0;
    if (!shared_path("data/versions/deb.tsv"))
        skip_without_shared("data/versions");
    for (size_t s = 0; version_schemes[s]; s++) {
        struct err e;
        char name[100];
        size_t rows = 0;
        snprintf(name, sizeof name, "data/versions/%s.tsv", version_schemes[s]->name);
        const char *path = shared_path(name);
        if (!path) /* a scheme that has no table */
            continue;
        auto_buf text;
        buf_init(&text, 16 << 20);
        assert_ok(fs_read(path, &text, &e));
        for (str rest = buf_view(&text), line; str_line(&rest, &line); rows++) {
            str a = str_split(&line, '\t'), op = str_split(&line, '\t');
            wrong += !pair_holds(version_schemes[s], a, op, line);
        }
        assert_true(rows > 4);
        printf("%s: %zu pairs\n", name, rows);
    }
    assert_int_equal(wrong, 0);
}

/* Neighbours in a shuffled row of all versions of a table: pairs that no table holds. */
static void keys_agree_on_other_pairs(void **state)
{
    size_t wrong = 0;
    if (!shared_path("data/versions/deb.tsv"))
        skip_without_shared("data/versions");
    for (size_t s = 0; version_schemes[s]; s++) {
        const struct version_ops *ops = version_schemes[s];
        struct err e;
        char name[100];
        snprintf(name, sizeof name, "data/versions/%s.tsv", ops->name);
        const char *path = shared_path(name);
        if (!path) /* a scheme that has no table */
            continue;
        auto_buf text;
        buf_init(&text, 16 << 20);
        assert_ok(fs_read(path, &text, &e));
        static str all[40000];
        size_t n = 0;
        for (str rest = buf_view(&text), line; str_line(&rest, &line) && n + 2 < 40000;) {
            all[n++] = str_split(&line, '\t');
            str_split(&line, '\t');
            all[n++] = line;
        }
        for (size_t i = 0, j = 1; n && i < 100000; i++, j = (j * 1103515245 + 12345) % 2147483648) {
            str a = all[(j >> 3) % n], b = all[(i * 7919) % n];
            int order = sign(ops->compare(a, b));
            wrong += !key_agrees(ops, a, b, order) || sign(ops->compare(b, a)) != -order;
        }
    }
    assert_int_equal(wrong, 0);
}

/* Two rows where validity.tsv and apk.tsv ask for opposite things of one shape (0.1_foobar is
 * refused, 1.2_blah is ordered): the pairs decide. One row holds escapes, not the characters. */
static bool known_exception(const char *scheme, str v)
{
    return (strcmp(scheme, "apk") == 0 &&
            (str_starts(v, STR("0.1_foobar")) || str_eq(v, STR("a")))) ||
           str_starts(v, STR("\\N{"));
}

static void validity_is_agreed(void **state)
{
    const char *path = shared_path("data/versions/validity.tsv");
    if (!path) {
        skip_without_shared("data/versions/validity.tsv");
        return;
    }
    struct err e;
    size_t wrong = 0, rows = 0;
    auto_buf text;
    buf_init(&text, 1 << 20);
    assert_ok(fs_read(path, &text, &e));
    for (str rest = buf_view(&text), line; str_line(&rest, &line);) {
        const struct version_ops *ops = version_scheme(str_split(&line, '\t'));
        str v = str_split(&line, '\t'), ok = str_split(&line, '\t');
        if (!ops)
            continue;
        rows++;
        bool want = str_eq(ok, STR("1")), exception = known_exception(ops->name, v);
        if ((ops->valid(v) == want || str_starts(v, STR("\\N{"))) &&
            (exception || version_comparable(ops, v, v) == want))
            continue;
        printf("%s \"%.*s\": the table says %d\n", ops->name, STR_ARG(v), want);
        wrong++;
    }
    assert_true(rows > 150);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_come_out_right),
        cmocka_unit_test(keys_agree_on_other_pairs),
        cmocka_unit_test(validity_is_agreed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
