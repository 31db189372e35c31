#include "reindex_world.h"

static void first_sight_is_no_change(void **state)
{
    int64_t place = 0;
    begin();
    assert_string_equal(changes_since(&place, STR("")), "");
    assert_int_equal(count("SELECT COUNT(*) FROM finding_span"), 3);
    assert_int_equal(count("SELECT COUNT(*) FROM finding_summary"), KE_ARRAY_LEN(images));
    assert_string_equal(affected("", "CVE-1", now_us(), false), "a/1 a/2 b/5 ");
    assert_string_equal(affected("a", "CVE-1", now_us(), false), "a/1 a/2 ");
    assert_string_equal(affected("", "CVE-2", now_us(), true), "a/1 b/3 ");
    assert_string_equal(affected("", "CVE-1", 1, false), "");
    assert_string_equal(affected("", "CVE-4", now_us(), false), "");
    assert_string_equal(affected("", "GHSA-1,CVE-1,CVE-2", now_us(), false), "a/1 a/2 b/3 b/5 ");
    assert_string_equal(memory_of("a", "sha256:1"),
                        "CVE-1 openssl High fix=1.5\nCVE-2 zlib Low fix=\n");
}

static void only_what_changed_is_told(void **state)
{
    struct row rows[CLAIMS + 1];
    int64_t place = 0, before;
    begin();
    memcpy(rows, claims, sizeof claims);
    rows[0].severity = SEV_CRITICAL;    /* openssl: severity */
    rows[1].fixed = rows[1].hi = "1.2"; /* zlib: a fix */
    rows[1].state = FIX_FIXED;
    rows[2] = (struct row){"CVE-9", "debian:12",         "", "curl", "deb", "", "8", "",
                           "8",     .severity = SEV_HIGH}; /* curl: one went, one came */
    before = now_us();
    install(rows, CLAIMS);
    struct reindex_result r = go_through("one");
    assert_int_equal(r.names, 3);
    assert_int_equal(r.packages, 4);
    assert_int_equal(r.changes, 4);
    assert_int_equal(r.images, 5);
    assert_string_equal(changes_since(&place, STR("")),
                        "a/1: openssl CVE-1 severity zlib CVE-2 fix_available\n"
                        "a/2: openssl CVE-1 severity curl CVE-3 removed curl CVE-9 added\n"
                        "b/3: zlib CVE-2 fix_available\n"
                        "b/4: curl CVE-3 removed curl CVE-9 added\n"
                        "b/5: openssl CVE-1 severity\n");
    assert_string_equal(changes_since(&place, STR("")), "");
    place = 0;
    assert_string_equal(changes_since(&place, STR("a")),
                        "a/1: openssl CVE-1 severity zlib CVE-2 fix_available\n"
                        "a/2: openssl CVE-1 severity curl CVE-3 removed curl CVE-9 added\n");
    assert_string_equal(affected("", "CVE-3", before, false), "a/2 b/4 ");
    assert_string_equal(affected("", "CVE-3", now_us(), false), "");
    assert_string_equal(affected("", "CVE-9", before, false), "");
    assert_string_equal(affected("", "CVE-9", before, true), "a/2 b/4 ");
    assert_string_equal(memory_of("b", "sha256:4"),
                        "CVE-3 curl Medium fix=7.5 gone\nCVE-9 curl High fix=8\n");
    /* An image that comes later does not get what was before it. */
    struct image late = {"b", "sha256:6", "", "", "7.0"};
    put(&late);
    place = 0;
    go_through("one");
    assert_string_equal(changes_since(&place, STR("b")),
                        "b/3: zlib CVE-2 fix_available\n"
                        "b/4: curl CVE-3 removed curl CVE-9 added\n"
                        "b/5: openssl CVE-1 severity\n");
    assert_string_equal(memory_of("b", "sha256:6"), "CVE-9 curl High fix=8\n");
}

static void the_same_data_write_nothing(void **state)
{
    int64_t place = 0;
    begin();
    int64_t batches = count("SELECT COUNT(*) FROM finding_batch");
    struct reindex_result r = go_through("one");
    assert_int_equal(r.packages, 0);
    assert_int_equal(count("SELECT COUNT(*) FROM finding_batch"), batches);
    install(claims, CLAIMS); /* another generation that says the same */
    r = go_through("one");
    assert_int_equal(r.names, 0);
    assert_int_equal(r.packages, 0);
    assert_string_equal(changes_since(&place, STR("")), "");
    assert_int_equal(count("SELECT COUNT(*) FROM finding_summary WHERE batch > 0"), 0);
}

static int put_other_images(struct db_tx *tx, void *ctx, struct err *err)
{
    (void)ctx;
    int r = 0;
    for (int i = 0; r == 0 && i < 700; i++) {
        char digest[40], version[40];
        struct image image = {"c", digest, "", "", version};
        snprintf(digest, sizeof digest, "sha256:c%d", i);
        snprintf(version, sizeof version, "6.%d", i); /* of curl: more than a chunk of packages */
        r = put_one(tx, &image, err);
    }
    return r;
}

/* The list has just the images of which a change is told, whatever number of threads looked. */
static void the_list_is_complete_and_no_more(void **state)
{
    struct row rows[CLAIMS];
    begin();
    assert_ok(db_run(store, DB_WRITE, put_other_images, NULL, &e));
    go_through("one");
    memcpy(rows, claims, sizeof claims);
    rows[2].fixed = rows[2].hi = "6.350-1"; /* curl 6.350 and newer, 7.0: no longer */
    install(rows, CLAIMS);
    struct reindex_result r = go_through("one");
    assert_int_equal(r.packages, 701);
    assert_int_equal(r.images, 702); /* the others have another fix */
    assert_string_equal(listed_images("a", 0, 0, 0), "a/2 ");
    assert_string_equal(listed_images("b", 0, 0, 0), "b/4 ");
    assert_string_equal(listed_images("c", 0, 0, 2), "c/c0 c/c1 ");
    int64_t second = count("SELECT id FROM posting_image WHERE image_digest = 'sha256:c1'");
    assert_string_equal(listed_images("c", 0, second, 1), "c/c2 ");
    assert_string_equal(listed_images("", 999999, 0, 0), "none");
    /* What an older build stored of packages has no prints: the same list. */
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_int_equal(
        db_exec(tx, "UPDATE posting_package SET counts = SUBSTR(counts, 1, 6)", DB0, &e), 704);
    assert_ok(db_commit(tx, &e));
    rows[0].severity = SEV_LOW;
    install(rows, CLAIMS);
    r = go_through("one");
    assert_int_equal(r.changes, 1);
    assert_string_equal(listed_images("", 0, 0, 0), "a/1 a/2 b/5 ");
    assert_int_equal(count("SELECT COUNT(*) FROM posting_package WHERE LENGTH(counts) = 22"),
                     2); /* both versions of openssl */
}

static void who_was_overtaken_writes_nothing(void **state)
{
    struct reindex_options o = {0};
    begin();
    struct image other = {"a", "sha256:7", "1.1", "", ""};
    put(&other);
    o = options("two");
    struct reindex_result r;
    assert_ok(reindex_data(&o, &r, &e));
    o = options("one");
    assert_int_equal(reindex_packages(&o, &e), ERR_CONFLICT);
    go_through("two");
    assert_string_equal(affected("", "CVE-1", now_us(), false), "a/1 a/2 b/5 a/7 ");
}

static int move(struct db_tx *tx, void *ctx, struct err *err)
{
    int64_t *p = ctx;
    return changes_move(tx, STR("mail"), p[0], p[1], err);
}
static int place_of(struct db_tx *tx, void *ctx, struct err *err)
{
    return changes_place(tx, STR("mail"), ctx, err);
}
static int open_since(struct db_tx *tx, void *ctx, struct err *err)
{
    return changes_open_since(tx, STR("mail"), ctx, err);
}

static void consumers_keep_their_place(void **state)
{
    int64_t place = -1, none = 0, since = 0;
    begin();
    assert_ok(db_run(store, DB_WRITE, place_of, &place, &e));
    assert_int_equal(place, 0);
    assert_ok(db_run(store, DB_READ, open_since, &since, &e));
    assert_true(since == INT64_MAX);
    install(claims, 1);
    int64_t began = now_us();
    go_through("one");
    assert_ok(db_run(store, DB_READ, open_since, &since, &e));
    assert_in_range(since, began, now_us());
    assert_true(*changes_since(&none, STR("")));
    int64_t ends[2] = {place, none};
    assert_ok(db_run(store, DB_WRITE, move, ends, &e));
    assert_ok(db_run(store, DB_READ, open_since, &since, &e));
    assert_true(since == INT64_MAX);
    assert_int_equal(db_run(store, DB_WRITE, move, ends, &e), ERR_CONFLICT);
    assert_ok(db_run(store, DB_WRITE, place_of, &place, &e));
    assert_int_equal(place, none);
    assert_int_equal(changes_expire(store, 1, &e), 0);
    assert_true(changes_expire(store, -1, &e) > 0);
    assert_int_equal(count("SELECT COUNT(*) FROM finding_change"), 0);
}

static void what_is_old_is_forgotten_but_not_unread(void **state)
{
    int64_t place = -1, all = 0, next = 0;
    begin();
    assert_ok(db_run(store, DB_WRITE, place_of, &place, &e));
    install(claims, 2);
    go_through("one");
    (void)changes_since(&all, STR("")); /* all: where this update's changes end */
    int64_t batch = count("SELECT MAX(id) FROM finding_batch");
    install(claims, CLAIMS);
    go_through("one");
    assert_int_equal(changes_expire(store, -1, &e), 0); /* nobody has read them */
    assert_string_equal(listed_images("", batch, 0, 0), "a/2 b/4 ");
    int64_t ends[2] = {place, all};
    assert_ok(db_run(store, DB_WRITE, move, ends, &e));
    assert_int_equal(changes_expire(store, -1, &e), 1);
    assert_int_equal(count("SELECT COUNT(*) FROM finding_change"), 1);
    assert_string_equal(listed_images("", batch, 0, 0), "none");
    assert_string_equal(listed_images("", 0, 0, 0), "a/2 b/4 ");
    next = all;
    assert_string_equal(changes_since(&next, STR("")), "a/2: curl CVE-3 added\n"
                                                       "b/4: curl CVE-3 added\n");
    /* An update that changes nothing, and all changes gone: the place is not lost. */
    ends[0] = all, ends[1] = next;
    assert_ok(db_run(store, DB_WRITE, move, ends, &e));
    install(claims, CLAIMS);
    go_through("one");
    assert_int_equal(changes_expire(store, -1, &e), 1);
    assert_int_equal(count("SELECT COUNT(*) FROM finding_batch"), 2);
    install(claims, 2);
    go_through("one");
    assert_string_equal(changes_since(&next, STR("")), "a/2: curl CVE-3 removed\n"
                                                       "b/4: curl CVE-3 removed\n");
    assert_string_equal(memory_of("b", "sha256:4"), "CVE-3 curl Medium fix=7.5 gone\n"
                                                    "CVE-3 curl Medium fix=7.5 gone\n");
}

static void days_are_counted(void **state)
{
    struct db_tx *tx;
    struct arena a;
    struct history_day *days;
    size_t n;
    begin();
    assert_ok(history_trends(store, true, &e));
    arena_init(&a, 1 << 20);
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(history_days(tx, &a, STR("b"), 30, &days, &n, &e));
    assert_int_equal(n, 1);
    assert_int_equal(days[0].images, 3);
    assert_int_equal(days[0].findings[SEV_HIGH], 1);
    assert_int_equal(days[0].findings[SEV_LOW], 1);
    assert_int_equal(days[0].findings[SEV_MEDIUM], 1);
    assert_ok(history_days(tx, &a, STR("nobody"), 30, &days, &n, &e));
    assert_int_equal(n, 0);
    db_rollback(tx);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        reindex_test(first_sight_is_no_change),
        reindex_test(only_what_changed_is_told),
        reindex_test(the_same_data_write_nothing),
        reindex_test(the_list_is_complete_and_no_more),
        reindex_test(who_was_overtaken_writes_nothing),
        reindex_test(consumers_keep_their_place),
        reindex_test(what_is_old_is_forgotten_but_not_unread),
        reindex_test(days_are_counted),
    };
    return store_run("reindex", tests);
}
