/* Documents: what was written is read, content is kept once, nobody's are seen by another, on both
 * databases and both drivers. */
#include "store_test.h"

#include "base/fs.h"
#include "store/documents.h"

static struct err e;

struct act {
    struct documents *d;
    str account, key, bytes;
    struct buf *out;
    int result;
};

static int put_tx(struct db_tx *tx, void *ctx, struct err *why)
{
    struct act *a = ctx;
    return document_put(a->d, tx, a->account, STR("bucket"), a->key, a->bytes, why);
}

static int get_tx(struct db_tx *tx, void *ctx, struct err *why)
{
    struct act *a = ctx;
    buf_clear(a->out);
    return document_get(a->d, tx, a->account, STR("bucket"), a->key, a->out, why);
}

static int delete_tx(struct db_tx *tx, void *ctx, struct err *why)
{
    struct act *a = ctx;
    return document_delete(a->d, tx, a->account, STR("bucket"), a->key, why);
}

static void put(struct documents *d, str account, str key, str bytes)
{
    struct act a = {.d = d, .account = account, .key = key, .bytes = bytes};
    assert_ok(db_run(store, DB_WRITE, put_tx, &a, &e));
}

static void expect(struct documents *d, str account, str key, str bytes)
{
    struct buf out;
    buf_init(&out, 64 << 20);
    struct act a = {.d = d, .account = account, .key = key, .out = &out};
    assert_ok(db_run(store, DB_READ, get_tx, &a, &e));
    assert_int_equal(out.n, bytes.n);
    assert_true(str_eq(buf_view(&out), bytes));
    buf_done(&out);
}

static void expect_none(struct documents *d, str account, str key)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    struct act a = {.d = d, .account = account, .key = key, .out = &out};
    assert_int_equal(db_run(store, DB_READ, get_tx, &a, &e), ERR_NOT_FOUND);
    buf_done(&out);
}

static int64_t count(const char *sql)
{
    struct db_tx *tx;
    int64_t n = -1;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(db_query_int(tx, sql, DB0, &n, &e));
    db_rollback(tx);
    return n;
}

/* Lines that do not repeat, so that only equal parts share chunks. */
static void lines(struct buf *b, size_t n, unsigned salt)
{
    for (size_t i = 0; i < n; i++)
        buf_addf(b, "%08x line %zu of a list\n", (unsigned)(i * 2654435761u) ^ salt, i);
}

static void both_drivers(void (*check)(struct documents *d))
{
    char dir[80];
    snprintf(dir, sizeof dir, "%s/documents", store_dir);
    const struct documents_options options[] = {{.driver = "db", .keep_us = 1},
                                                {.driver = "fs", .directory = dir, .keep_us = 1}};
    assert_ok(fs_mkdirs(dir, &e));
    for (size_t i = 0; i < KE_ARRAY_LEN(options); i++) {
        struct documents *d;
        assert_ok(documents_open(store, &options[i], &d, &e));
        check(d);
        documents_close(d);
    }
}

static void check_sizes(struct documents *d)
{
    static const size_t sizes[] = {0, 1, 100, 5000, 100000};
    for (size_t i = 0; i < KE_ARRAY_LEN(sizes); i++) {
        struct buf b;
        buf_init(&b, 64 << 20);
        lines(&b, sizes[i], 7);
        put(d, STR("a"), STR("k"), buf_view(&b));
        expect(d, STR("a"), STR("k"), buf_view(&b));
        buf_done(&b);
    }
    expect_none(d, STR("b"), STR("k"));
    expect_none(d, STR("a"), STR("other"));
    struct act a = {.d = d, .account = STR("b"), .key = STR("k")};
    assert_int_equal(db_run(store, DB_WRITE, delete_tx, &a, &e), 0);
    a.account = STR("a");
    assert_int_equal(db_run(store, DB_WRITE, delete_tx, &a, &e), 1);
    expect_none(d, STR("a"), STR("k"));
}

static void sizes_and_accounts(void **state)
{
    both_drivers(check_sizes);
}

static void check_shared(struct documents *d)
{
    struct buf one, two;
    buf_init(&one, 64 << 20);
    buf_init(&two, 64 << 20);
    lines(&one, 40000, 1);
    lines(&two, 40000, 1);
    put(d, STR("a"), STR("one"), buf_view(&one));
    int64_t chunks = count("SELECT COUNT(*) FROM chunk");
    assert_true(chunks > 5);
    buf_addf(&two, "and one line more\n");
    put(d, STR("b"), STR("two"), buf_view(&two));
    int64_t more = count("SELECT COUNT(*) FROM chunk") - chunks;
    assert_true(more >= 1 && more <= 2); /* the end alone is new */
    put(d, STR("c"), STR("same"), buf_view(&one));
    assert_int_equal(count("SELECT COUNT(*) FROM chunk"), chunks + more);
    struct act a = {.d = d, .account = STR("a"), .key = STR("one")};
    assert_int_equal(db_run(store, DB_WRITE, delete_tx, &a, &e), 1);
    while (documents_sweep(d, 1000, &e) > 0)
        ;
    expect(d, STR("c"), STR("same"), buf_view(&one)); /* still named */
    expect(d, STR("b"), STR("two"), buf_view(&two));
    a = (struct act){.d = d, .account = STR("b"), .key = STR("two")};
    assert_int_equal(db_run(store, DB_WRITE, delete_tx, &a, &e), 1);
    a = (struct act){.d = d, .account = STR("c"), .key = STR("same")};
    assert_int_equal(db_run(store, DB_WRITE, delete_tx, &a, &e), 1);
    for (int i = 0; i < 10; i++)
        documents_sweep(d, 1000, &e);
    assert_int_equal(count("SELECT COUNT(*) FROM chunk"), 0);
    assert_int_equal(count("SELECT COUNT(*) FROM document"), 0);
    buf_done(&one);
    buf_done(&two);
}

static void content_is_kept_once(void **state)
{
    both_drivers(check_shared);
}

static void damage_is_seen(void **state)
{
    struct documents *d;
    struct buf b, out;
    struct db_tx *tx;
    buf_init(&b, 64 << 20);
    buf_init(&out, 64 << 20);
    lines(&b, 40000, 1);
    assert_ok(documents_open(store, &(struct documents_options){0}, &d, &e));
    put(d, STR("a"), STR("k"), buf_view(&b));
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_ok(db_exec(
        tx,
        "UPDATE chunk SET data = (SELECT data FROM chunk WHERE id = (SELECT MIN(id) FROM chunk))",
        DB0, &e));
    assert_ok(db_commit(tx, &e));
    struct act a = {.d = d, .account = STR("a"), .key = STR("k"), .out = &out};
    int r = db_run(store, DB_READ, get_tx, &a, &e);
    assert_true(r == ERR_MISMATCH || r == ERR_FORMAT);
    documents_close(d);
    buf_done(&b);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(sizes_and_accounts),
        store_test(content_is_kept_once),
        store_test(damage_is_seen),
    };
    return store_run("documents", tests);
}
