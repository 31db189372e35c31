/* Damaged shards: an error or an answer, never a crash (the sanitizers watch), and found by verify.
 * The questions are those of the fuzz target. */
#include "db_test.h"

#include "base/fs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct row rows[] = {
    {"CVE-1", "debian:12", "", "openssl", "deb", "1", "3", "", "3", CLAIM_AFFECTED, FIX_FIXED,
     SEV_HIGH},
    {"CVE-2", "debian:12", "", "bash", "deb", "", "", "5.0", "", CLAIM_AFFECTED, FIX_NOT_FIXED,
     SEV_LOW},
    {"CVE-3", "debian:12", "", "bash", "deb", "", "2", "", "", CLAIM_UNAFFECTED, FIX_NOT_AFFECTED,
     SEV_LOW},
};

struct fixture {
    char dir[512];
    struct buf packed; /* every shard, as the fuzz target takes them */
    char names[16][512];
    size_t n;
};

static void pack(struct fixture *f)
{
    char path[2048];
    struct err e;
    snprintf(path, sizeof path, "%s/vulndb/shards", f->dir);
    DIR *d = opendir(path);
    for (struct dirent *x = readdir(d); x; x = readdir(d)) {
        auto_buf bytes;
        if (x->d_name[0] == '.') {
            buf_init(&bytes, 0);
            continue;
        }
        buf_init(&bytes, 1 << 20);
        snprintf(f->names[f->n], sizeof f->names[0], "%.255s", x->d_name);
        snprintf(path, sizeof path, "%s/vulndb/shards/%s", f->dir, f->names[f->n]);
        assert_ok(fs_read(path, &bytes, &e));
        buf_add_u32(&f->packed, (uint32_t)bytes.n);
        buf_add_str(&f->packed, buf_view(&bytes));
        f->n++;
    }
    closedir(d);
}

static int setup(void **state)
{
    struct err e;
    struct vulndb_builder *b;
    struct fixture *f = calloc(1, sizeof *f);
    scratch_make(f->dir, sizeof f->dir);
    buf_init(&f->packed, 1 << 20);
    assert_ok(vulndb_builder_new(f->dir, STR("debian"), &b, &e));
    struct claim_sink *sink = vulndb_builder_sink(b);
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        send_row(sink, &rows[i]);
    struct vuln_alias alias = {STR("GHSA-1"), ALIAS_SAME};
    struct vuln v = vuln_empty();
    v.id = STR("CVE-1");
    v.aliases = &alias;
    v.n_aliases = 1;
    v.summary = STR("s");
    v.details = STR("some longer text about it");
    assert_ok(sink->vuln(sink, &v, &e));
    assert_ok(vulndb_builder_install(b, NULL, &e));
    vulndb_builder_free(b);
    pack(f);
    assert_int_equal(f->n, 4); /* claims, vulns, texts, aliases */
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_done(&f->packed);
    scratch_clear(f->dir);
    free(f);
    return 0;
}

static void survives_flips(void **state)
{
    struct fixture *f = *state;
    static const uint8_t masks[] = {0x01, 0x80, 0xff, 0x7f};
    uint8_t *bytes = (uint8_t *)f->packed.p;
    for (size_t at = 0; at < f->packed.n; at++)
        for (size_t m = 0; m < KE_ARRAY_LEN(masks); m++) {
            bytes[at] ^= masks[m];
            LLVMFuzzerTestOneInput(bytes, f->packed.n);
            bytes[at] ^= masks[m];
        }
}

static void survives_cuts(void **state)
{
    struct fixture *f = *state;
    for (size_t n = 0; n < f->packed.n; n++) {
        uint8_t *copy autofree = malloc(n + 1); /* so that reading past the end is seen */
        memcpy(copy, f->packed.p, n);
        LLVMFuzzerTestOneInput(copy, n);
    }
}

/* Changes a byte of a file, or cuts it, and gives what opening and verifying say. */
static int damage(const struct fixture *f, const char *name, long at, bool cut)
{
    char path[2048];
    struct err e;
    struct vulndb *db;
    auto_buf bytes, bad;
    buf_init(&bytes, 1 << 20);
    buf_init(&bad, 1 << 20);
    snprintf(path, sizeof path, "%s/vulndb/shards/%s", f->dir, name);
    assert_ok(fs_read(path, &bytes, &e));
    size_t where = at < 0 ? bytes.n - (size_t)-at : (size_t)at;
    buf_add(&bad, bytes.p, cut ? where : bytes.n);
    if (!cut)
        bad.p[where] ^= 1;
    assert_ok(fs_write_atomic(path, buf_view(&bad), 0644, &e));
    int r = vulndb_open(f->dir, &db, &e);
    if (r == 0) {
        r = vulndb_verify(db, &e);
        vulndb_close(db);
    }
    assert_ok(fs_write_atomic(path, buf_view(&bytes), 0644, &e));
    return r;
}

static void finds_damage_on_disk(void **state)
{
    struct fixture *f = *state;
    struct err e;
    struct vulndb *db;
    for (size_t i = 0; i < f->n; i++) {
        assert_int_equal(damage(f, f->names[i], 0, false), ERR_FORMAT);
        assert_int_equal(damage(f, f->names[i], 40, false), ERR_MISMATCH);
        assert_int_equal(damage(f, f->names[i], -1, false), ERR_MISMATCH);
        assert_int_equal(damage(f, f->names[i], -1, true), ERR_MISMATCH);
        assert_int_equal(damage(f, f->names[i], 0, true), ERR_MISMATCH);
    }
    assert_ok(vulndb_open(f->dir, &db, &e));
    assert_ok(vulndb_verify(db, &e));
    vulndb_close(db);
}

static void refuses_manifests(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        int code;
    } bad[] = {
        {"", ERR_FORMAT},
        {"[]", ERR_UNSUPPORTED},
        {"{\"format\": 99}", ERR_UNSUPPORTED},
        {"{\"format\": 1, \"sources\": [{}]}", ERR_FORMAT},
        {"{\"format\": 1, \"sources\": [{\"name\": \"b\"}, {\"name\": \"a\"}]}", ERR_FORMAT},
        {"{\"format\": 1, \"sources\": [{\"name\": \"a\", \"shards\": [{\"file\": \"../x\", "
         "\"size\": 1}]}]}",
         ERR_FORMAT},
        {"{\"format\": 1, \"sources\": [{\"name\": \"a\", \"shards\": [{\"file\": \"gone.kdb\", "
         "\"size\": 1, \"sha256\": "
         "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}]}]}",
         ERR_FORMAT},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        char path[2048];
        struct err e;
        struct vulndb *db;
        snprintf(path, sizeof path, "%s/vulndb/manifest.json", f->dir);
        assert_ok(fs_write_atomic(path, str_z(bad[i].text), 0644, &e));
        int r = vulndb_open(f->dir, &db, &e);
        if (r != bad[i].code)
            fail_msg("%s: %d", bad[i].text, r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(survives_flips, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_cuts, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_damage_on_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_manifests, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
