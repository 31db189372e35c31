/* Files of the host: whole or not at all, and never in place of a device. */
#include "unit.h"

#include "base/err.h"

#include <fcntl.h>
#include <sys/stat.h>

static char dir[64];

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/kellet-fs-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    static const char *const names[] = {"file", "link", "pipe"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir); /* fails when a temporary file was left */
}

static void expect_content(const char *path, const char *want)
{
    struct err e = {0};
    auto_buf got;
    buf_init(&got, 1000);
    assert_ok(fs_read(path, &got, &e));
    assert_str(buf_view(&got), str_z(want));
}

static void writes_and_replaces(void **state)
{
    struct err e = {0};
    struct stat st;
    char path[128], link[128];
    snprintf(path, sizeof path, "%s/file", dir);
    snprintf(link, sizeof link, "%s/link", dir);
    assert_ok(fs_write_atomic(path, STR("one"), 0640, &e));
    expect_content(path, "one");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777 & ~0640u, 0);
    assert_int_equal(symlink("file", link), 0);
    assert_ok(fs_write_atomic(link, STR("two"), 0640, &e));
    expect_content(path, "two");
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void never_replaces_what_is_no_file(void **state)
{
    struct err e = {0};
    struct stat st;
    char path[128], got[8] = "";
    snprintf(path, sizeof path, "%s/pipe", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd autoclose = open(path, O_RDWR | O_NONBLOCK);
    assert_ok(fs_write_atomic(path, STR("data"), 0640, &e));
    assert_int_equal(read(fd, got, sizeof got), 4);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_true(fs_write_atomic(dir, STR("data"), 0640, &e) < 0);
}

static void names_what_it_cannot_write(void **state)
{
    struct err e = {0};
    assert_true(fs_write_atomic("/nonexistent-dir/file", STR("x"), 0600, &e) < 0);
    assert_non_null(strstr(e.text, "/nonexistent-dir/file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_and_replaces, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(never_replaces_what_is_no_file, make_dir, drop_dir),
        cmocka_unit_test(names_what_it_cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
