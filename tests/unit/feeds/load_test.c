/* Files, directories and archives: what is found, in which order, and what errors say. */
#include "feeds/sink.h"

#include "tar_build.h"
#include "zip_build.h"

#include <ftw.h>
#include <sys/stat.h>

static char root[64]; /* a directory of the test */

static int make_root(void **state)
{
    snprintf(root, sizeof root, "/tmp/kellet-feeds-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int remove_root(void **state)
{
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *below(const char *name)
{
    static char path[4][4096];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", root, name);
    return p;
}

static void put(const char *name, str content)
{
    struct err e = {0};
    char dir[4096];
    str parent = str_dirname(str_z(below(name)));
    snprintf(dir, sizeof dir, "%.*s", STR_ARG(parent));
    assert_ok(fs_mkdirs(dir, &e));
    assert_ok(fs_write_atomic(below(name), content, 0644, &e));
}

static void gzip(str in, struct buf *out)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = in.n + 1000;
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (Bytef *)buf_reserve(out, room);
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->n += room - z.avail_out;
    deflateEnd(&z);
}

/* A secdb file with one row. */
static const char *secdb(const char *cve)
{
    static char text[4][256];
    static unsigned turn;
    char *t = text[turn++ % 4];
    snprintf(t, sizeof text[0], "packages:\n- pkg: {name: a, secfixes: {1: [%s]}}\n", cve);
    return t;
}

static void note_step(void *ctx, str path, uint64_t inputs, uint64_t bytes)
{
    struct buf *b = ctx;
    str base = str_z(root);
    if (str_starts(path, base))
        path = str_from(path, base.n + 1);
    buf_addf(b, "%.*s\n", STR_ARG(path));
}

/* Loads with the Alpine driver; the paths it read, in order. */
static int load(const char *name, struct buf *steps, struct err *e)
{
    auto_sink t;
    sink_init(&t);
    struct feed_progress progress = {note_step, steps};
    const char *paths[] = {below(name)};
    return feeds_load(feed_find(STR("alpine")), paths, 1, &t.sink, &progress, e);
}

static void expect_steps(const char *name, const char *want)
{
    struct err e = {0};
    auto_buf steps;
    buf_init(&steps, 100000);
    if (load(name, &steps, &e) < 0)
        fail_msg("%s: %s", name, e.text);
    assert_str(buf_view(&steps), str_z(want));
}

static void expect_failure(const char *name, int code, const char *message)
{
    struct err e = {0};
    auto_buf steps;
    buf_init(&steps, 100000);
    int r = load(name, &steps, &e);
    if (r != code || !str_contains(str_z(e.text), str_z(message)))
        fail_msg("%s: got %d \"%s\", want %d \"%s\"", name, r, e.text, code, message);
}

static void directories(void **state)
{
    auto_buf gz;
    buf_init(&gz, 10000);
    gzip(str_z(secdb("CVE-2020-4")), &gz);
    put("d/v3.2/main.yaml", str_z(secdb("CVE-2020-1")));
    put("d/v3.10/main.yaml", str_z(secdb("CVE-2020-2")));
    put("d/edge/community.yaml", str_z(secdb("CVE-2020-3")));
    put("d/edge/main.yaml.gz", buf_view(&gz));
    put("d/edge/main.yaml.part", STR("half"));
    put("d/.git/main.yaml", STR("hidden"));
    put("d/README.md", STR("no data"));
    assert_int_equal(symlink("..", below("d/edge/up")), 0);
    assert_int_equal(symlink("nowhere", below("d/edge/security.yaml")), 0);
    expect_steps("d", "d/edge/community.yaml\nd/edge/main.yaml.gz\nd/v3.10/main.yaml\n"
                      "d/v3.2/main.yaml\n");
}

static void tar_archives(void **state)
{
    auto_buf tar, gz, inner;
    buf_init(&tar, 1 << 20);
    buf_init(&gz, 1 << 20);
    buf_init(&inner, 1 << 20);
    gzip(str_z(secdb("CVE-2020-3")), &inner);
    tar_add(&tar, '5', "v3.1/", NULL, STR(""), 0755);
    tar_file(&tar, "v3.1/main.yaml", secdb("CVE-2020-1"));
    tar_file(&tar, "v3.1/notes.txt", "no data");
    tar_file(&tar, "../../../../tmp/kellet-escaped/v3.9/main.yaml", secdb("CVE-2020-2"));
    tar_add(&tar, '2', "v3.4/main.yaml", "/etc/passwd", STR(""), 0777);
    tar_add(&tar, '0', "v3.5/community.yaml.gz", NULL, buf_view(&inner), 0644);
    tar_end(&tar);
    gzip(buf_view(&tar), &gz);
    put("plain.tar", buf_view(&tar));
    put("data.tar.gz", buf_view(&gz));
    put("nameless", buf_view(&gz));
    static const char *const names[] = {"plain.tar", "data.tar.gz", "nameless"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        char want[512];
        snprintf(want, sizeof want,
                 "%s!v3.1/main.yaml\n%s!../../../../tmp/kellet-escaped/v3.9/main.yaml\n"
                 "%s!v3.5/community.yaml.gz\n",
                 names[i], names[i], names[i]);
        expect_steps(names[i], want);
    }
    assert_int_equal(access("/tmp/kellet-escaped", F_OK), -1);
    put("in/a/data.tar.gz", buf_view(&gz)); /* archives in directories are opened too */
    expect_steps("in", "in/a/data.tar.gz!v3.1/main.yaml\n"
                       "in/a/data.tar.gz!../../../../tmp/kellet-escaped/v3.9/main.yaml\n"
                       "in/a/data.tar.gz!v3.5/community.yaml.gz\n");
}

static void zip_archives(void **state)
{
    struct zb_member members[] = {
        {.name = STR("v3.1/")},
        {.name = STR("v3.1/main.yaml"), .content = str_z(secdb("CVE-2020-1")), .deflate = true},
        {.name = STR("readme"), .content = STR("no data")},
        {.name = STR("../v3.2/main.yaml"), .content = str_z(secdb("CVE-2020-2"))},
    };
    auto_buf zip, broken;
    buf_init(&zip, 1 << 20);
    buf_init(&broken, 1 << 20);
    zb_build(&zip, members, KE_ARRAY_LEN(members), NULL);
    put("all.zip", buf_view(&zip));
    expect_steps("all.zip", "all.zip!v3.1/main.yaml\nall.zip!../v3.2/main.yaml\n");
    put("cut.zip", str_sub(buf_view(&zip), 0, zip.n - 10));
    expect_failure("cut.zip", ERR_FORMAT, "cut.zip: ");
    members[1].lie_crc = 1;
    zb_build(&broken, members, KE_ARRAY_LEN(members), NULL);
    put("broken.zip", buf_view(&broken));
    expect_failure("broken.zip", ERR_FORMAT, "broken.zip!v3.1/main.yaml: ");
}

static void errors_name_file_and_member(void **state)
{
    auto_buf tar, gz;
    buf_init(&tar, 1 << 20);
    buf_init(&gz, 1 << 20);
    tar_file(&tar, "v3.1/main.yaml", secdb("CVE-2020-1"));
    tar_file(&tar, "v3.2/main.yaml", "a: [");
    tar_end(&tar);
    gzip(buf_view(&tar), &gz);
    put("bad.tar", buf_view(&tar));
    put("cut.tar", str_sub(buf_view(&tar), 0, 512 + 20));
    put("cut.tar.gz", str_sub(buf_view(&gz), 0, gz.n - 20));
    put("e/v3.1/main.json", STR("{\"packages\":[}"));
    put("none/README", STR("x"));
    put("empty", STR(""));
    expect_failure("bad.tar", ERR_FORMAT, "bad.tar!v3.2/main.yaml:2:1: ");
    expect_failure("cut.tar", ERR_FORMAT, "cut.tar!v3.1/main.yaml");
    expect_failure("cut.tar.gz", ERR_FORMAT, "cut.tar.gz");
    expect_failure("e", ERR_FORMAT, "e/v3.1/main.json:1:14: ");
    expect_failure("none", ERR_FORMAT, "none: holds nothing that the feed \"alpine\" reads");
    expect_failure("empty", ERR_FORMAT, "empty: is empty");
    expect_failure("absent", ERR_NOT_FOUND, "cannot open");
}

static void directories_are_not_endless(void **state)
{
    char path[400] = "deep";
    for (int i = 0; i < 33; i++)
        snprintf(path + strlen(path), sizeof path - strlen(path), "/x");
    snprintf(path + strlen(path), sizeof path - strlen(path), "/v3.1/main.yaml");
    put(path, str_z(secdb("CVE-2020-1")));
    expect_failure("deep", ERR_LIMIT, "nested deeper than 32");
}

static void every_feed_is_found_and_complete(void **state)
{
    for (size_t i = 0; feeds_all[i]; i++) {
        assert_ptr_equal(feed_find(str_z(feeds_all[i]->name)), feeds_all[i]);
        assert_non_null(feeds_all[i]->wants);
        assert_true(!feeds_all[i]->read != !feeds_all[i]->read_many);
        assert_non_null(feeds_all[i]->summary);
        assert_non_null(feeds_all[i]->licence);
        if (i)
            assert_true(strcmp(feeds_all[i - 1]->name, feeds_all[i]->name) < 0);
    }
    assert_null(feed_find(STR("none-such")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories),
        cmocka_unit_test(tar_archives),
        cmocka_unit_test(zip_archives),
        cmocka_unit_test(errors_name_file_and_member),
        cmocka_unit_test(directories_are_not_endless),
        cmocka_unit_test(every_feed_is_found_and_complete),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
