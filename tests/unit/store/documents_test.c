#include "../net/server.h"
#include "store_test.h"

#include "base/buf.h"
#include "store/chunk_cut.h"
#include "store/documents.h"
#include "store/documents_migrate.h"

static struct err e;
static struct documents *docs;
static char directory[128];

static struct server server; /* s3_server.py */
static char url[64];

static void open_driver(const char *driver)
{
    documents_close(docs);
    snprintf(directory, sizeof directory, "%s/chunks", store_dir);
    const struct s3_options s3 = {.url = url,
                                  .bucket = "bucket",
                                  .access_key = "A",
                                  .secret_key = "s",
                                  .encryption = "AES256"};
    struct documents_options o = {
        .driver = driver, .directory = directory, .s3 = &s3, .s3_prefix = "kellet/", .keep_us = 1};
    assert_ok(documents_open(store, &o, &docs, &e));
}

static int open_db(void **state)
{
    store_each(state);
    docs = NULL;
    open_driver("db");
    return 0;
}

static int open_fs(void **state)
{
    store_each(state);
    docs = NULL;
    open_driver("fs");
    return 0;
}

static int open_s3(void **state)
{
    struct http *h;
    struct http_response rs;
    char clear[80];
    snprintf(clear, sizeof clear, "%s/clear", url);
    assert_ok(http_new(NULL, &h, &e));
    assert_ok(http_fetch(h, &(struct http_request){.url = clear}, &rs, NULL, &e));
    http_response_done(&rs);
    http_free(h);
    store_each(state);
    docs = NULL;
    open_driver("s3");
    return 0;
}

static int close_all(void **state)
{
    documents_close(docs);
    const char *rm[] = {"rm", "-rf", directory, NULL};
    store_spawn(rm);
    return store_each_end(state);
}

static struct db_tx *begin(void)
{
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    return tx;
}

static void put(str account, str bucket, str key, str bytes)
{
    struct db_tx *tx = begin();
    assert_ok(document_put(docs, tx, account, bucket, key, bytes, &e));
    assert_ok(db_commit(tx, &e));
}

static int get(str account, str bucket, str key, struct buf *out)
{
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    int rc = document_get(docs, tx, account, bucket, key, out, &e);
    db_rollback(tx);
    return rc;
}

static void expect(str account, str bucket, str key, str bytes)
{
    auto_buf b;
    buf_init(&b, 64 << 20);
    assert_ok(get(account, bucket, key, &b));
    assert_int_equal(b.n, bytes.n);
    assert_true(str_eq(buf_view(&b), bytes));
}

static int delete_one(str account, str bucket, str key)
{
    struct db_tx *tx = begin();
    int rc = document_delete(docs, tx, account, bucket, key, &e);
    assert_ok(rc);
    assert_ok(db_commit(tx, &e));
    return rc;
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

static char *noise(size_t n, uint64_t seed)
{
    char *p = malloc(n + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        p[i] = (char)(seed >> 56);
    }
    return p;
}

static void all_sizes_come_back(void **state)
{
    static const size_t sizes[] = {0,     1,      100,    16383,   16384,  16385,
                                   65536, 262144, 262145, 1000000, 3000000};
    autofree char *p = noise(3000000, 1);
    for (size_t i = 0; i < KE_ARRAY_LEN(sizes); i++) {
        char key[32];
        snprintf(key, sizeof key, "k%zu", i);
        put(STR("a"), STR("b"), str_z(key), ((str){p, sizes[i]}));
        expect(STR("a"), STR("b"), str_z(key), ((str){p, sizes[i]}));
        struct db_tx *tx = begin();
        uint64_t size = 1;
        char digest[72] = "";
        assert_int_equal(document_stat(docs, tx, STR("a"), STR("b"), str_z(key), &size, digest, &e),
                         1);
        assert_int_equal(size, sizes[i]);
        assert_true(str_starts(str_z(digest), STR("sha256:")) && strlen(digest) == 71);
        db_rollback(tx);
    }
}

static void what_is_not_there(void **state)
{
    auto_buf b;
    buf_init(&b, 50);
    put(STR("a"), STR("b"), STR("k"), STR("text"));
    assert_int_equal(get(STR("other"), STR("b"), STR("k"), &b), ERR_NOT_FOUND);
    assert_int_equal(get(STR("a"), STR("c"), STR("k"), &b), ERR_NOT_FOUND);
    assert_int_equal(delete_one(STR("other"), STR("b"), STR("k")), 0);
    assert_int_equal(delete_one(STR("a"), STR("b"), STR("k")), 1);
    assert_int_equal(delete_one(STR("a"), STR("b"), STR("k")), 0);
    assert_int_equal(get(STR("a"), STR("b"), STR("k"), &b), ERR_NOT_FOUND);
    autofree char *p = noise(100000, 1);
    put(STR("a"), STR("b"), STR("k"), ((str){p, 100}));
    assert_int_equal(get(STR("a"), STR("b"), STR("k"), &b), ERR_LIMIT);
    put(STR("a"), STR("b"), STR("k"), ((str){p, 100000}));
    assert_int_equal(get(STR("a"), STR("b"), STR("k"), &b), ERR_LIMIT);
    assert_int_equal(b.n, 0);
}

static bool on_s3(void)
{
    return count("SELECT COUNT(*) FROM chunk WHERE driver = 2") > 0;
}

static void bytes_are_kept_once(void **state)
{
    autofree char *p = noise(2000000, 1);
    put(STR("a"), STR("b"), STR("1"), ((str){p, 2000000}));
    int64_t before = count("SELECT COUNT(*) FROM chunk");
    assert_true(on_s3() ? before == 1 : before > 10 && before < 2000000 / CHUNK_MIN);
    put(STR("b"), STR("c"), STR("2"), ((str){p, 2000000}));
    assert_int_equal(count("SELECT COUNT(*) FROM chunk"), before);
    assert_int_equal(count("SELECT COUNT(*) FROM content"), 1);
    memmove(p + 500007, p + 500000, 1000000); /* seven bytes more in the middle */
    put(STR("a"), STR("b"), STR("3"), ((str){p, 1500007}));
    assert_true(count("SELECT COUNT(*) FROM chunk") <= before + 4);
    expect(STR("a"), STR("b"), STR("3"), ((str){p, 1500007}));
}

static void sweeping_leaves_what_is_named(void **state)
{
    autofree char *p = noise(600000, 1), *q = noise(600000, 2);
    put(STR("a"), STR("b"), STR("1"), ((str){p, 600000}));
    put(STR("a"), STR("b"), STR("2"), ((str){p, 500000})); /* shares most chunks */
    put(STR("a"), STR("b"), STR("3"), ((str){q, 600000}));
    put(STR("a"), STR("b"), STR("4"), ((str){q, 600000}));
    put(STR("a"), STR("b"), STR("small"), STR("text"));
    assert_int_equal(documents_sweep(docs, 1000, &e), 0);
    delete_one(STR("a"), STR("b"), STR("1"));
    delete_one(STR("a"), STR("b"), STR("3"));
    delete_one(STR("a"), STR("b"), STR("small"));
    for (int i = 0; i < 3; i++)
        assert_ok(documents_sweep(docs, 1000, &e));
    assert_int_equal(count("SELECT COUNT(*) FROM content"), 2);
    expect(STR("a"), STR("b"), STR("2"), ((str){p, 500000}));
    expect(STR("a"), STR("b"), STR("4"), ((str){q, 600000}));
    delete_one(STR("a"), STR("b"), STR("2"));
    assert_ok(documents_sweep(docs, 1000, &e)); /* marked, perhaps gone */
    put(STR("a"), STR("b"), STR("5"), ((str){p, 600000}));
    for (int i = 0; i < 3; i++)
        assert_ok(documents_sweep(docs, 1000, &e));
    expect(STR("a"), STR("b"), STR("5"), ((str){p, 600000}));
    delete_one(STR("a"), STR("b"), STR("4"));
    put(STR("a"), STR("b"), STR("5"), STR("replaced"));
    for (int i = 0; i < 3; i++)
        assert_ok(documents_sweep(docs, 1000, &e));
    assert_int_equal(count("SELECT COUNT(*) FROM chunk"), 0);
    assert_int_equal(count("SELECT COUNT(*) FROM content"), 1);
    expect(STR("a"), STR("b"), STR("5"), STR("replaced"));
}

static void copies_and_prefixes(void **state)
{
    put(STR("a"), STR("b"), STR("x/1"), STR("one"));
    put(STR("a"), STR("b"), STR("x/2"), STR("two"));
    put(STR("a"), STR("b"), STR("x%2"), STR("no"));
    put(STR("a"), STR("b"), STR("y"), STR("no"));
    put(STR("z"), STR("b"), STR("x/1"), STR("no"));
    struct db_tx *tx = begin();
    assert_ok(
        document_copy(docs, tx, STR("a"), STR("b"), STR("x/1"), STR("c"), STR("d"), STR("k"), &e));
    assert_int_equal(
        document_copy(docs, tx, STR("a"), STR("b"), STR("none"), STR("c"), STR("d"), STR("k"), &e),
        ERR_NOT_FOUND);
    assert_int_equal(document_delete_prefix(docs, tx, STR("a"), STR("b"), STR("x/"), &e), 2);
    assert_ok(db_commit(tx, &e));
    for (int i = 0; i < 3; i++)
        assert_ok(documents_sweep(docs, 1000, &e));
    expect(STR("c"), STR("d"), STR("k"), STR("one"));
    expect(STR("a"), STR("b"), STR("y"), STR("no"));
    expect(STR("a"), STR("b"), STR("x%2"), STR("no"));
    expect(STR("z"), STR("b"), STR("x/1"), STR("no"));
    assert_int_equal(count("SELECT COUNT(*) FROM document WHERE account = 'a'"), 2);
}

static void a_rollback_leaves_nothing(void **state)
{
    autofree char *p = noise(300000, 1);
    struct db_tx *tx = begin();
    assert_ok(document_put(docs, tx, STR("a"), STR("b"), STR("k"), ((str){p, 300000}), &e));
    db_rollback(tx);
    assert_int_equal(count("SELECT COUNT(*) FROM chunk"), 0);
    put(STR("a"), STR("b"), STR("k"), ((str){p, 300000}));
    expect(STR("a"), STR("b"), STR("k"), ((str){p, 300000}));
}

static void damage_is_noticed(void **state)
{
    autofree char *p = noise(300000, 1), *q = noise(16000, 2);
    put(STR("a"), STR("b"), STR("big"), ((str){p, 300000}));
    put(STR("a"), STR("b"), STR("small"), ((str){q, 16000}));
    struct db_tx *tx = begin();
    assert_ok(db_exec(tx, "UPDATE chunk SET data = $1, driver = 0", DB(DBB(STR("nonsense"))), &e));
    assert_ok(db_exec(tx, "UPDATE content SET data = $1 WHERE data IS NOT NULL",
                      DB(DBB(STR("nonsense"))), &e));
    assert_ok(db_commit(tx, &e));
    auto_buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(get(STR("a"), STR("b"), STR("big"), &b), ERR_MISMATCH);
    assert_int_equal(get(STR("a"), STR("b"), STR("small"), &b), ERR_MISMATCH);
    tx = begin();
    assert_ok(db_exec(tx, "DELETE FROM chunk", DB0, &e));
    assert_ok(db_commit(tx, &e));
    assert_int_equal(get(STR("a"), STR("b"), STR("big"), &b), ERR_MISMATCH);
}

static void old_drivers_stay_readable(void **state)
{
    autofree char *p = noise(300000, 1), *q = noise(300000, 2);
    put(STR("a"), STR("b"), STR("1"), ((str){p, 300000}));
    open_driver("db");
    put(STR("a"), STR("b"), STR("2"), ((str){q, 300000}));
    expect(STR("a"), STR("b"), STR("1"), ((str){p, 300000}));
    open_driver("fs");
    expect(STR("a"), STR("b"), STR("2"), ((str){q, 300000}));
    documents_close(docs);
    assert_ok(documents_open(store, &(struct documents_options){0}, &docs, &e));
    auto_buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(get(STR("a"), STR("b"), STR("1"), &b), ERR_UNSUPPORTED);
}

static void files_without_rows_go(void **state)
{
    autofree char *p = noise(300000, 1);
    put(STR("a"), STR("b"), STR("1"), ((str){p, 300000}));
    char dir[200], path[300];
    snprintf(dir, sizeof dir, "%s/ab", directory);
    assert_ok(fs_mkdirs(dir, &e));
    snprintf(path, sizeof path, "%s/ab%062d-999", dir, 0);
    assert_ok(fs_write_atomic(path, STR("x"), 0600, &e));
    assert_int_equal(documents_sweep(docs, 10, &e), 0);
    struct timespec old[2] = {{time(NULL) - 2 * 86400, 0}, {time(NULL) - 2 * 86400, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_int_equal(documents_sweep(docs, 10, &e), 1);
    expect(STR("a"), STR("b"), STR("1"), ((str){p, 300000}));
}

static void cuts_are_bounded(void **state)
{
    struct chunk_cutter c;
    chunk_cutter_init(&c);
    autofree char *p = noise(8000000, 3), *zeros = calloc(1, 1000000);
    size_t n = 0;
    for (int large = 0; large < 2; large++, n = 0) {
        size_t factor = large ? 4 : 1;
        for (str rest = {p, 8000000}; rest.n; n++) {
            size_t cut = chunk_cut(&c, rest, large);
            assert_true(cut <= CHUNK_MAX && (cut >= CHUNK_MIN * factor || cut == rest.n));
            rest = str_from(rest, cut);
        }
        size_t mean = CHUNK_MEAN * factor;
        assert_true(n > 8000000 / mean / 2 && n < 8000000 / mean * 2);
        for (str rest = {zeros, 1000000}; rest.n;)
            rest = str_from(rest, chunk_cut(&c, rest, large));
    }
    assert_int_equal(chunk_cut(&c, STR("x"), false), 1);
}

static void put_parts(str key, const struct document_part *parts, size_t n)
{
    struct db_tx *tx = begin();
    assert_ok(document_put_parts(docs, tx, STR("a"), STR("b"), key, STR(""), parts, n, &e));
    assert_ok(db_commit(tx, &e));
}

static void parts_are_documents(void **state)
{
    autofree char *p = noise(5000000, 1);
    struct document_part parts[] = {
        {STR_INIT("small"), STR_INIT("text")},  {STR_INIT("none"), STR_INIT("")},
        {STR_INIT("edge"), {p, 1 << 10}},       {STR_INIT("over"), {p + 7, (1 << 10) + 1}},
        {STR_INIT("own"), {p, 64 << 10}, true}, {STR_INIT("more"), {p, (64 << 10) + 1}, true},
        {STR_INIT("big"), {p + 1000, 4000000}}, {STR_INIT("same"), {p + 1000, 4000000}},
    };
    size_t n = KE_ARRAY_LEN(parts);
    char key[32];
    put(STR("a"), STR("b"), STR("i/small"), STR("from an older version"));
    put_parts(STR("i"), parts, n);
    for (size_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "i/%.*s", STR_ARG(parts[i].name));
        expect(STR("a"), STR("b"), str_z(key), parts[i].bytes);
    }
    assert_int_equal(count("SELECT COUNT(*) FROM document"), 1);
    auto_buf b;
    buf_init(&b, 64 << 20);
    static const char *const missing[] = {"i", "i/other", "i/big/x", "j/small", "i/", "/small"};
    for (size_t i = 0; i < KE_ARRAY_LEN(missing); i++)
        assert_int_equal(get(STR("a"), STR("b"), str_z(missing[i]), &b), ERR_NOT_FOUND);
    assert_int_equal(get(STR("c"), STR("b"), STR("i/small"), &b), ERR_NOT_FOUND);
    buf_done(&b);
    buf_init(&b, 3000000);
    assert_int_equal(get(STR("a"), STR("b"), STR("i/big"), &b), ERR_LIMIT);
    /* One of its own comes first; a copy has them all; a new set replaces the old one. */
    put(STR("a"), STR("b"), STR("i/small"), STR("newer"));
    expect(STR("a"), STR("b"), STR("i/small"), STR("newer"));
    struct db_tx *tx = begin();
    assert_ok(
        document_copy(docs, tx, STR("a"), STR("b"), STR("i"), STR("c"), STR("d"), STR("k/i"), &e));
    uint64_t size = 0;
    assert_int_equal(document_stat(docs, tx, STR("c"), STR("d"), STR("k/i"), &size, NULL, &e), 1);
    assert_int_equal(size,
                     4 + (1 << 10) + (1 << 10) + 1 + (64 << 10) + (64 << 10) + 1 + 2 * 4000000);
    assert_ok(db_commit(tx, &e));
    put_parts(STR("i"), parts + 1, 1);
    assert_int_equal(get(STR("a"), STR("b"), STR("i/small"), &b), ERR_NOT_FOUND);
    for (int i = 0; i < 3; i++)
        assert_ok(documents_sweep(docs, 1000, &e));
    expect(STR("c"), STR("d"), STR("k/i/same"), parts[n - 1].bytes);
    assert_int_equal(delete_one(STR("c"), STR("d"), STR("k/i")), 1);
    assert_int_equal(delete_one(STR("a"), STR("b"), STR("i")), 1);
    for (int i = 0; i < 4; i++)
        assert_ok(documents_sweep(docs, 5000, &e));
    assert_int_equal(count("SELECT COUNT(*) FROM chunk"), 0);
    assert_int_equal(count("SELECT COUNT(*) FROM content"), 0);
}

static int twice(str bytes, struct buf *out, struct err *err)
{
    buf_add_str(out, bytes);
    buf_add_str(out, bytes);
    return buf_check(out, "twice", err);
}

static struct document_ref *share(str key, const struct document_form *form)
{
    struct db_tx *tx;
    struct document_ref *r = NULL;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(document_share(docs, tx, STR("a"), STR("b"), key, 1 << 20, form, &r, &e));
    db_rollback(tx);
    return r;
}

static void shared_bytes_outlive_all(void **state)
{
    static const struct document_form form = {.id = 1, .make = twice};
    autofree char *p = noise(500000, 1);
    struct document_part part = {STR_INIT("x"), {p, 500000}};
    put(STR("a"), STR("b"), STR("k"), STR("text"));
    put_parts(STR("i"), &part, 1);
    struct document_ref *k = share(STR("k"), NULL), *same = share(STR("k"), NULL);
    struct document_ref *x = share(STR("i/x"), NULL), *two = share(STR("i/x"), &form);
    struct document_ref *again = share(STR("i/x"), &form);
    assert_ptr_equal(k, same);
    assert_ptr_equal(two, again);
    assert_int_equal(document_ref_bytes(two).n, 1000000);
    document_ref_drop(again);
    document_ref_drop(same);
    put(STR("a"), STR("b"), STR("k"), STR("newer"));
    same = share(STR("k"), NULL);
    assert_str(document_ref_bytes(same), STR("newer"));
    assert_str(document_ref_bytes(k), STR("text"));
    struct db_tx *tx;
    struct document_ref *none = NULL;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_int_equal(
        document_share(docs, tx, STR("a"), STR("b"), STR("i/y"), 1 << 20, NULL, &none, &e),
        ERR_NOT_FOUND);
    assert_int_equal(
        document_share(docs, tx, STR("c"), STR("b"), STR("i/x"), 1 << 20, NULL, &none, &e),
        ERR_NOT_FOUND);
    assert_null(none);
    db_rollback(tx);
    documents_close(docs);
    docs = NULL;
    assert_true(str_eq(document_ref_bytes(x), part.bytes));
    assert_true(str_eq(str_sub(document_ref_bytes(two), 500000, 1000000), part.bytes));
    document_ref_drop(x);
    document_ref_drop(two);
    document_ref_drop(k);
    document_ref_drop(same);
}

static void the_cache_is_bounded(void **state)
{
    documents_close(docs);
    struct documents_options o = {.cache_bytes = 10000};
    assert_ok(documents_open(store, &o, &docs, &e));
    autofree char *p = noise(20000, 1);
    char key[16];
    struct document_ref *first = NULL;
    for (int i = 0; i < 4; i++) {
        snprintf(key, sizeof key, "k%d", i);
        put(STR("a"), STR("b"), str_z(key), ((str){p + i, 4000}));
        struct document_ref *r = share(str_z(key), NULL);
        assert_true(str_eq(document_ref_bytes(r), ((str){p + i, 4000})));
        if (i)
            document_ref_drop(r);
        else
            first = r;
    }
    struct document_ref *r = share(STR("k0"), NULL);
    assert_ptr_not_equal(r, first); /* it had to go */
    document_ref_drop(r);
    document_ref_drop(first);
    put(STR("a"), STR("b"), STR("big"), ((str){p, 20000})); /* larger than half: never kept */
    first = share(STR("big"), NULL);
    r = share(STR("big"), NULL);
    assert_ptr_not_equal(r, first);
    document_ref_drop(r);
    document_ref_drop(first);
}

static void damaged_parts_are_noticed(void **state)
{
    autofree char *p = noise(20000, 1);
    struct document_part parts[] = {{STR_INIT("x"), STR_INIT("text")}, {STR_INIT("y"), {p, 20000}}};
    static const char *const damages[] = {
        "UPDATE content SET parts = $1",
        "UPDATE content SET chunks = $1",
        "UPDATE content SET digest = $1",
    };
    static const str bad[] = {STR_INIT("nonsense"), STR_INIT("\x01"), STR_INIT("\xff\xff\xff"),
                              STR_INIT("")};
    auto_buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < KE_ARRAY_LEN(damages) * KE_ARRAY_LEN(bad); i++) {
        put_parts(STR("i"), parts, 2);
        struct db_tx *tx = begin();
        assert_ok(db_exec(tx, damages[i % KE_ARRAY_LEN(damages)],
                          DB(DBB(bad[i / KE_ARRAY_LEN(damages)])), &e));
        assert_ok(db_commit(tx, &e));
        assert_int_equal(get(STR("a"), STR("b"), STR("i/y"), &b), ERR_MISMATCH);
        tx = begin();
        assert_ok(db_exec(tx, "DELETE FROM document", DB0, &e));
        assert_ok(db_exec(tx, "DELETE FROM content", DB0, &e));
        assert_ok(db_commit(tx, &e));
    }
}

/* Keys of the bucket that begin with prefix. */
struct seen {
    unsigned n;
    char last[S3_KEY_MAX + 1];
};

static int see_key(void *ctx, const char *key, int64_t modified, struct err *e_)
{
    struct seen *x = ctx;
    x->n++;
    snprintf(x->last, sizeof x->last, "%s", key);
    return 0;
}

static unsigned objects(void)
{
    struct s3 *s;
    struct seen x = {0};
    int more = 1;
    const struct s3_options o = {
        .url = url, .bucket = "bucket", .access_key = "A", .secret_key = "s"};
    assert_ok(s3_new(&o, &s, &e));
    while (more > 0)
        more = s3_list(s, "kellet/", x.last, see_key, &x, &e);
    assert_int_equal(more, 0);
    s3_free(s);
    return x.n;
}

static void an_object_a_document(void **state)
{
    autofree char *p = noise(3000000, 1);
    put(STR("a"), STR("b"), STR("1"), ((str){p, 3000000}));
    put(STR("a"), STR("b"), STR("2"), ((str){p, 3000000}));
    assert_int_equal(objects(), 1);
    expect(STR("a"), STR("b"), STR("1"), ((str){p, 3000000}));
    delete_one(STR("a"), STR("b"), STR("1"));
    delete_one(STR("a"), STR("b"), STR("2"));
    for (int i = 0; i < 3; i++)
        assert_ok(documents_sweep(docs, 1000, &e));
    assert_int_equal(objects(), 0);
}

static void a_bucket_that_fails(void **state)
{
    struct documents *own;
    autofree char *p = noise(300000, 1);
    struct s3_options s3 = {
        .url = "http://127.0.0.1:1", .bucket = "bucket", .access_key = "A", .secret_key = "s"};
    struct documents_options o = {.driver = "s3", .s3 = &s3};
    assert_ok(documents_open(store, &o, &own, &e));
    struct db_tx *tx = begin();
    assert_int_equal(document_put(own, tx, STR("a"), STR("b"), STR("k"), ((str){p, 300000}), &e),
                     ERR_NET);
    db_rollback(tx);
    documents_close(own);
    assert_int_equal(count("SELECT COUNT(*) FROM chunk"), 0);
    o.s3_check = true;
    assert_int_equal(documents_open(store, &o, &own, &e), ERR_NET);
    s3.url = url;
    s3.bucket = "denied";
    assert_int_equal(documents_open(store, &o, &own, &e), ERR_AUTH);
    put(STR("a"), STR("b"), STR("1"), ((str){p, 300000}));
    documents_close(docs);
    assert_ok(documents_open(store, &(struct documents_options){0}, &docs, &e));
    auto_buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(get(STR("a"), STR("b"), STR("1"), &b), ERR_UNSUPPORTED);
}

static int stop_at_two(void *ctx, const struct documents_migration *m, struct err *e_)
{
    return m->moved == 2 ? err_set(e_, ERR_CONFLICT, "stopped") : 0;
}

/* All documents there are, from every driver to every other one, in two runs. */
static void documents_move(void **state)
{
    static const char *const drivers[] = {"db", "s3", "fs", "db"};
    static const size_t sizes[] = {10, 17000, 100000, 300000, 2500000};
    autofree char *p = noise(2500000, 5);
    open_driver("db");
    for (size_t i = 0; i < KE_ARRAY_LEN(sizes); i++)
        put(STR("a"), STR("b"), (str){"12345" + i, 1}, ((str){p, sizes[i]}));
    put(STR("a"), STR("c"), STR("again"), ((str){p, 300000}));
    const struct document_part parts[] = {{STR_INIT("own"), {p, 50000}, true},
                                          {STR_INIT("none"), STR_INIT("")},
                                          {STR_INIT("small"), {p + 5, 5000}},
                                          {STR_INIT("big"), {p, 2000000}},
                                          {STR_INIT("same"), {p, 2000000}}};
    put_parts(STR("p"), parts, KE_ARRAY_LEN(parts));
    for (size_t i = 1; i < KE_ARRAY_LEN(drivers); i++) {
        open_driver(drivers[i]);
        assert_int_equal(documents_elsewhere(docs, &e), 5);
        struct documents_migration m = {.progress = stop_at_two};
        assert_int_equal(documents_migrate(docs, &m, &e), ERR_CONFLICT);
        assert_int_equal(documents_elsewhere(docs, &e), 3);
        m = (struct documents_migration){0};
        assert_ok(documents_migrate(docs, &m, &e));
        assert_int_equal(m.contents, 5);
        assert_int_equal(m.moved, 3);
        assert_int_equal(documents_elsewhere(docs, &e), 0);
        for (int k = 0; k < 3; k++)
            assert_ok(documents_sweep(docs, 1000, &e));
        for (size_t k = 0; k < KE_ARRAY_LEN(sizes); k++)
            expect(STR("a"), STR("b"), (str){"12345" + k, 1}, ((str){p, sizes[k]}));
        expect(STR("a"), STR("c"), STR("again"), ((str){p, 300000}));
        for (size_t k = 0; k < KE_ARRAY_LEN(parts); k++) {
            char key[20];
            snprintf(key, sizeof key, "p/%.*s", STR_ARG(parts[k].name));
            expect(STR("a"), STR("b"), str_z(key), parts[k].bytes);
        }
    }
    assert_int_equal(count("SELECT COUNT(*) FROM chunk WHERE driver <> 0"), 0);
    assert_int_equal(objects(), 0);
    const char *find[] = {"sh", "-c", "test -z \"$(find \"$0\" -type f)\"", directory, NULL};
    assert_int_equal(store_spawn(find), 0);
}

#define both(fn)                                                                                   \
    cmocka_unit_test_setup_teardown(fn, open_db, close_all),                                       \
        cmocka_unit_test_setup_teardown(fn, open_fs, close_all)
#define all(fn) both(fn), cmocka_unit_test_setup_teardown(fn, open_s3, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        all(all_sizes_come_back),
        both(what_is_not_there),
        all(bytes_are_kept_once),
        all(sweeping_leaves_what_is_named),
        both(copies_and_prefixes),
        both(a_rollback_leaves_nothing),
        both(damage_is_noticed),
        all(parts_are_documents),
        both(damaged_parts_are_noticed),
        both(shared_bytes_outlive_all),
        cmocka_unit_test_setup_teardown(the_cache_is_bounded, open_db, close_all),
        cmocka_unit_test_setup_teardown(old_drivers_stay_readable, open_fs, close_all),
        cmocka_unit_test_setup_teardown(an_object_a_document, open_s3, close_all),
        cmocka_unit_test_setup_teardown(a_bucket_that_fails, open_s3, close_all),
        cmocka_unit_test_setup_teardown(documents_move, open_s3, close_all),
        cmocka_unit_test_setup_teardown(files_without_rows_go, open_fs, close_all),
        cmocka_unit_test(cuts_are_bounded),
    };
    if (!server_start(&server, "store/s3_server.py"))
        return 77;
    snprintf(url, sizeof url, "http://127.0.0.1:%u", server.port);
    int failed = store_run("documents", tests);
    server_stop(&server);
    return failed;
}
