/* reindex_world.h - a store of five images, an index of their packages, and vulnerability data that
 * change: what the tests of all that is remembered of findings share. */
#ifndef KELLET_TESTS_REINDEX_WORLD_H
#define KELLET_TESTS_REINDEX_WORLD_H

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

static inline void install(const struct row *rows, size_t n)
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

static inline void add(struct inventory *inv, const char *name, const char *version)
{
    if (*version)
        inv->packages[inv->n_packages++] =
            (struct inv_package){.p = {.type = package_type_find(STR("deb")),
                                       .name = str_z(name),
                                       .version = str_z(version),
                                       .arch = STR("amd64")}};
}

static inline int put_one(struct db_tx *tx, void *ctx, struct err *err)
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

static inline void put(const struct image *i)
{
    assert_ok(db_run(store, DB_WRITE, put_one, (void *)(uintptr_t)i, &e));
}

static inline bool stop(void *ctx)
{
    return calls_left >= 0 && calls_left-- == 0;
}

static char generation_text[32];
static inline struct reindex_options options(const char *holder)
{
    snprintf(generation_text, sizeof generation_text, "sha256:%d", generation);
    return (struct reindex_options){.db = store,
                                    .documents = documents,
                                    .data = data,
                                    .generation = generation_text,
                                    .holder = holder,
                                    .stop = stop};
}

static inline struct reindex_result go_through(const char *holder)
{
    struct reindex_options o = options(holder);
    struct reindex_result r;
    assert_ok(reindex_data(&o, &r, &e));
    assert_ok(reindex_packages(&o, &e));
    assert_ok(reindex_images(&o, &e));
    return r;
}

static inline int64_t count(const char *sql)
{
    struct db_tx *tx;
    int64_t n = -1;
    assert_ok(db_begin(store, DB_READ, &tx, &e));
    assert_ok(db_query_int(tx, sql, DB0, &n, &e));
    db_rollback(tx);
    return n;
}

static inline int64_t now_us(void)
{
    return count("SELECT now_us()");
}

/* ---- answers, as text */

static struct buf told;

static inline int tell(void *ctx, str account, str digest, const struct finding_change *const *mine,
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

static inline const char *changes_since(int64_t *place, str account)
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

static inline int tell_image(void *ctx, const struct posting_image *i, struct err *err)
{
    buf_addf(&told, "%.*s/%.*s ", STR_ARG(i->account), STR_ARG(str_from(i->digest, 7)));
    return 0;
}

static inline const char *affected(const char *account, const char *id, int64_t at, bool known_now)
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
static inline const char *affected_by_name(const char *name, int64_t at, bool known_now)
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
static inline const char *listed_images(const char *account, int64_t batch, int64_t after,
                                        size_t limit)
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

static inline const char *memory_of(const char *account, const char *digest)
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

static inline void begin(void)
{
    install(claims, CLAIMS);
    for (size_t i = 0; i < KE_ARRAY_LEN(images); i++)
        put(&images[i]);
    go_through("one");
}

static inline int setup(void **state)
{
    int r = store_each(state);
    const struct documents_options o = {0};
    calls_left = -1;
    scratch_make(data_dir, sizeof data_dir);
    buf_init(&told, 1 << 20);
    assert_ok(documents_open(store, &o, &documents, &e));
    return r;
}

static inline int teardown(void **state)
{
    documents_close(documents);
    vulndb_close(data);
    data = NULL;
    buf_done(&told);
    scratch_clear(data_dir);
    return store_each_end(state);
}

#define reindex_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
