/* The database from claims to look-ups. */
#include "db_test.h"

static const struct row debian[] = {
    {"CVE-2024-1", "debian:12", "", "openssl", "deb", "", "3.0.11-1", "", "3.0.11-1",
     CLAIM_AFFECTED, FIX_FIXED, SEV_HIGH},
    {"CVE-2024-2", "debian:12", "", "openssl", "deb", "", "", "", "", CLAIM_AFFECTED, FIX_WONT_FIX,
     SEV_LOW},
    {"CVE-2024-3", "debian:12", "", "openssl", "deb", "2:1.0~rc1", "2:1.0-3", "", "2:1.0-3",
     CLAIM_AFFECTED, FIX_FIXED, SEV_UNKNOWN},
    {"CVE-2024-1", "debian:11", "", "openssl", "deb", "", "1.1.1n-0", "", "1.1.1n-0",
     CLAIM_AFFECTED, FIX_FIXED, SEV_MEDIUM},
    {"CVE-2024-4", "debian:12", "", "bash", "deb", "", "", "", "", CLAIM_UNAFFECTED,
     FIX_NOT_AFFECTED, SEV_UNKNOWN},
    {"CVE-2024-1", "debian:12", "", "openssl", "deb", "", "3.0.11-1", "", "3.0.11-1",
     CLAIM_AFFECTED, FIX_FIXED, SEV_HIGH}, /* again */
};
static const struct row python[] = {
    {"GHSA-a", "", "PyPI", "django", "pep440", "3.2", "3.2.18", "", "3.2.18", CLAIM_AFFECTED,
     FIX_FIXED, SEV_HIGH},
    {"GHSA-b", "", "PyPI", "django", "pep440", "", "", "1.10.0", "", CLAIM_AFFECTED, FIX_UNKNOWN,
     SEV_LOW},
    {"GHSA-c", "", "PyPI", "django", "no-such", "1", "2", "", "", CLAIM_AFFECTED, FIX_UNKNOWN,
     SEV_LOW},
};

static void send_vuln(struct claim_sink *sink, const char *id, const char *alias,
                      enum alias_kind kind, const char *details)
{
    struct err e;
    struct vuln_alias a = {str_z(alias), kind};
    struct vuln v = vuln_empty();
    v.id = str_z(id);
    v.aliases = &a;
    v.n_aliases = *alias != 0;
    v.summary = STR("in short");
    v.details = str_z(details);
    v.published = 1700000000;
    v.withdrawn = -62135596800; /* the year 1: none */
    v.cvss_score10 = 98;
    v.cvss_vector = STR("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H");
    assert_ok(sink->vuln(sink, &v, &e));
}

/* Loads rows as a source; `turn` rotates their order. */
static struct vulndb_stats load(const char *dir, const char *source, const struct row *rows,
                                size_t n, size_t turn)
{
    struct err e;
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    assert_ok(vulndb_builder_new(dir, str_z(source), &b, &e));
    struct claim_sink *sink = vulndb_builder_sink(b);
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[(i + turn) % n];
        send_row(sink, r);
        sink->record(sink, 1);
    }
    bool ghsa = strcmp(source, "ghsa") == 0;
    if (turn % 2 == 0)
        send_vuln(sink, ghsa ? "GHSA-a" : "CVE-2024-1", ghsa ? "CVE-2024-1" : "", ALIAS_SAME,
                  "a long story");
    send_vuln(sink, ghsa ? "GHSA-b" : "CVE-2024-2", ghsa ? "CVE-2024-9" : "", ALIAS_RELATED,
              "another story");
    if (turn % 2 == 1)
        send_vuln(sink, ghsa ? "GHSA-a" : "CVE-2024-1", ghsa ? "CVE-2024-1" : "", ALIAS_SAME,
                  "a long story");
    sink->drop(sink, "was not wanted", 2);
    sink->dated(sink, 1600000000, STR("v7"));
    assert_ok(vulndb_builder_install(b, &stats, &e));
    stats.drops = NULL;
    vulndb_builder_free(b);
    return stats;
}

static void decorate(const char *dir, const char *source)
{
    struct err e;
    struct vulndb_builder *b;
    assert_ok(vulndb_builder_new(dir, str_z(source), &b, &e));
    struct claim_sink *sink = vulndb_builder_sink(b);
    for (int i = 0; i < 1000; i++) {
        char id[32];
        snprintf(id, sizeof id, "CVE-2024-%d", i);
        struct vuln v = vuln_empty();
        v.id = str_z(id);
        v.epss_score = i;
        v.kev_listed = i % 2;
        v.kev_added = i % 2 ? 1700000000 + i : 0;
        assert_ok(sink->vuln(sink, &v, &e));
    }
    assert_ok(vulndb_builder_install(b, NULL, &e));
    vulndb_builder_free(b);
}

struct fixture {
    char dir[512];
    struct vulndb *db;
    struct arena arena;
};

static int setup(void **state)
{
    struct err e;
    struct fixture *f = calloc(1, sizeof *f);
    scratch_make(f->dir, sizeof f->dir);
    struct vulndb_stats s = load(f->dir, "debian", debian, KE_ARRAY_LEN(debian), 0);
    assert_int_equal(s.claims_in, 6);
    assert_int_equal(s.claims_stored, 5);
    assert_int_equal(s.dropped, 3);
    assert_int_equal(s.records, 6);
    assert_int_equal(s.vulns, 2);
    load(f->dir, "ghsa", python, KE_ARRAY_LEN(python), 0);
    decorate(f->dir, "epss");
    assert_ok(vulndb_open(f->dir, &f->db, &e));
    arena_init(&f->arena, 64 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vulndb_close(f->db);
    arena_done(&f->arena);
    scratch_clear(f->dir);
    free(f);
    return 0;
}

static void looks_up(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *platform, *ecosystem, *package, *version, *want; /* ids, blank-separated */
    } rows[] = {
        {"debian:12", "", "openssl", "", "CVE-2024-1 CVE-2024-2 CVE-2024-3 "},
        {"debian:12", "", "openssl", "3.0.9-1", "CVE-2024-1 CVE-2024-2 "},
        {"debian:12", "", "openssl", "3.0.11-1", "CVE-2024-2 "},
        {"debian:12", "", "openssl", "2:1.0-1", "CVE-2024-2 CVE-2024-3 "},
        {"debian:12", "", "openssl", "2:1.0~rc1", "CVE-2024-2 CVE-2024-3 "},
        {"debian:12", "", "openssl", "2:1.0~beta", "CVE-2024-2 "},
        {"debian:12", "", "openssl", "2:1.0-3", "CVE-2024-2 "},
        {"debian:11", "", "openssl", "1.1.1m-1", "CVE-2024-1 "},
        {"debian:12", "", "bash", "1", "CVE-2024-4 "},
        {"debian:12", "", "zsh", "1", ""},
        {"debian:10", "", "openssl", "1", ""},
        {"", "PyPI", "django", "3.2.1", "GHSA-a "},
        {"", "PyPI", "django", "3.2.18", ""},
        {"", "PyPI", "django", "1.10", "GHSA-b GHSA-c "},
        {"", "PyPI", "django", "", "GHSA-a GHSA-b GHSA-c "},
        {"", "npm", "django", "3.2.1", ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e;
        struct db_claim *list;
        size_t n;
        auto_buf got;
        buf_init(&got, 4096);
        assert_ok(vulndb_lookup(f->db, str_z(rows[i].platform), str_z(rows[i].ecosystem),
                                str_z(rows[i].package), str_z(rows[i].version), &f->arena, &list,
                                &n, &e));
        for (size_t k = 0; k < n; k++) {
            buf_add_str(&got, list[k].claim.vuln_id);
            buf_add_char(&got, ' ');
            if (*rows[i].version)
                assert_true(claim_covers_version(&list[k].claim, str_z(rows[i].version)));
        }
        assert_str(buf_view(&got), str_z(rows[i].want));
    }
}

static void keeps_every_field(void **state)
{
    struct fixture *f = *state;
    struct err e;
    struct vulndb_builder *b;
    const struct version_range ranges[] = {{STR("1"), STR("2"), true, true}, {STR("3"), STR("4")}};
    const str exact[] = {STR("9"), STR("7"), STR("8")};
    const struct vuln_alias aliases[] = {{STR("Z-1"), ALIAS_RELATED}, {STR("A-1"), ALIAS_UPSTREAM}};
    const struct claim c = {
        .vuln_id = STR("X-1"),
        .platform = STR("rhel:9"),
        .package = STR("httpd"),
        .package_kind = PACKAGE_BINARY,
        .kind = CLAIM_UNAFFECTED,
        .state = FIX_DEFERRED,
        .scheme = "rpm-evr",
        .ranges = ranges,
        .n_ranges = 2,
        .exact = exact,
        .n_exact = 3,
        .fixed = STR("5"),
        .severity = SEV_CRITICAL,
        .severity_raw = STR("Important"),
        .advisory = STR("RHSA-1"),
        .fix_date = 7,
        .arch = STR("x86_64,src"),
        .module = STR("httpd:2.4"),
        .module_none = true,
        .channel = STR("eus"),
        .note = STR("why"),
        .symbols = STR("[1]"),
    };
    const struct vuln v = {
        .id = STR("X-1"),
        .status = VULN_DISPUTED,
        .published = 1,
        .modified = 2,
        .withdrawn = 3,
        .severity = SEV_LOW,
        .cvss_vector = STR("v"),
        .cvss_score10 = 0,
        .aliases = aliases,
        .n_aliases = 2,
        .summary = STR("s"),
        .details = STR("d"),
        .url = STR("u"),
        .kev_added = 4,
        .kev_due = 5,
        .kev_ransomware = true,
        .kev_listed = true,
        .epss_score = 6,
        .epss_percentile = 7,
    };
    assert_ok(vulndb_builder_new(f->dir, STR("redhat"), &b, &e));
    struct claim_sink *sink = vulndb_builder_sink(b);
    assert_ok(sink->claim(sink, &c, &e));
    assert_ok(sink->vuln(sink, &v, &e));
    assert_ok(vulndb_builder_install(b, NULL, &e));
    vulndb_builder_free(b);
    struct vulndb *db;
    struct db_claim *list;
    size_t n;
    str text;
    assert_ok(vulndb_open(f->dir, &db, &e));
    assert_ok(vulndb_lookup(db, STR("rhel:9"), STR(""), STR("httpd"), STR("7"), &f->arena, &list,
                            &n, &e));
    assert_int_equal(n, 1);
    const struct claim *g = &list->claim;
    assert_str(list->source, STR("redhat"));
    assert_str(g->platform, c.platform);
    assert_str(g->ecosystem, STR(""));
    assert_str(g->package, c.package);
    assert_int_equal(g->package_kind, c.package_kind);
    assert_int_equal(g->kind, c.kind);
    assert_int_equal(g->state, c.state);
    assert_string_equal(g->scheme, "rpm-evr");
    assert_int_equal(g->n_ranges, 2);
    assert_true(g->ranges[0].lo_excluded && g->ranges[0].hi_included);
    assert_false(g->ranges[1].lo_excluded || g->ranges[1].hi_included);
    assert_str(g->ranges[1].hi, STR("4"));
    assert_int_equal(g->n_exact, 3);
    assert_str(g->exact[0], STR("9"));
    assert_str(g->fixed, c.fixed);
    assert_int_equal(g->severity, c.severity);
    assert_str(g->severity_raw, c.severity_raw);
    assert_str(g->advisory, c.advisory);
    assert_int_equal(g->fix_date, 7);
    assert_str(g->arch, c.arch);
    assert_str(g->module, c.module);
    assert_true(g->module_none);
    assert_str(g->channel, c.channel);
    assert_str(g->note, c.note);
    assert_str(g->symbols, c.symbols);
    const struct vuln *w = &list->vuln;
    assert_int_equal(w->status, VULN_DISPUTED);
    assert_int_equal(w->published + 10 * w->modified + 100 * w->withdrawn, 321);
    assert_int_equal(w->kev_added + 10 * w->kev_due, 54);
    assert_true(w->kev_listed && w->kev_ransomware);
    assert_int_equal(w->epss_score + 10 * w->epss_percentile, 76);
    assert_int_equal(w->cvss_score10, 0);
    assert_int_equal(w->severity, SEV_LOW);
    assert_int_equal(w->n_aliases, 2);
    assert_str(w->aliases[0].id, STR("A-1"));
    assert_int_equal(w->aliases[0].kind, ALIAS_UPSTREAM);
    assert_str(w->url, STR("u"));
    assert_str(w->summary, STR("s"));
    assert_ok(vulndb_text(db, STR("redhat"), STR("X-1"), &f->arena, &text, &e));
    assert_str(text, STR("d"));
    vulndb_close(db);
}

static void knows_ids(void **state)
{
    struct fixture *f = *state;
    struct err e;
    struct db_vuln *v;
    str *ids, text;
    size_t n;
    assert_ok(vulndb_vuln(f->db, STR("CVE-2024-1"), &f->arena, &v, &n, &e));
    assert_int_equal(n, 2);
    assert_str(v[0].source, STR("debian"));
    assert_int_equal(v[0].vuln.cvss_score10, 98);
    assert_int_equal(v[0].vuln.withdrawn, 0);
    assert_str(v[1].source, STR("epss"));
    assert_int_equal(v[1].vuln.epss_score, 1);
    assert_ok(vulndb_vuln(f->db, STR("CVE-2024-999"), &f->arena, &v, &n, &e));
    assert_int_equal(n, 1);
    assert_ok(vulndb_vuln(f->db, STR("CVE-1999-1"), &f->arena, &v, &n, &e));
    assert_int_equal(n, 0);
    assert_ok(vulndb_aliases(f->db, STR("CVE-2024-1"), &f->arena, &ids, &n, &e));
    assert_int_equal(n, 2);
    assert_str(ids[1], STR("GHSA-a"));
    assert_ok(vulndb_aliases(f->db, STR("GHSA-b"), &f->arena, &ids, &n, &e));
    assert_int_equal(n, 1); /* related does not join */
    assert_ok(vulndb_text(f->db, STR("debian"), STR("CVE-2024-2"), &f->arena, &text, &e));
    assert_str(text, STR("another story"));
    assert_ok(vulndb_text(f->db, STR("epss"), STR("CVE-2024-2"), &f->arena, &text, &e));
    assert_str(text, STR(""));
    assert_true(vulndb_covers(f->db, STR("debian:12"), STR("")));
    assert_true(vulndb_covers(f->db, STR(""), STR("PyPI")));
    assert_false(vulndb_covers(f->db, STR("debian:10"), STR("npm")));
    const struct vulndb_source *s = vulndb_sources(f->db, &n);
    assert_int_equal(n, 3);
    assert_true(vulndb_loaded(f->db, STR("debian:12")) == s[0].loaded && s[0].loaded > 0);
    assert_true(vulndb_loaded(f->db, STR("debian:10")) == 0);
    assert_true(vulndb_loaded(f->db, STR("")) == 0);
    assert_str(s[0].name, STR("debian"));
    assert_int_equal(s[0].claims, 5);
    assert_int_equal(s[0].dropped, 3);
    assert_int_equal(s[0].n_drops, 2);
    assert_string_equal(s[0].drops[0].reason, "duplicate of a claim already stored");
    assert_int_equal(s[0].upstream_date, 1600000000);
    assert_str(s[0].upstream_version, STR("v7"));
    assert_int_equal(s[1].n_drops, 0);
    assert_ok(vulndb_verify(f->db, &e));
}

static void is_deterministic(void **state)
{
    struct fixture *f = *state;
    struct err e;
    size_t n;
    str first = vulndb_sources(f->db, &n)[0].digest;
    for (size_t turn = 1; turn < 6; turn++) {
        struct vulndb *db;
        load(f->dir, "debian", debian, KE_ARRAY_LEN(debian), turn);
        assert_ok(vulndb_open(f->dir, &db, &e));
        assert_str(vulndb_sources(db, &n)[0].digest, first);
        vulndb_close(db);
    }
}

static int count_claim(void *ctx, const struct db_claim *c, struct err *e)
{
    ++*(size_t *)ctx;
    return 0;
}

static size_t shards_on_disk(const char *dir)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/vulndb/shards", dir);
    DIR *d = opendir(path);
    size_t n = 0;
    for (struct dirent *f = readdir(d); f; f = readdir(d))
        n += f->d_name[0] != '.';
    closedir(d);
    return n;
}

static void replaces_a_source(void **state)
{
    struct fixture *f = *state;
    struct err e;
    struct vulndb *db;
    struct vulndb_builder *b;
    struct db_claim *list;
    size_t n = 0, before = shards_on_disk(f->dir);
    load(f->dir, "debian", debian + 3, 1, 0);
    assert_int_equal(shards_on_disk(f->dir), before - 1); /* debian:12 is gone */
    assert_ok(vulndb_open(f->dir, &db, &e));
    assert_ok(vulndb_each(db, STR(""), count_claim, &n, &e));
    assert_int_equal(n, 4);
    assert_false(vulndb_covers(db, STR("debian:12"), STR("")));
    vulndb_close(db);
    /* who has the old database open still reads it */
    assert_ok(vulndb_lookup(f->db, STR("debian:12"), STR(""), STR("openssl"), STR(""), &f->arena,
                            &list, &n, &e));
    assert_int_equal(n, 3);
    /* nothing found: what was there stays */
    assert_ok(vulndb_builder_new(f->dir, STR("debian"), &b, &e));
    assert_int_equal(vulndb_builder_install(b, NULL, &e), ERR_FORMAT);
    vulndb_builder_free(b);
    assert_ok(vulndb_open(f->dir, &db, &e));
    assert_true(vulndb_covers(db, STR("debian:11"), STR("")));
    vulndb_close(db);
}

static void refuses_names(void **state)
{
    struct err e;
    struct vulndb_builder *b;
    static const char *const names[] = {"", "a/b", "..", ".x", "a b", "a\nb"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        assert_int_equal(vulndb_builder_new("/nowhere", str_z(names[i]), &b, &e), ERR_USAGE);
    struct vulndb *db;
    assert_int_equal(vulndb_open("/nowhere", &db, &e), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(looks_up, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_every_field, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(is_deterministic, setup, teardown),
        cmocka_unit_test_setup_teardown(replaces_a_source, setup, teardown),
        cmocka_unit_test(refuses_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
