/* Documents that are kept as what differs from others of their family. */
#include <signal.h>

#include "store_test.h"

#include "base/buf.h"
#include "base/hash.h"
#include "store/documents.h"
#include "store/documents_migrate.h"

static struct err e;
static struct documents *docs;
static char directory[128];

static int open_all(void **state)
{
    store_each(state);
    assert_ok(documents_open(store, &(struct documents_options){.keep_us = 1}, &docs, &e));
    return 0;
}

static int close_all(void **state)
{
    documents_close(docs);
    docs = NULL;
    return store_each_end(state);
}

enum { LINES = 400, PARTS = 5 };

static uint64_t mix(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t v[3] = {a, b, c};
    return hash64(v, sizeof v);
}

/* When line i of document v changed last: every twentieth does so from one to the next. */
static uint64_t changed(uint64_t seed, uint64_t v, uint64_t i)
{
    while (v && mix(seed, v, i) % 20)
        v--;
    return v;
}

struct version {
    struct buf text[PARTS];
    struct document_part parts[PARTS];
};

static void version_make(struct version *x, uint64_t seed, uint64_t v)
{
    static const char *const names[PARTS] = {"files", "sbom", "config", "small", "none"};
    for (int k = 0; k < PARTS; k++)
        buf_init(&x->text[k], 1 << 20);
    for (uint64_t i = 0; i < LINES; i++) {
        /* What all families have first: their chunks are shared. */
        uint64_t s = i < LINES / 2 ? 0 : seed, at = i < LINES / 2 ? 0 : changed(seed, v, i);
        buf_addf(&x->text[0],
                 "    {\n      \"filename\": \"/path/of/file-%llu\",\n      \"gid\": 0,\n"
                 "      \"linkdest\": null,\n      \"mode\": \"00644\",\n      \"sha256\":"
                 " \"%016llx%016llx%016llx%016llx\",\n      \"type\": \"file\",\n      \"uid\": "
                 "0\n    },\n",
                 (unsigned long long)i, (unsigned long long)mix(s, i, at),
                 (unsigned long long)mix(at, s, i), (unsigned long long)mix(i, s, at),
                 (unsigned long long)mix(at, i, s));
        if (i % 7 == 0)
            buf_addf(&x->text[1], "{\"id\": \"%016llx\", \"name\": \"package-%llu\"},\n",
                     (unsigned long long)mix(s, i, at), (unsigned long long)i);
    }
    buf_addf(&x->text[2], "{\"version\": %llu, \"of\": %llu}", (unsigned long long)v,
             (unsigned long long)seed);
    buf_addf(&x->text[3], "%llu", (unsigned long long)(v / 3));
    for (int k = 0; k < PARTS; k++)
        x->parts[k] = (struct document_part){str_z(names[k]), buf_view(&x->text[k]), k == 2};
}

static void version_free(struct version *x)
{
    for (int k = 0; k < PARTS; k++)
        buf_done(&x->text[k]);
}

struct putting {
    struct documents *d;
    struct version *x;
    str key, family;
};

static int put_tx(struct db_tx *tx, void *ctx, struct err *err)
{
    struct putting *p = ctx;
    return document_put_parts(p->d, tx, STR("a"), STR("b"), p->key, p->family, p->x->parts, PARTS,
                              err);
}

static int put(struct db *db, struct documents *d, uint64_t seed, uint64_t v, struct err *err)
{
    struct version x;
    char key[40], family[40];
    snprintf(key, sizeof key, "%llu.%llu", (unsigned long long)seed, (unsigned long long)v);
    snprintf(family, sizeof family, "family %llu", (unsigned long long)seed);
    version_make(&x, seed, v);
    struct putting p = {d, &x, str_z(key), str_z(family)};
    int rc = db_run(db, DB_WRITE, put_tx, &p, err);
    version_free(&x);
    return rc;
}

struct deleting {
    struct documents *d;
    str key;
};

static int delete_tx(struct db_tx *tx, void *ctx, struct err *err)
{
    struct deleting *x = ctx;
    return document_delete(x->d, tx, STR("a"), STR("b"), x->key, err);
}

static int drop(struct db *db, struct documents *d, uint64_t seed, uint64_t v, struct err *err)
{
    char key[40];
    snprintf(key, sizeof key, "%llu.%llu", (unsigned long long)seed, (unsigned long long)v);
    struct deleting x = {d, str_z(key)};
    return db_run(db, DB_WRITE, delete_tx, &x, err);
}

/* 1: the part is what was written; 0: there is no such document. */
static int look(uint64_t seed, uint64_t v, int part)
{
    struct version x;
    char key[60];
    auto_buf b;
    auto_tx *tx = NULL;
    version_make(&x, seed, v);
    snprintf(key, sizeof key, "%llu.%llu/%.*s", (unsigned long long)seed, (unsigned long long)v,
             STR_ARG(x.parts[part].name));
    buf_init(&b, 1 << 20);
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    int rc = document_get(docs, tx, STR("a"), STR("b"), str_z(key), &b, &e);
    if (rc == 0)
        assert_true(str_eq(buf_view(&b), x.parts[part].bytes));
    version_free(&x);
    return rc == 0 ? 1 : rc == ERR_NOT_FOUND ? 0 : rc;
}

static void expect_all(uint64_t seed, uint64_t v)
{
    for (int k = 0; k < PARTS; k++)
        assert_int_equal(look(seed, v, k), 1);
}

static int64_t count(const char *sql)
{
    auto_tx *tx = NULL;
    int64_t n = -1;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(db_query_int(tx, sql, DB0, &n, &e));
    return n;
}

static void run(const char *sql)
{
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_ok(db_exec(tx, sql, DB0, &e));
    assert_ok(db_commit(tx, &e));
}

static void sweep_all(void)
{
    for (int i = 0; i < 40; i++)
        assert_ok(documents_sweep(docs, 5000, &e));
}

static void expect_nothing(void)
{
    sweep_all();
    static const char *const tables[] = {"content", "chunk", "chunk_area", "chunk_use",
                                         "document_family"};
    for (size_t i = 0; i < KE_ARRAY_LEN(tables); i++) {
        char sql[60];
        snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM %s", tables[i]);
        assert_int_equal(count(sql), 0);
    }
}

static void versions_come_back(void **state)
{
    enum { versions = 70 };
    for (uint64_t v = 0; v < versions; v++) {
        assert_ok(put(store, docs, 1, v, &e));
        if (v < 6)
            assert_ok(put(store, docs, 2, v, &e));
    }
    for (uint64_t v = 0; v < versions; v++)
        expect_all(1, v);
    for (uint64_t v = 0; v < 6; v++)
        expect_all(2, v);
    /* Numbers 0 and 64 of the first family and 0 of the second are whole. */
    assert_int_equal(count("SELECT COUNT(*) FROM content WHERE base IS NULL"), 3);
    assert_true(count("SELECT SUM(LENGTH(delta)) FROM content") <
                count("SELECT SUM(size) FROM content") / 20);
    /* Bases stay as long as they are needed, and no longer. */
    for (uint64_t v = 0; v < versions; v += v % 2 ? 3 : 1)
        assert_int_equal(drop(store, docs, 1, v, &e), 1);
    sweep_all();
    for (uint64_t v = 0; v < versions; v++)
        if (look(1, v, 0) != 0)
            expect_all(1, v);
    expect_all(2, 5);
    for (uint64_t v = 0; v < versions; v++)
        assert_ok(drop(store, docs, 1, v, &e));
    sweep_all();
    for (uint64_t v = 0; v < 6; v++)
        expect_all(2, v);
    assert_ok(put(store, docs, 1, 99, &e)); /* its family is gone */
    expect_all(1, 99);
    assert_int_equal(drop(store, docs, 1, 99, &e), 1);
    for (uint64_t v = 0; v < 6; v++)
        assert_int_equal(drop(store, docs, 2, v, &e), 1);
    expect_nothing();
}

/* Who has little in common with the one before is kept whole. */
static void strangers_are_whole(void **state)
{
    struct version x;
    struct putting p = {docs, &x, STR("x"), STR("family 1")};
    assert_ok(put(store, docs, 1, 1, &e));
    version_make(&x, 5, 5);
    assert_ok(db_run(store, DB_WRITE, put_tx, &p, &e));
    version_free(&x);
    assert_int_equal(count("SELECT COUNT(*) FROM content WHERE base IS NOT NULL"), 0);
    assert_ok(put(store, docs, 5, 6, &e));
    /* The same once more costs next to nothing. */
    assert_ok(put(store, docs, 1, 1, &e));
    expect_all(1, 1);
}

static void damage_is_noticed(void **state)
{
    static const char *const damages[] = {
        "UPDATE content SET delta = parts WHERE base IS NOT NULL",
        "UPDATE content SET chunks = parts WHERE base IS NOT NULL",
        "UPDATE content SET parts = delta WHERE base IS NOT NULL",
        "UPDATE content SET base = (SELECT MIN(id) FROM content) WHERE id ="
        " (SELECT MAX(id) FROM content)",
        "UPDATE content SET base = NULL WHERE id = (SELECT MAX(id) FROM content)",
        "UPDATE content SET base = id WHERE id = (SELECT MAX(id) FROM content)",
        "UPDATE content SET base = (SELECT MAX(id) FROM content) WHERE id ="
        " (SELECT MIN(id) FROM content)",
        "UPDATE content SET delta = NULL WHERE base IS NULL OR base IS NOT NULL",
        "UPDATE chunk SET data = NULL",
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(damages); i++) {
        if (i) {
            close_all(state);
            open_all(state);
        }
        for (uint64_t v = 0; v < 4; v++)
            assert_ok(put(store, docs, 1, v, &e));
        run(damages[i]);
        assert_int_equal(look(1, 3, 0), ERR_MISMATCH);
        /* What comes now does not suffer, unless it names what is broken itself. */
        if (i + 1 < KE_ARRAY_LEN(damages)) {
            assert_ok(put(store, docs, 1, 4, &e));
            expect_all(1, 4);
        }
    }
}

/* Rows of an earlier version: no one noted which contents name which chunks. */
static void old_rows_are_noted(void **state)
{
    for (uint64_t v = 0; v < 3; v++)
        assert_ok(put(store, docs, v, 0, &e));
    /* So that a sweep of a build before notes them for itself. */
    assert_int_equal(count("SELECT COUNT(*) FROM content WHERE named IS NOT NULL"), 0);
    run("INSERT INTO chunk_use (block, content) SELECT DISTINCT c.id / 16, k.id FROM chunk c"
        " CROSS JOIN content k WHERE k.chunks IS NOT NULL");
    int64_t noted = count("SELECT COUNT(*) FROM chunk_use");
    run("DELETE FROM chunk_area");
    run("UPDATE content SET area = NULL");
    assert_int_equal(drop(store, docs, 1, 0, &e), 1);
    sweep_all();
    assert_int_equal(count("SELECT COUNT(*) FROM content WHERE area IS NULL"
                           " AND chunks IS NOT NULL"),
                     0);
    expect_all(0, 0);
    expect_all(2, 0);
    assert_int_equal(drop(store, docs, 0, 0, &e), 1);
    assert_int_equal(drop(store, docs, 2, 0, &e), 1);
    sweep_all();
    assert_true(count("SELECT COUNT(*) FROM chunk_use") < noted);
    run("DELETE FROM chunk_use"); /* what no content named */
    expect_nothing();
}

static void families_move(void **state)
{
    for (uint64_t v = 0; v < 7; v++)
        assert_ok(put(store, docs, 1, v, &e));
    assert_int_equal(drop(store, docs, 1, 2, &e), 1);
    documents_close(docs);
    snprintf(directory, sizeof directory, "%s/chunks", store_dir);
    struct documents_options o = {.driver = "fs", .directory = directory, .keep_us = 1};
    assert_ok(documents_open(store, &o, &docs, &e));
    struct documents_migration m = {0};
    assert_ok(documents_migrate(docs, &m, &e));
    sweep_all();
    assert_int_equal(documents_elsewhere(docs, &e), 0);
    for (uint64_t v = 0; v < 7; v++)
        if (v != 2)
            expect_all(1, v);
    for (uint64_t v = 0; v < 7; v++)
        assert_ok(drop(store, docs, 1, v, &e));
    expect_nothing();
}

/* Who is writing has seen chunks that are marked and swept before it commits. */
static void a_sweep_waits_for_writers(void **state)
{
    struct version x;
    struct putting p = {docs, &x, STR("2.0"), STR("family 2")};
    struct db_tx *tx;
    if (!store_on_postgres) /* one writer at a time */
        skip();
    assert_ok(put(store, docs, 1, 0, &e));
    version_make(&x, 2, 0);
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_ok(put_tx(tx, &p, &e));
    assert_int_equal(drop(store, docs, 1, 0, &e), 1);
    assert_int_equal(documents_sweep(docs, 5000, &e), 1); /* the content */
    assert_ok(db_commit(tx, &e));
    version_free(&x);
    expect_all(2, 0);
    sweep_all();
    expect_all(2, 0);
    assert_int_equal(drop(store, docs, 2, 0, &e), 1);
    expect_nothing();
}

/* ---- kills -------------------------------------------------------------------------------------
 */

/* Puts, deletes and sweeps until it is killed. */
static void work(uint64_t seed)
{
    struct err mine = {0};
    struct db *db;
    struct documents *d;
    struct db_options o = {.url = store_url, .max_connections = 2, .acquire_timeout = 20};
    if (db_open(&o, &db, &mine) < 0 ||
        documents_open(db, &(struct documents_options){.keep_us = 1}, &d, &mine) < 0)
        _exit(1);
    for (;;) {
        seed = mix(seed, 1, 2);
        uint64_t family = seed % 3, v = seed / 3 % 12;
        int rc = seed / 64 % 4 == 0   ? (int)documents_sweep(d, 1000, &mine)
                 : seed / 64 % 4 == 1 ? drop(db, d, family, v, &mine)
                                      : put(db, d, family, v, &mine);
        if (rc < 0)
            _exit(2);
    }
}

/* A server goes on for a moment with what a client that was killed had asked for. */
static void wait_for_servers(void)
{
    while (store_on_postgres &&
           count("SELECT COUNT(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL"
                 " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"))
        usleep(2000);
}

static void kills_lose_nothing(void **state)
{
    for (uint64_t round = 0; round < 8; round++) {
        pid_t workers[2];
        for (uint64_t k = 0; k < 2; k++)
            if ((workers[k] = fork()) == 0)
                work(100 * round + k);
        /* Each stands still in turn, as on a machine that has other things to do. */
        for (uint64_t k = 0; k < 4 + 2 * round; k++) {
            usleep(15000);
            kill(workers[k % 2], SIGSTOP);
            usleep(10000);
            kill(workers[k % 2], SIGCONT);
        }
        for (int k = 0; k < 2; k++) {
            int status = 0;
            kill(workers[k], SIGKILL);
            assert_int_equal(waitpid(workers[k], &status, 0), workers[k]);
            assert_true(WIFSIGNALED(status)); /* it had not failed */
        }
        wait_for_servers();
        for (uint64_t i = 0; i < 36; i++) {
            int rc = look(i % 3, i / 3, 0);
            if (rc < 0)
                fail_msg("%s", e.text);
            if (rc)
                expect_all(i % 3, i / 3);
        }
    }
    for (uint64_t i = 0; i < 36; i++)
        assert_ok(drop(store, docs, i % 3, i / 3, &e));
    expect_nothing();
}

#define one(fn) cmocka_unit_test_setup_teardown(fn, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        one(versions_come_back), one(strangers_are_whole), one(damage_is_noticed),
        one(old_rows_are_noted), one(families_move),       one(a_sweep_waits_for_writers),
        one(kills_lose_nothing),
    };
    return store_run("document families", tests);
}
