#include "reindex_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        reindex_test(names_are_not_forgotten),
        reindex_test(a_shared_alias_makes_two_cves_no_one),
        reindex_test(names_are_kept_of_what_is_stored),
        reindex_test(names_are_kept_of_what_changed),
    };
    return store_run("finding_names", tests);
}
