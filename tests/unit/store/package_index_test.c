#include "store_test.h"

#include "store/package_index.h"

static struct err e;

static void make(struct indexed_package *p, char (*names)[24], size_t n, int salt)
{
    for (size_t i = 0; i < n; i++) {
        bool own = i >= n - 10;
        snprintf(names[i], sizeof names[i], "package-%zu-%d", i, own ? salt : 0);
        p[i] = (struct indexed_package){
            .name = str_z(names[i]), .version = STR("1.0"), .type = own ? STR("npm") : STR("dpkg")};
    }
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

static void put(str account, str image, const struct indexed_package *p, size_t n)
{
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    assert_ok(package_index_put(tx, account, image, p, n, &e));
    assert_ok(db_commit(tx, &e));
}

static int drop(str account, str image)
{
    struct db_tx *tx;
    assert_ok(db_begin(store, DB_WRITE, &tx, &e));
    int rc = package_index_delete(tx, account, image, &e);
    assert_ok(rc);
    assert_ok(db_commit(tx, &e));
    return rc;
}

static void images_share_groups(void **state)
{
    static struct indexed_package p[300];
    static char names[300][24], image[16];
    int64_t first = 0;
    for (int i = 0; i < 20; i++) {
        make(p, names, 300, i);
        snprintf(image, sizeof image, "sha256:%d", i);
        put(STR("a"), str_z(image), p, 300);
        if (i == 0)
            first = count("SELECT COUNT(*) FROM package_group");
    }
    assert_int_equal(count("SELECT COUNT(*) FROM package"), 290 + 20 * 10);
    assert_int_equal(count("SELECT COUNT(*) FROM image_package"), 20 * 300);
    int64_t groups = count("SELECT COUNT(*) FROM package_group");
    assert_true(first >= 5 && groups < first + 20 * 4);
    assert_int_equal(count("SELECT COUNT(*) FROM image_package i JOIN package p"
                           " ON p.id = i.package_id WHERE p.name = 'package-5-0'"
                           " AND i.account = 'a'"),
                     20);
    assert_int_equal(count("SELECT COUNT(*) FROM image_package i JOIN package p"
                           " ON p.id = i.package_id WHERE p.name = 'package-295-7'"),
                     1);
}

static void put_replaces_and_delete_removes(void **state)
{
    struct indexed_package p[] = {
        {.name = STR_INIT("b"), .version = STR_INIT("1"), .type = STR_INIT("dpkg")},
        {.name = STR_INIT("a"), .version = STR_INIT("1"), .type = STR_INIT("dpkg")},
        {.name = STR_INIT("b"), .version = STR_INIT("1"), .type = STR_INIT("dpkg")},
    };
    put(STR("a"), STR("sha256:1"), p, 3);
    put(STR("b"), STR("sha256:1"), p, 3);
    assert_int_equal(count("SELECT COUNT(*) FROM image_package"), 4);
    put(STR("a"), STR("sha256:1"), p, 1);
    assert_int_equal(count("SELECT COUNT(*) FROM image_package WHERE account = 'a'"), 1);
    assert_int_equal(count("SELECT COUNT(*) FROM image_package WHERE account = 'b'"), 2);
    put(STR("a"), STR("sha256:1"), p, 0);
    assert_int_equal(count("SELECT COUNT(*) FROM image_package WHERE account = 'a'"), 0);
    assert_int_equal(drop(STR("a"), STR("sha256:1")), 1);
    assert_int_equal(drop(STR("a"), STR("sha256:1")), 0);
    assert_int_equal(package_index_sweep(store, 100, &e), 1);
    assert_int_equal(count("SELECT COUNT(*) FROM package"), 2);
    assert_int_equal(drop(STR("b"), STR("sha256:1")), 1);
    assert_int_equal(package_index_sweep(store, 100, &e), 1);
    assert_int_equal(count("SELECT COUNT(*) FROM package"), 0);
    assert_int_equal(count("SELECT COUNT(*) FROM package_group_member"), 0);
    put(STR("b"), STR("sha256:1"), p, 3);
    assert_int_equal(count("SELECT COUNT(*) FROM image_package"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(images_share_groups),
        store_test(put_replaces_and_delete_removes),
    };
    return store_run("package index", tests);
}
