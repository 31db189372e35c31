#include "reindex_world.h"

/* The process dies before a transaction that writes: what comes after never is. */
static int writes_left = -1; /* negative: it lives on */
static bool dead;

int __real_db_run(struct db *db, enum db_mode mode,
                  int (*fn)(struct db_tx *tx, void *ctx, struct err *err), void *ctx,
                  struct err *err);
int __wrap_db_run(struct db *db, enum db_mode mode,
                  int (*fn)(struct db_tx *tx, void *ctx, struct err *err), void *ctx,
                  struct err *err);
int __wrap_db_run(struct db *db, enum db_mode mode,
                  int (*fn)(struct db_tx *tx, void *ctx, struct err *err), void *ctx,
                  struct err *err)
{
    dead |= mode == DB_WRITE && writes_left >= 0 && writes_left-- == 0;
    return dead ? err_set(err, ERR_IO, "killed") : __real_db_run(db, mode, fn, ctx, err);
}

/* Stopped after every possible step, and taken over: each change is told once. */
static void stopped_anywhere_it_goes_on(void **state)
{
    static const char want[] = "a/2: curl CVE-3 removed\nb/4: curl CVE-3 removed\n";
    for (int after = 0; after < 8; after++) {
        struct reindex_result r;
        int64_t place = count("SELECT COALESCE(MAX(seq), 0) FROM finding_change");
        calls_left = -1;
        install(claims, CLAIMS);
        for (size_t i = 0; i < KE_ARRAY_LEN(images); i++)
            put(&images[i]);
        go_through("one");
        (void)changes_since(&place, STR(""));
        install(claims, 2);
        calls_left = after;
        struct reindex_options o = options("one");
        int rc = reindex_data(&o, &r, &e);
        assert_true(rc == 0 || rc == ERR_CONFLICT);
        int64_t open = count("SELECT COUNT(*) FROM finding_batch WHERE ended_at IS NULL");
        assert_int_equal(open, rc == 0 ? 0 : 1);
        bool told_early = *changes_since(&place, STR("")) != '\0';
        if (told_early)
            assert_string_equal(buf_z(&told), want);
        /* The list is whole or not there; what was listed stays when another goes on. */
        bool listed = count("SELECT COUNT(*) FROM finding_batch WHERE listed_at IS NOT NULL AND"
                            " id = (SELECT MAX(id) FROM finding_batch)");
        assert_true(listed || !told_early);
        assert_string_equal(listed_images("", 0, 0, 0), listed ? "a/2 b/4 " : "none");
        calls_left = -1;
        go_through("two");
        assert_string_equal(changes_since(&place, STR("")), told_early ? "" : want);
        assert_string_equal(changes_since(&place, STR("")), "");
        assert_string_equal(listed_images("", 0, 0, 0), "a/2 b/4 ");
    }
}

static void all_that_is_known(struct buf *out)
{
    auto_rows *rows = NULL;
    struct db_tx *tx;
    int rc;
    buf_clear(out);
    for (size_t i = 0; i < KE_ARRAY_LEN(images); i++)
        buf_add_str(out, str_z(memory_of(images[i].account, images[i].digest)));
    buf_add_str(out, str_z(affected("", "CVE-1,CVE-3", now_us(), false)));
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(
        db_query(tx, "SELECT image, counts FROM finding_summary ORDER BY image", DB0, &rows, &e));
    while ((rc = db_next(rows, &e)) == 1) {
        str counts = db_blob(rows, 1);
        buf_addf(out, "%lld:", (long long)db_int(rows, 0));
        for (size_t i = 0; i < counts.n; i++)
            buf_addf(out, "%02x", (unsigned char)counts.p[i]);
    }
    assert_int_equal(rc, 0);
    db_rows_close(TAKE(rows));
    db_rollback(tx);
}

/* Whether it was: before the write of that number (negative: never). */
static bool round_that_is_killed(int before)
{
    struct reindex_options o = options("one");
    struct reindex_result r;
    dead = false;
    writes_left = before;
    if (reindex_data(&o, &r, &e) >= 0 && reindex_packages(&o, &e) >= 0)
        (void)reindex_images(&o, &e);
    bool killed = dead;
    dead = false;
    writes_left = -1;
    return killed;
}

/* Data take a vulnerability away, and an image has a package that was never matched. Killed before
 * every transaction that writes, in a new store each time: each change is told once, and in the end
 * all is as if nobody had been killed. */
static void killed_anywhere_another_goes_on(void **state)
{
    static const char want[] = "a/2: curl CVE-3 removed\nb/4: curl CVE-3 removed\n";
    static const struct image late = {"b", "sha256:5", "1.1", "", ""};
    auto_buf whole, now;
    buf_init(&whole, 1 << 20);
    buf_init(&now, 1 << 20);
    bool killed = true;
    int before;
    for (before = -1; before < 1 || killed; before++) {
        int64_t place = 0;
        begin();
        put(&late);
        install(claims, 2);
        killed = round_that_is_killed(before);
        bool early = *changes_since(&place, STR("")) != '\0';
        if (early)
            assert_string_equal(buf_z(&told), want);
        go_through("two");
        assert_string_equal(changes_since(&place, STR("")), early ? "" : want);
        assert_string_equal(listed_images("", 0, 0, 0), "a/2 b/4 ");
        all_that_is_known(&now);
        if (before < 0)
            buf_add_str(&whole, buf_view(&now));
        assert_string_equal(buf_z(&now), buf_z(&whole));
        teardown(state);
        setup(state);
    }
    assert_true(before > 8);
}

/* The next data take back what those said in whose middle it died. */
static void what_was_begun_may_be_taken_back(void **state)
{
    static const char memory[] = "CVE-3 curl Medium fix=7.5\n";
    bool killed = true;
    int before, half = 0;
    for (before = 0; killed; before++) {
        begin();
        install(claims, 2);
        killed = round_that_is_killed(before);
        half += killed && count("SELECT COUNT(*) FROM finding_change") > 0;
        install(claims, CLAIMS);
        go_through("two");
        assert_string_equal(affected("", "CVE-3", now_us(), false), "a/2 b/4 ");
        assert_true(str_ends(str_z(memory_of("b", "sha256:4")), str_z(memory)));
        int64_t sum = count("SELECT COALESCE(SUM(CASE kinds WHEN 1 THEN 1 ELSE -1 END), 0) FROM"
                            " finding_change WHERE vulnerability = 'CVE-3'");
        assert_int_equal(sum, 0); /* told as often that it went as that it came */
        teardown(state);
        setup(state);
    }
    assert_true(half > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        reindex_test(stopped_anywhere_it_goes_on),
        reindex_test(killed_anywhere_another_goes_on),
        reindex_test(what_was_begun_may_be_taken_back),
    };
    return store_run("reindex_killed", tests);
}
