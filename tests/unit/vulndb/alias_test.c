/* Which ids are one vulnerability, over several sources. */
#include "db_test.h"

struct entry {
    const char *source, *id;
    enum vuln_status status;
    struct {
        const char *id;
        enum alias_kind kind;
    } links[3];
};

/* By source, as they are installed one after the other. */
static const struct entry entries[] = {
    {"ghsa", "GHSA-1", VULN_ACTIVE, {{"CVE-1", ALIAS_SAME}}},
    {"ghsa", "GHSA-2", VULN_WITHDRAWN, {{"CVE-1", ALIAS_SAME}}},
    {"ghsa", "GHSA-3", VULN_REJECTED, {{"CVE-3", ALIAS_SAME}}},
    {"ghsa", "GHSA-4", VULN_ACTIVE, {{"CVE-4", ALIAS_RELATED}}},
    {"ghsa", "GHSA-5", VULN_ACTIVE, {{"GHSA-5", ALIAS_SAME}}},
    {"go", "GO-1", VULN_ACTIVE, {{"GHSA-1", ALIAS_SAME}, {"CVE-9", ALIAS_RELATED}}},
    {"go", "GO-6", VULN_ACTIVE, {{"CVE-6", ALIAS_SAME}, {"CVE-7", ALIAS_SAME}}},
    {"ubuntu", "UBUNTU-CVE-1", VULN_ACTIVE, {{"CVE-1", ALIAS_UPSTREAM}}},
    {"ubuntu", "USN-1", VULN_ACTIVE, {{"CVE-1", ALIAS_UPSTREAM}, {"CVE-6", ALIAS_UPSTREAM}}},
};

static const struct {
    const char *id, *group; /* blank-separated */
} groups[] = {
    {"CVE-1", "CVE-1 GHSA-1 GO-1 UBUNTU-CVE-1 "},
    {"UBUNTU-CVE-1", "CVE-1 GHSA-1 GO-1 UBUNTU-CVE-1 "},
    {"GO-1", "CVE-1 GHSA-1 GO-1 UBUNTU-CVE-1 "},
    {"GHSA-2", "GHSA-2 "},
    {"GHSA-3", "GHSA-3 "},
    {"CVE-4", "CVE-4 "},
    {"GHSA-5", "GHSA-5 "},
    {"CVE-9", "CVE-9 "},
    {"CVE-7", "CVE-6 CVE-7 GO-6 "},
    {"USN-1", "USN-1 "}, /* names two: it is an advisory about both, not a third name */
    {"no such", "no such "},
};

static void install(const char *dir, const char *source)
{
    struct err e;
    struct vulndb_builder *b;
    assert_ok(vulndb_builder_new(dir, str_z(source), &b, &e));
    struct claim_sink *sink = vulndb_builder_sink(b);
    for (size_t i = 0; i < KE_ARRAY_LEN(entries); i++) {
        struct vuln_alias aliases[3];
        struct vuln v = vuln_empty();
        if (strcmp(entries[i].source, source) != 0)
            continue;
        v.id = str_z(entries[i].id);
        v.status = entries[i].status;
        v.aliases = aliases;
        for (; v.n_aliases < 3 && entries[i].links[v.n_aliases].id; v.n_aliases++)
            aliases[v.n_aliases] = (struct vuln_alias){str_z(entries[i].links[v.n_aliases].id),
                                                       entries[i].links[v.n_aliases].kind};
        assert_ok(sink->vuln(sink, &v, &e));
    }
    assert_ok(vulndb_builder_install(b, NULL, &e));
    vulndb_builder_free(b);
}

static void joins(void **state)
{
    static const char *const sources[] = {"ubuntu", "ghsa", "go"};
    char dir[512];
    struct err e;
    struct vulndb *db;
    struct arena a;
    scratch_make(dir, sizeof dir);
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < KE_ARRAY_LEN(sources); i++)
        install(dir, sources[i]);
    assert_ok(vulndb_open(dir, &db, &e));
    for (size_t i = 0; i < KE_ARRAY_LEN(groups); i++) {
        str *ids;
        size_t n;
        auto_buf got;
        buf_init(&got, 4096);
        assert_ok(vulndb_aliases(db, str_z(groups[i].id), &a, &ids, &n, &e));
        for (size_t k = 0; k < n; k++)
            buf_addf(&got, "%.*s ", STR_ARG(ids[k]));
        assert_str(buf_view(&got), str_z(groups[i].group));
    }
    vulndb_close(db);
    arena_done(&a);
    scratch_clear(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(joins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
