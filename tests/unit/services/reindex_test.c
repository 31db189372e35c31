#include "../store/store_test.h"
#include "../vulndb/db_test.h"

#include "base/auto.h"
#include "services/image_packages.h"
#include "services/policy_engine/affected.h"
#include "services/policy_engine/changes.h"
#include "services/policy_engine/finding_names.h"
#include "services/policy_engine/history.h"
#include "services/policy_engine/reindex.h"
#include "store/documents.h"
#include "vulndb/vulndb.h"

static struct err e;
static char data_dir[256];
static struct documents *documents;
static struct vulndb *data;
static int generation;
static int calls_left; /* before `stop` says so; negative: never */

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

/* Versions of openssl, zlib and curl that an image has; "": it lacks the package. */
struct image {
    const char *account, *digest, *openssl, *zlib, *curl;
};
static const struct image images[] = {
    {"a", "sha256:1", "1.0", "1.0", ""}, {"a", "sha256:2", "1.0", "", "7.0"},
    {"b", "sha256:3", "2.0", "1.0", ""}, {"b", "sha256:4", "", "", "7.0"},
    {"b", "sha256:5", "1.0", "", ""},
};

static const struct row claims[] = {
    {"CVE-1", "debian:12", "", "openssl", "deb", "", "1.5", "", "1.5", .severity = SEV_HIGH},
    {"CVE-2", "debian:12", "", "zlib", "deb", "", "", "", "", .state = FIX_NOT_FIXED,
     .severity = SEV_LOW},
    {"CVE-3", "debian:12", "", "curl", "deb", "", "7.5", "", "7.5", .severity = SEV_MEDIUM},
    {"CVE-4", "debian:12", "", "bash", "deb", "", "5", "", "5", .severity = SEV_LOW},
};
enum { CLAIMS = sizeof claims / sizeof *claims };

static void install(const struct row *rows, size_t n)
{
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    vulndb_close(data);
    assert_ok(vulndb_builder_new(data_dir, STR("debian"), &b, &e));
    for (size_t i = 0; i < n; i++)
        send_row(vulndb_builder_sink(b), &rows[i]);
    assert_ok(vulndb_builder_install(b, &stats, &e));
    vulndb_builder_free(b);
    assert_ok(vulndb_open(data_dir, &data, &e));
    generation++;
}

static void add(struct inventory *inv, const char *name, const char *version)
{
    if (*version)
        inv->packages[inv->n_packages++] =
            (struct inv_package){.p = {.type = package_type_find(STR("deb")),
                                       .name = str_z(name),
                                       .version = str_z(version),
                                       .arch = STR("amd64")}};
}

static int put_one(struct db_tx *tx, void *ctx, struct err *err)
{
    const struct image *i = ctx;
    struct inv_package packages[3];
    struct inventory inv = {.packages = packages,
                            .release = {.id = STR("debian"), .version_id = STR("12")}};
    add(&inv, "openssl", i->openssl);
    add(&inv, "zlib", i->zlib);
    add(&inv, "curl", i->curl);
    return image_packages_put(tx, str_z(i->account), str_z(i->digest), 0, &inv, err);
}

static void put(const struct image *i)
{
    assert_ok(db_run(store, DB_WRITE, put_one, (void *)(uintptr_t)i, &e));
}

static bool stop(void *ctx)
{
    return calls_left >= 0 && calls_left-- == 0;
}

static char generation_text[32];
static struct reindex_options options(const char *holder)
{
    snprintf(generation_text, sizeof generation_text, "sha256:%d", generation);
    return (struct reindex_options){.db = store,
                                    .documents = documents,
                                    .data = data,
                                    .generation = generation_text,
                                    .holder = holder,
                                    .stop = stop};
}

static struct reindex_result go_through(const char *holder)
{
    struct reindex_options o = options(holder);
    struct reindex_result r;
    assert_ok(reindex_data(&o, &r, &e));
    assert_ok(reindex_packages(&o, &e));
    assert_ok(reindex_images(&o, &e));
    return r;
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

static int64_t now_us(void)
{
    return count("SELECT now_us()");
}

/* ---- answers, as text */

static struct buf told;

static int tell(void *ctx, str account, str digest, const struct finding_change *const *mine,
                size_t n, struct err *err)
{
    buf_addf(&told, "%.*s/%.*s:", STR_ARG(account), STR_ARG(str_from(digest, 7)));
    for (size_t i = 0; i < n; i++)
        for (unsigned bit = 1; bit <= CHANGE_FIX; bit *= 2)
            if (mine[i]->kinds & bit)
                buf_addf(&told, " %.*s %.*s %s", STR_ARG(mine[i]->name),
                         STR_ARG(mine[i]->vulnerability), change_kind_name((enum change_kind)bit));
    buf_add_char(&told, '\n');
    return 0;
}

static const char *changes_since(int64_t *place, str account)
{
    struct db_tx *tx;
    struct arena a;
    struct finding_change *list;
    size_t n;
    buf_clear(&told);
    arena_init(&a, 1 << 20);
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(changes_read(tx, &a, *place, 100, &list, &n, &e));
    assert_ok(changes_by_image(tx, account, list, n, tell, NULL, &e));
    *place = n ? list[n - 1].seq : *place;
    db_rollback(tx);
    arena_done(&a);
    return buf_z(&told);
}

static int tell_image(void *ctx, const struct posting_image *i, struct err *err)
{
    buf_addf(&told, "%.*s/%.*s ", STR_ARG(i->account), STR_ARG(str_from(i->digest, 7)));
    return 0;
}

static const char *affected(const char *account, const char *id, int64_t at, bool known_now)
{
    struct db_tx *tx;
    buf_clear(&told);
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    str ids[4], rest = str_z(id);
    size_t n = 0;
    while (n < 4 && rest.n) { /* names with commas between */
        ptrdiff_t end = str_index(rest, ',');
        ids[n++] = end < 0 ? rest : (str){rest.p, (size_t)end};
        rest = end < 0 ? STR("") : str_from(rest, (size_t)end + 1);
    }
    assert_ok(history_affected(tx, str_z(account), ids, n, at, known_now, tell_image, NULL, &e));
    db_rollback(tx);
    return buf_z(&told);
}

/* By one name and all that it leads to. */
static const char *affected_by_name(const char *name, int64_t at, bool known_now)
{
    struct db_tx *tx;
    struct arena a;
    str *ids;
    size_t n;
    buf_clear(&told);
    arena_init(&a, 1 << 20);
    assert_ok(finding_names_now(data, &a, str_z(name), &ids, &n, &e));
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    if (!known_now)
        assert_ok(finding_names_ever(tx, &a, &ids, &n, &e));
    assert_ok(history_affected(tx, STR(""), ids, n, at, known_now, tell_image, NULL, &e));
    db_rollback(tx);
    arena_done(&a);
    return buf_z(&told);
}

/* Of the last batch (0) or one by number. */
static const char *listed_images(const char *account, int64_t batch, int64_t after, size_t limit)
{
    struct db_tx *tx;
    buf_clear(&told);
    if (!batch)
        batch = count("SELECT MAX(id) FROM finding_batch");
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    int r = affected_images(tx, str_z(account), batch, after, limit, tell_image, NULL, &e);
    assert_true(r == 0 || r == 1);
    db_rollback(tx);
    return r ? buf_z(&told) : "none";
}

static const char *memory_of(const char *account, const char *digest)
{
    struct db_tx *tx;
    struct arena a;
    struct history_row *rows;
    size_t n;
    buf_clear(&told);
    arena_init(&a, 1 << 20);
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_int_equal(history_image(tx, &a, str_z(account), str_z(digest), &rows, &n, &e), 1);
    for (size_t i = 0; i < n; i++) {
        buf_addf(&told, "%.*s %.*s %s fix=%.*s%s\n", STR_ARG(rows[i].vulnerability),
                 STR_ARG(rows[i].package), severity_name(rows[i].severity), STR_ARG(rows[i].fix),
                 rows[i].to ? " gone" : "");
        assert_true(rows[i].first_seen <= rows[i].from);
    }
    db_rollback(tx);
    arena_done(&a);
    return buf_z(&told);
}

/* ---- tests */

static void begin(void)
{
    install(claims, CLAIMS);
    for (size_t i = 0; i < KE_ARRAY_LEN(images); i++)
        put(&images[i]);
    go_through("one");
}

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

/* zlib's advisory as it stands at a time, and another that shares a name with it. */
static void install_advisory(const char *id, const char *cve, const char *alias, bool withdrawn)
{
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    struct row row = {id, "debian:12", "", "zlib", "deb", "", "9", "", "9"};
    struct vuln_alias names[] = {{str_z(cve), ALIAS_SAME}, {str_z(alias), ALIAS_SAME}};
    struct vuln v = vuln_empty(), other = vuln_empty();
    const struct row others = {"ADV-9", "debian:12", "", "curl", "deb", "", "9", "", "9"};
    struct vuln_alias of_other[] = {{STR("CVE-9"), ALIAS_SAME}, {STR("GHSA-9"), ALIAS_SAME}};
    vulndb_close(data);
    assert_ok(vulndb_builder_new(data_dir, STR("debian"), &b, &e));
    struct claim_sink *sink = vulndb_builder_sink(b);
    v.id = str_z(id);
    v.aliases = *cve ? names : names + 1;
    v.n_aliases = (*cve != 0) + (*alias != 0);
    v.status = withdrawn ? VULN_WITHDRAWN : VULN_ACTIVE;
    row.state = withdrawn ? FIX_WITHDRAWN : FIX_FIXED;
    assert_ok(sink->vuln(sink, &v, &e));
    send_row(sink, &row);
    other.id = STR("ADV-9");
    other.aliases = of_other;
    other.n_aliases = 2;
    assert_ok(sink->vuln(sink, &other, &e));
    send_row(sink, &others);
    assert_ok(vulndb_builder_install(b, &stats, &e));
    vulndb_builder_free(b);
    assert_ok(vulndb_open(data_dir, &data, &e));
    generation++;
}

static int64_t after_step(void)
{
    go_through("one");
    int64_t at = now_us();
    while (now_us() == at)
        ;
    return at;
}

/* An advisory that has no CVE at first, gets one and an alias, is withdrawn, comes back under
 * another id: the memory is found under each name that it ever had. */
static void names_are_not_forgotten(void **state)
{
    static const char *const names[] = {"ADV-1", "CVE-7", "GHSA-7"};
    int64_t at[5];
    for (size_t i = 0; i < KE_ARRAY_LEN(images); i++)
        put(&images[i]);
    install_advisory("ADV-1", "", "", false);
    at[0] = after_step();
    install_advisory("ADV-1", "CVE-7", "", false);
    at[1] = after_step();
    install_advisory("ADV-1", "CVE-7", "GHSA-7", false); /* no finding changes */
    at[2] = after_step();
    install_advisory("ADV-1", "CVE-7", "GHSA-7", true);
    at[3] = after_step();
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        for (size_t k = 0; k < 4; k++) {
            assert_string_equal(affected_by_name(names[i], at[k], false), k < 3 ? "a/1 b/3 " : "");
            assert_string_equal(affected_by_name(names[i], at[k], true), "");
        }
    install_advisory("ADV-8", "CVE-8", "GHSA-7", false); /* the alias is another's now */
    at[4] = after_step();
    assert_string_equal(affected_by_name("GHSA-7", at[4], false), "a/1 b/3 ");
    assert_string_equal(affected_by_name("GHSA-7", at[2], false), "a/1 b/3 ");
    assert_string_equal(affected_by_name("GHSA-7", at[3], false), "");
    assert_string_equal(affected_by_name("CVE-7", at[4], false), "");
    assert_string_equal(affected_by_name("CVE-8", at[2], false), "");
    assert_string_equal(affected_by_name("CVE-8", at[2], true), "a/1 b/3 ");
    assert_string_equal(affected_by_name("ADV-9", at[2], false), "a/2 b/4 ");
    assert_string_equal(affected_by_name("CVE-9", at[0], false), "a/2 b/4 ");
    assert_string_equal(affected_by_name("no such", at[0], false), "");
}

/* Two advisories about a CVE each have an alias in common: only that one means both. */
static void a_shared_alias_makes_two_cves_no_one(void **state)
{
    static const char *const zlib[] = {"ADV-1", "CVE-7"}, *const curl[] = {"ADV-9", "CVE-9"};
    for (size_t i = 0; i < KE_ARRAY_LEN(images); i++)
        put(&images[i]);
    install_advisory("ADV-1", "CVE-7", "GHSA-9", false);
    int64_t at = after_step();
    for (int now = 0; now < 2; now++) {
        for (size_t i = 0; i < 2; i++) {
            assert_string_equal(affected_by_name(zlib[i], at, now), "a/1 b/3 ");
            assert_string_equal(affected_by_name(curl[i], at, now), "a/2 b/4 ");
        }
        assert_string_equal(affected_by_name("GHSA-9", at, now), "a/1 a/2 b/3 b/4 ");
    }
}

/* A database of a build that did not keep names gets them from the data at hand, once. */
static void names_are_kept_of_what_is_stored(void **state)
{
    struct db_tx *tx;
    for (size_t i = 0; i < KE_ARRAY_LEN(images); i++)
        put(&images[i]);
    install_advisory("ADV-1", "CVE-7", "GHSA-7", false);
    int64_t at = after_step();
    assert_int_equal(count("SELECT COUNT(*) FROM finding_name"), 4);
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_int_equal(db_exec(tx, "DELETE FROM finding_name", DB0, &e), 4);
    assert_int_equal(db_exec(tx, "DELETE FROM finding_state WHERE name = 'names'", DB0, &e), 1);
    assert_ok(db_commit(tx, &e));
    go_through("one");
    assert_int_equal(count("SELECT COUNT(*) FROM finding_name"), 4);
    install_advisory("ADV-1", "CVE-7", "GHSA-7", true);
    go_through("one");
    assert_string_equal(affected_by_name("GHSA-7", at, false), "a/1 b/3 ");
}

static int64_t pairs_of(const char *id)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM finding_name WHERE vulnerability = '%s'", id);
    return count(sql);
}

static void forget_names(const char *also)
{
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_true(db_exec(tx, "DELETE FROM finding_name", DB0, &e) >= 2);
    if (*also)
        assert_int_equal(db_exec(tx, also, DB0, &e), 1);
    assert_ok(db_commit(tx, &e));
}

/* Newer data that speak of zlib otherwise: the names of curl's findings are not looked at again,
 * but on the next day, and when those of the data before are not known to be kept. */
static void names_are_kept_of_what_changed(void **state)
{
    static const char *const since[] = {
        "", "UPDATE finding_state SET rules = rules - 1 WHERE name = 'names'",
        "UPDATE finding_state SET generation = 'older' WHERE name = 'names'"};
    for (size_t i = 0; i < KE_ARRAY_LEN(images); i++)
        put(&images[i]);
    install_advisory("ADV-1", "CVE-7", "GHSA-7", false);
    go_through("one");
    assert_int_equal(count("SELECT COUNT(*) FROM finding_name"), 4);
    for (size_t i = 0; i < KE_ARRAY_LEN(since); i++) {
        char alias[20];
        forget_names(since[i]);
        snprintf(alias, sizeof alias, "GHSA-7%zu", i);
        install_advisory("ADV-1", "CVE-7", alias, false);
        struct reindex_result r = go_through("one");
        assert_int_equal(r.names, 1);
        assert_int_equal(r.changes, 0);
        assert_int_equal(pairs_of("CVE-7"), 2);
        assert_int_equal(pairs_of("CVE-9"), i == 0 ? 0 : 2);
    }
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

static int setup(void **state)
{
    int r = store_each(state);
    const struct documents_options o = {0};
    calls_left = -1;
    scratch_make(data_dir, sizeof data_dir);
    buf_init(&told, 1 << 20);
    assert_ok(documents_open(store, &o, &documents, &e));
    return r;
}

static int teardown(void **state)
{
    documents_close(documents);
    vulndb_close(data);
    data = NULL;
    buf_done(&told);
    scratch_clear(data_dir);
    return store_each_end(state);
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

#define reindex_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        reindex_test(first_sight_is_no_change),
        reindex_test(only_what_changed_is_told),
        reindex_test(the_same_data_write_nothing),
        reindex_test(stopped_anywhere_it_goes_on),
        reindex_test(killed_anywhere_another_goes_on),
        reindex_test(the_list_is_complete_and_no_more),
        reindex_test(who_was_overtaken_writes_nothing),
        reindex_test(consumers_keep_their_place),
        reindex_test(what_is_old_is_forgotten_but_not_unread),
        reindex_test(names_are_not_forgotten),
        reindex_test(a_shared_alias_makes_two_cves_no_one),
        reindex_test(names_are_kept_of_what_is_stored),
        reindex_test(names_are_kept_of_what_changed),
        reindex_test(days_are_counted),
    };
    return store_run("reindex", tests);
}
