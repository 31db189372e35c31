/* What package databases say of packages' files: every format, and the traps. */
#include "listing.h"

#include "base/cursor.h"
#include "packages/package_files.h"

static str text_of(struct cursor *c)
{
    return cursor_bytes(c, (size_t)cursor_varint(c));
}

/* Reads the format of package_files.h strictly: "source type name version arch" and, indented, each
 * file. */
static void show(str bytes, struct buf *out)
{
    struct cursor c = cursor_over(bytes.p, bytes.n);
    while (cursor_left(&c)) {
        for (int i = 0; i < 5; i++) {
            str s = text_of(&c);
            buf_addf(out, "%s%.*s", i ? " " : "", STR_ARG(s));
        }
        buf_add_char(out, '\n');
        unsigned flags;
        while ((flags = cursor_u8(&c)) != 0) {
            str path = text_of(&c);
            assert_true(cursor_ok(&c) && flags & OWNED_THERE && path.n);
            buf_addf(out, " %.*s", STR_ARG(path));
            if (flags & OWNED_DIGEST) {
                enum owned_algorithm a = (enum owned_algorithm)cursor_u8(&c);
                str digest = cursor_bytes(&c, owned_digest_size(a));
                assert_true(digest.n > 0);
                buf_addf(out, " %s:%02x..%02x", owned_algorithm_name(a), (uint8_t)digest.p[0],
                         (uint8_t)digest.p[digest.n - 1]);
            }
            if (flags & OWNED_MODE)
                buf_addf(out, " %o", (unsigned)cursor_varint(&c));
            if (flags & OWNED_SIZE)
                buf_addf(out, " %u", (unsigned)cursor_varint(&c));
            if (flags & OWNED_CONFIG)
                buf_add_str(out, STR(" config"));
            buf_add_char(out, '\n');
        }
    }
    assert_true(cursor_ok(&c));
}

static void collect(const char *path, str content, struct buf *out, bool *full)
{
    struct err e = {0};
    struct facts f;
    struct package_files *lists;
    struct cat_test_file file = {.path = str_z(path), .content = content};
    assert_ok(package_files_new(&lists, &e));
    assert_ok(catalogue_files_with(&file, 1, lists, &f, &e));
    show(package_files_bytes(lists), out);
    if (full)
        *full = package_files_full(lists);
    package_files_free(lists);
    facts_done(&f);
}

#define STATUS    "var/lib/dpkg/status"
#define INSTALLED "lib/apk/db/installed"
#define MD5_      "0123456789abcdef0123456789abcdef"

static void test_formats(void **state)
{
    static const struct {
        const char *path, *text, *want;
    } table[] = {
        {"var/lib/dpkg/info/bash.list", "/.\n/bin\n/bin/bash\n\nrelative\n",
         "var/lib/dpkg/info/bash.list deb bash  \n bin\n bin/bash\n relative\n"},
        {"var/lib/dpkg/info/libc6:amd64.list", "/lib/libc.so\r\n",
         "var/lib/dpkg/info/libc6:amd64.list deb libc6  amd64\n lib/libc.so\n"},
        {"var/lib/dpkg/info/a.md5sums",
         MD5_ "  usr/bin/a b\n" MD5_ "\nnothex  usr/x\n0123  usr/short\n  \n",
         "var/lib/dpkg/info/a.md5sums deb a  \n usr/bin/a b md5:01..ef\n usr/x\n usr/short\n"},
        {"var/lib/dpkg/status.d/a.md5sums", MD5_ "  usr/a\n",
         "var/lib/dpkg/status.d/a.md5sums deb a  \n usr/a md5:01..ef\n"},
        {STATUS,
         "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n"
         "Conffiles:\n /etc/a " MD5_ "\n /etc/old " MD5_ " obsolete\n /etc/new newconffile\n"
         " /etc/gone " MD5_ " remove-on-upgrade\n /alone\nDescription: x\n /etc/no " MD5_ "\n\n"
         "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nConffiles:\n /etc/g " MD5_
         "\n\n",
         STATUS " deb a 1 amd64\n etc/a md5:01..ef config\n etc/new config\n"},
        {INSTALLED,
         "P:a\nV:1\nA:x\nF:etc\nM:0:0:1777\nR:f\nR:g\na:0:0:4755\n"
         "Z:Q1AQIDBAUGBwgJCgsMDQ4PEBESExQ=\nF:\nR:top\nZ:Q1short\na:0:0:9\n"
         "R:x\nZ:Q2AQIDBAUGBwgJCgsMDQ4PEBESExQ=\na:\n\nP:b\nV:2\n\n",
         INSTALLED " apk a 1 x\n etc/f 644\n etc/g sha1:01..14 4755\n top 644\n x 644\n"},
        {INSTALLED, "V:1\nF:etc\nR:f\n\n", ""},
        {INSTALLED, "Z:Q1AQIDBAUGBwgJCgsMDQ4PEBESExQ=\nP:a\nV:1\na:0:0:600\n\n", ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(table); i++) {
        auto_buf got;
        buf_init(&got, 1 << 16);
        collect(table[i].path, str_z(table[i].text), &got, NULL);
        assert_str(buf_view(&got), str_z(table[i].want));
    }
    (void)state;
}

/* Cut at any byte a list is a whole list, of fewer files. */
static void test_cut_anywhere(void **state)
{
    static const struct {
        const char *path, *text;
    } table[] = {
        {"var/lib/dpkg/info/a.md5sums", MD5_ "  usr/a\n" MD5_ "  usr/b\n"},
        {STATUS, "Package: a\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/a " MD5_
                 "\n /etc/b " MD5_ " obsolete\n\n"},
        {INSTALLED, "P:a\nV:1\nF:etc\nR:f\na:0:0:755\nZ:Q1AQIDBAUGBwgJCgsMDQ4PEBESExQ=\nR:g\n\n"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(table); i++)
        for (size_t n = 0; n <= strlen(table[i].text); n++) {
            auto_buf got;
            buf_init(&got, 1 << 16);
            collect(table[i].path, str_sub(str_z(table[i].text), 0, n), &got, NULL);
            size_t lines = 0;
            for (size_t k = 0; k < got.n; k++)
                lines += got.p[k] == '\n';
            assert_true(lines <= 3);
        }
    (void)state;
}

/* A package beyond the limit is left out whole, and so are all after it. */
static void test_limit(void **state)
{
    struct err e = {0};
    struct package_files *lists;
    struct owned_file f = {.flags = OWNED_THERE};
    auto_buf path, got;
    buf_init(&path, 2 << 20);
    buf_init(&got, 1 << 16);
    memset(buf_reserve(&path, 1 << 20), 'x', 1 << 20);
    path.n = 1 << 20;
    assert_ok(package_files_new(&lists, &e));
    package_files_begin(lists, STR("db"), "deb", STR("small"), STR("1"), STR(""));
    package_files_add(lists, STR("/a"), &f);
    package_files_end(lists);
    package_files_begin(lists, STR("db"), "deb", STR("large"), STR("1"), STR(""));
    for (int i = 0; i < 80; i++)
        package_files_add(lists, buf_view(&path), &f);
    package_files_end(lists);
    package_files_begin(lists, STR("db"), "deb", STR("after"), STR("1"), STR(""));
    package_files_add(lists, STR("/b"), &f);
    package_files_end(lists);
    assert_true(package_files_full(lists));
    show(package_files_bytes(lists), &got);
    assert_str(buf_view(&got), STR("db deb small 1 \n a\n"));
    package_files_free(lists);
    (void)state;
}

static void test_unended(void **state)
{
    struct err e = {0};
    struct package_files *lists;
    struct owned_file f = {.flags = OWNED_THERE};
    auto_buf got;
    buf_init(&got, 1 << 16);
    assert_ok(package_files_new(&lists, &e));
    package_files_add(lists, STR("/nobody"), &f);
    package_files_begin(lists, STR("as"), "deb", STR("a"), STR("1"), STR(""));
    package_files_add(lists, STR("/a"), &f);
    assert_ok(package_files_alias(lists, STR("as"), STR("real"), &e));
    package_files_begin(lists, STR("as"), "deb", STR("b"), STR("1"), STR(""));
    package_files_end(lists);
    package_files_end(lists);
    package_files_begin(lists, STR("as"), "deb", STR("c"), STR("1"), STR(""));
    show(package_files_bytes(lists), &got);
    assert_str(buf_view(&got), STR("as deb a 1 \n a\nreal deb b 1 \n"));
    package_files_free(lists);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_unended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
