/* rpm's SQLite databases, written by SQLite itself: logs, hostile schemas, damaged pages. */
#include "codec/rpm_build.h"

#include "packages/cataloguer.h"
#include "packages/rpm_sqlite.h"

#include <sqlite3.h>

static const char rpm_table[] =
    "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)";

/* A database in a directory of its own, removed again by close_files. */
struct files {
    char dir[64], db[80], wal[80];
    sqlite3 *handle;
};

static void must(struct files *f, const char *sql)
{
    char *text = NULL;
    if (sqlite3_exec(f->handle, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s: %s", sql, text);
}

static void open_files(struct files *f, int page_size, const char *schema)
{
    snprintf(f->dir, sizeof f->dir, "/tmp/kellet-rpm-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->db, sizeof f->db, "%s/x", f->dir);
    snprintf(f->wal, sizeof f->wal, "%s/x-wal", f->dir);
    assert_int_equal(sqlite3_open(f->db, &f->handle), SQLITE_OK);
    char sql[100];
    snprintf(sql, sizeof sql, "PRAGMA page_size=%d; PRAGMA wal_autocheckpoint=0", page_size);
    must(f, sql);
    must(f, schema);
}

static void close_files(struct files *f)
{
    sqlite3_close(f->handle);
    static const char *const names[] = {"x", "x-wal", "x-shm", "x-journal"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        char path[80];
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        unlink(path);
    }
    rmdir(f->dir);
}

/* Records first..last of growing size. */
static void insert(struct files *f, uint32_t first, uint32_t last)
{
    sqlite3_stmt *s = NULL;
    must(f, "BEGIN");
    assert_int_equal(
        sqlite3_prepare_v2(f->handle, "INSERT INTO Packages VALUES (?1, ?2)", -1, &s, NULL), 0);
    for (uint32_t i = first; i <= last; i++) {
        auto_buf blob;
        buf_init(&blob, 1 << 20);
        build_package(i, (size_t)i * 37, &blob);
        sqlite3_bind_int64(s, 1, i);
        sqlite3_bind_blob(s, 2, blob.p, (int)blob.n, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(s), SQLITE_DONE);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    must(f, "COMMIT");
}

static void load(const char *path, struct buf *out)
{
    struct err e = {0};
    buf_init(out, 256 << 20);
    if (access(path, R_OK) == 0)
        assert_ok(fs_read(path, out, &e));
}

static int read_both(str db, str wal, struct seen *out, struct err *e)
{
    struct spool *d = NULL, *w = NULL;
    *out = (struct seen){0};
    assert_int_equal(spool_from_mem(db, &d, e), 0);
    if (wal.n)
        assert_int_equal(spool_from_mem(wal, &w, e), 0);
    struct rpmdb_sink sink = {seen_blob, seen_lost, out};
    int r = rpm_sqlite_read(d, w, &sink, e);
    spool_free(d);
    spool_free(w);
    return r;
}

static void every_page_size(void **state)
{
    for (int page_size = 512; page_size <= 65536; page_size *= 2) {
        struct files f;
        struct seen s;
        struct err e = {0};
        auto_buf db;
        open_files(&f, page_size, rpm_table);
        insert(&f, 1, 200);
        must(&f, "DELETE FROM Packages WHERE hnum % 4 = 0");
        load(f.db, &db);
        assert_ok(read_both(buf_view(&db), (str){0}, &s, &e));
        assert_int_equal(s.n_blobs, 150);
        assert_int_equal(s.n_lost, 0);
        close_files(&f);
    }
}

static void write_ahead_log(void **state)
{
    struct files f;
    struct seen s;
    struct err e = {0};
    auto_buf db, wal;
    open_files(&f, 1024, rpm_table);
    insert(&f, 1, 50);
    must(&f, "PRAGMA journal_mode=WAL");
    load(f.db, &db);
    assert_ok(read_both(buf_view(&db), (str){0}, &s, &e)); /* log mode, but no log */
    assert_int_equal(s.n_blobs, 50);
    buf_done(&db);

    insert(&f, 51, 90);
    must(&f, "DELETE FROM Packages WHERE hnum <= 10");
    must(&f, "PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN; DELETE FROM Packages");
    load(f.db, &db);
    load(f.wal, &wal);
    assert_true(wal.n > 0);
    assert_ok(read_both(buf_view(&db), buf_view(&wal), &s, &e)); /* committed frames only */
    assert_int_equal(s.n_blobs, 80);
    assert_int_equal(s.n_lost, 0);
    assert_ok(read_both(buf_view(&db), (str){0}, &s, &e));
    assert_int_equal(s.n_blobs, 50);
    for (size_t n = 1; n < 32; n++) {
        wal.p[n] ^= 1;
        assert_ok(read_both(buf_view(&db), buf_view(&wal), &s, &e));
        assert_true(s.n_blobs == 50 && s.n_lost == 1);
        assert_non_null(strstr(s.first, "log is damaged"));
        wal.p[n] ^= 1;
    }
    assert_ok(read_both(buf_view(&db), str_sub(buf_view(&wal), 0, 31), &s, &e));
    assert_true(s.n_blobs == 50 && s.n_lost == 1);
    memset(wal.p, 0, wal.n);
    assert_ok(read_both(buf_view(&db), buf_view(&wal), &s, &e)); /* emptied */
    assert_true(s.n_blobs == 50 && s.n_lost == 0);
    close_files(&f);
}

/* The two files may come in either order, and of two of the same name the last one counts. */
static void files_in_any_order(void **state)
{
    struct files f;
    struct err e = {0};
    auto_buf db, wal;
    open_files(&f, 1024, rpm_table);
    must(&f, "PRAGMA journal_mode=WAL");
    insert(&f, 1, 9);
    load(f.db, &db);
    load(f.wal, &wal);
    const struct cat_test_file d = {STR("var/lib/rpm/rpmdb.sqlite"), buf_view(&db), 0644};
    const struct cat_test_file w = {STR("var/lib/rpm/rpmdb.sqlite-wal"), buf_view(&wal), 0644};
    const struct cat_test_file old = {STR("var/lib/rpm/rpmdb.sqlite"), STR("old"), 0644};
    const struct {
        struct cat_test_file files[3];
        size_t n, n_packages, n_problems;
    } rows[] = {
        {{d, w}, 2, 9, 0}, {{w, d}, 2, 9, 0}, {{old, w, d}, 3, 9, 0},
        {{d}, 1, 0, 0},    {{w}, 1, 0, 1},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct facts facts;
        assert_ok(catalogue_files(rows[i].files, rows[i].n, &facts, &e));
        if (facts.packages.n != rows[i].n_packages || facts.problems.n != rows[i].n_problems)
            fail_msg("row %zu: %zu packages, %zu problems", i, facts.packages.n, facts.problems.n);
        if (facts.packages.n)
            assert_str(facts.packages.p[0].path, d.path);
        facts_done(&facts);
    }
    close_files(&f);
}

static void hostile_schemas(void **state)
{
    static const char *const rows[] = {
        "CREATE TABLE t(a)",
        "CREATE VIEW Packages AS SELECT 1 AS hnum, x'00' AS blob",
        "CREATE VIEW Packages AS WITH RECURSIVE r(hnum) AS (SELECT 1 UNION ALL SELECT hnum + 1 "
        "FROM r) SELECT hnum, zeroblob(1000000) AS blob FROM r",
        "CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, blobs)",
        "CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, n, blob AS (zeroblob(100000000))); "
        "INSERT INTO Packages VALUES (1, 1)",
        "CREATE TABLE Packages(hnum TEXT PRIMARY KEY, blob) WITHOUT ROWID",
        "CREATE TABLE t(a); CREATE INDEX Packages ON t(a)",
        "CREATE VIRTUAL TABLE Packages USING fts3(blob)",
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct files f;
        struct seen s;
        struct err e = {0};
        auto_buf db;
        open_files(&f, 1024, rows[i]);
        load(f.db, &db);
        int r = read_both(buf_view(&db), (str){0}, &s, &e);
        if (s.n_blobs || (r == 0 && s.n_lost == 0) || (r != 0 && r != ERR_FORMAT))
            fail_msg("%s: %d %s; %u blobs", rows[i], r, e.text, s.n_blobs);
        close_files(&f);
    }
}

static void odd_rows(void **state)
{
    struct files f;
    struct seen s;
    struct err e = {0};
    auto_buf db;
    open_files(&f, 4096, "CREATE TABLE packages(hnum INTEGER PRIMARY KEY, blob)");
    insert(&f, 10, 19);
    must(&f, "INSERT INTO Packages VALUES (1, NULL), (2, 5), (3, 'text'), (4, x''), "
             "(15000, zeroblob(40000000)), (-7, x'01'), (20000, x'02')");
    load(f.db, &db);
    assert_ok(read_both(buf_view(&db), (str){0}, &s, &e));
    assert_int_equal(s.n_blobs, 12);
    assert_int_equal(s.n_lost, 5);
    close_files(&f);
}

/* Whatever page is lost, what is on others is found and the loss is told. */
static void damaged_pages(void **state)
{
    enum { N = 120, PAGE = 1024 };
    struct files f;
    struct seen s;
    struct err e = {0};
    auto_buf db;
    uint64_t found = 0, runs = 0;
    open_files(&f, PAGE, rpm_table);
    insert(&f, 1, N);
    load(f.db, &db);
    for (size_t at = PAGE; at < db.n; at += PAGE)
        for (int with = 0; with < 2; with++) {
            char saved[PAGE];
            memcpy(saved, db.p + at, PAGE);
            memset(db.p + at, with ? 0xff : 0, PAGE);
            int r = read_both(buf_view(&db), (str){0}, &s, &e);
            memcpy(db.p + at, saved, PAGE);
            if (r != 0 && r != ERR_FORMAT)
                fail_msg("page at %zu: %d %s", at, r, e.text);
            if (r == 0 && s.n_lost == 0 && s.n_blobs < N)
                fail_msg("page at %zu: %u packages and no word", at, s.n_blobs);
            found += s.n_blobs;
            runs++;
        }
    assert_true(found > runs * (N - 5));
    for (size_t n = 0; n < db.n; n += PAGE / 2) {
        autofree char *copy = malloc(n + 1);
        memcpy(copy, db.p, n);
        int r = read_both((str){copy, n}, (str){0}, &s, &e);
        assert_true(r == ERR_FORMAT || (r == 0 && s.n_lost > 0));
    }
    close_files(&f);
}

/* Every interior cell leads to the first leaf: rows come again, and that ends it. */
static void tree_that_leads_back(void **state)
{
    enum { PAGE = 512 };
    struct files f;
    struct seen s;
    struct err e = {0};
    auto_buf db;
    open_files(&f, PAGE, "CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, blob)");
    must(&f, "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 2000) "
             "INSERT INTO Packages SELECT n, zeroblob(50) FROM r");
    load(f.db, &db);
    for (size_t at = PAGE; at < db.n; at += PAGE) {
        uint8_t *page = (uint8_t *)db.p + at;
        if (page[0] != 5)
            continue;
        uint32_t n = page[3] << 8 | page[4];
        for (uint32_t i = 0; i < n; i++) {
            uint8_t *cell = page + (page[12 + 2 * i] << 8 | page[13 + 2 * i]);
            put32((char *)cell, 3, true);
        }
        put32((char *)page + 8, 3, true);
    }
    assert_ok(read_both(buf_view(&db), (str){0}, &s, &e));
    assert_true(s.n_lost > 0 && s.bytes <= db.n);
    close_files(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_size),
        cmocka_unit_test(write_ahead_log),
        cmocka_unit_test(files_in_any_order),
        cmocka_unit_test(hostile_schemas),
        cmocka_unit_test(odd_rows),
        cmocka_unit_test(damaged_pages),
        cmocka_unit_test(tree_that_leads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
