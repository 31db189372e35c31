#include "../store/store_test.h"

#include "base/auto.h"
#include "services/engine.h"
#include "services/policy_engine/changes.h"
#include "services/policy_engine/subscribed.h"
#include "store/posting.h"

/* Which tags are due, for whom: images to look at again, also beside builds that know no consumers.
 */
static struct err e;
static struct engine engine;

static const struct {
    const char *tag, *digest, *types; /* active subscriptions */
} images[] = {
    {"r/a:1", "sha256:a", "vuln_update"},
    {"r/b:1", "sha256:b", "policy_eval"},
    {"r/c:1", "sha256:c", "vuln_update policy_eval"},
    {"r/d:1", "sha256:d", ""},
};

static int put_images(struct db_tx *tx, void *ctx, struct err *err)
{
    static const char *const types[] = {"vuln_update", "policy_eval"};
    (void)ctx;
    int64_t n = 0;
    for (size_t i = 0; n >= 0 && i < KE_ARRAY_LEN(images); i++) {
        n = db_exec(tx,
                    "INSERT INTO catalog_image (account, image_digest, image_type, annotations,"
                    " analysis_status, image_status, created_at, last_updated, analyzed_at) VALUES"
                    " ('x', $1, 'docker', '{}', 'analyzed', 'active', 1, 1, 1)",
                    DB(DBZ(images[i].digest)), err);
        if (n >= 0)
            n = db_exec(tx,
                        "INSERT INTO catalog_image_tag (account, registry, repo, tag, image_digest,"
                        " fulltag, tag_detected_at, created_at, last_updated) VALUES"
                        " ('x', 'r', $1, '1', $2, $1, 1, 1, 1)",
                        DB(DBZ(images[i].tag), DBZ(images[i].digest)), err);
        for (size_t k = 0; n >= 0 && k < 2; k++)
            n = db_exec(tx,
                        "INSERT INTO subscriptions (account, subscription_id, subscription_type,"
                        " subscription_key, active, created_at_s, last_updated_s) VALUES"
                        " ('x', $1 || $2, $2, $1, $3, 1, 1)",
                        DB(DBZ(images[i].tag), DBZ(types[k]),
                           DBI(strstr(images[i].types, types[k]) != NULL)),
                        err);
        if (n >= 0)
            n = posting_put(tx, STR("x"), str_z(images[i].digest), 1, NULL, 0, err);
    }
    return n < 0 ? (int)n : 0;
}

static int first_sight(struct db_tx *tx, void *ctx, struct err *err)
{
    auto_rows *r = NULL;
    posting_ids ids = {0};
    int64_t n = db_query(tx, "SELECT id FROM posting_image ORDER BY id", DB0, &r, err);
    (void)ctx;
    while (n >= 0 && (n = db_next(r, err)) == 1) {
        int64_t *slot = vec_push(&ids);
        assert_non_null(slot);
        *slot = db_int(r, 0);
    }
    db_rows_close(TAKE(r));
    for (size_t i = 0; n >= 0 && i < ids.n; i++)
        n = subscribed_newcomer(tx, ids.p[i], err);
    vec_done(&ids);
    return n < 0 ? (int)n : 0;
}

static int run_sql(struct db_tx *tx, void *ctx, struct err *err)
{
    int64_t n = db_exec(tx, ctx, DB0, err);
    return n < 0 ? (int)n : 0;
}

static void sql(const char *text)
{
    assert_ok(db_run(store, DB_WRITE, run_sql, (void *)(uintptr_t)text, &e));
}

/* The tags that are due, in order; they are done with then. */
static const char *due(const char *type)
{
    static char text[200];
    struct subscribed s;
    int at = 0;
    text[0] = '\0';
    subscribed_init(&s, type);
    assert_ok(subscribed_read(&engine, &s, false, &e));
    for (size_t i = 0; i < s.tags.n; i++)
        if (s.tags.p[i]->due)
            at += snprintf(text + at, sizeof text - (size_t)at, "%.*s ",
                           STR_ARG(s.tags.p[i]->fulltag));
    assert_ok(subscribed_move(&engine, &s, &e));
    subscribed_done(&s);
    return text;
}

static void begin(void)
{
    engine = (struct engine){.db = store};
    assert_ok(db_run(store, DB_WRITE, put_images, NULL, &e));
}

static void images_are_looked_at_by_those_who_want_it(void **state)
{
    begin();
    assert_string_equal(due("vuln_update"), "");
    assert_ok(db_run(store, DB_WRITE, first_sight, NULL, &e));
    assert_string_equal(due("vuln_update"), "r/a:1 r/c:1 ");
    assert_string_equal(due("vuln_update"), "");
    assert_string_equal(due("policy_eval"), "r/b:1 r/c:1 ");
    assert_string_equal(due("policy_eval"), "");
}

/* A policy engine of before finding_newcomer had a type reads all of it for verdicts and removes
 * it; one of before finding_again writes what is for vuln_update there. */
static void older_processes_lose_nothing(void **state)
{
    begin();
    assert_ok(db_run(store, DB_WRITE, first_sight, NULL, &e));
    sql("DELETE FROM finding_newcomer");
    assert_string_equal(due("policy_eval"), "");
    assert_string_equal(due("vuln_update"), "r/a:1 r/c:1 ");
    sql("INSERT INTO finding_newcomer (image, type) SELECT id, 'vuln_update' FROM posting_image");
    sql("INSERT INTO finding_newcomer (image) SELECT id FROM posting_image");
    assert_string_equal(due("vuln_update"), "r/a:1 r/c:1 ");
    assert_string_equal(due("policy_eval"), "r/b:1 r/c:1 ");
    assert_string_equal(due("vuln_update"), "");
}

static int began(struct db_tx *tx, void *ctx, struct err *err)
{
    int64_t n = subscribed_began(tx, STR("vuln_update"), STR("x"), str_z(ctx), err);
    return n < 0 ? (int)n : 0;
}

static int all(struct db_tx *tx, void *ctx, struct err *err)
{
    int64_t n = subscribed_all(tx, err);
    (void)ctx;
    return n < 0 ? (int)n : 0;
}

static int of_account(struct db_tx *tx, void *ctx, struct err *err)
{
    int64_t n = subscribed_account(tx, str_z(ctx), err);
    return n < 0 ? (int)n : 0;
}

static void what_begins_or_concerns_all_is_looked_at(void **state)
{
    begin();
    assert_ok(db_run(store, DB_WRITE, began, (void *)(uintptr_t) "r/c:1", &e));
    assert_ok(db_run(store, DB_WRITE, began, (void *)(uintptr_t) "r/d:1", &e)); /* not active */
    assert_string_equal(due("policy_eval"), "");
    assert_string_equal(due("vuln_update"), "r/c:1 ");
    assert_ok(db_run(store, DB_WRITE, all, NULL, &e));
    assert_string_equal(due("vuln_update"), "r/a:1 r/c:1 ");
    assert_string_equal(due("policy_eval"), "r/b:1 r/c:1 ");
    assert_ok(db_run(store, DB_WRITE, of_account, (void *)(uintptr_t) "x", &e));
    assert_string_equal(due("vuln_update"), "");
    assert_string_equal(due("policy_eval"), "r/b:1 r/c:1 ");
    assert_ok(db_run(store, DB_WRITE, of_account, (void *)(uintptr_t) "y", &e));
    assert_string_equal(due("policy_eval"), "");
}

#define subscribed_test(fn) cmocka_unit_test_setup_teardown(fn, store_each, store_each_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        subscribed_test(images_are_looked_at_by_those_who_want_it),
        subscribed_test(older_processes_lose_nothing),
        subscribed_test(what_begins_or_concerns_all_is_looked_at),
    };
    return store_run("subscribed", tests);
}
